package config

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Export returns the document in YAML. References are as they were written, and
// each secret that is in clear becomes ${secret:PATH}, where PATH is its place in
// the document; [Config.Literal] has what that stands for. Comments are left out,
// and aliases copied out.
func (c *Config) Export() string {
	if c.root == nil {
		return "version: 1\n"
	}
	var b strings.Builder
	for _, child := range c.root.children {
		c.export(&b, child, "")
	}
	return b.String()
}

// Literal returns the secret that stands in clear at a path of the document.
func (c *Config) Literal(path string) (secret string, ok bool) {
	if c.root == nil {
		return "", false
	}
	n := c.literal(c.root, path)
	if n == nil {
		return "", false
	}
	return n.text, true
}

func (c *Config) literal(n *node, path string) *node {
	if n.path() == path && c.isLiteral(n) {
		return n
	}
	for _, child := range n.children {
		if found := c.literal(child, path); found != nil {
			return found
		}
	}
	return nil
}

// isLiteral reports whether n is a secret in clear.
func (c *Config) isLiteral(n *node) bool {
	return !c.verbatim && (slices.Contains(c.literals, n.path()) || n.secret() && !n.reference && n.written != "")
}

const indentation = "  "

// export writes an entry of a table or a list.
func (c *Config) export(b *strings.Builder, n *node, indent string) {
	b.WriteString(indent)
	if n.parent.kind == list {
		b.WriteString("-")
	} else {
		b.WriteString(quoteText(n.key) + ":")
	}
	switch {
	case len(n.children) > 0:
		b.WriteString("\n")
		for _, child := range n.children {
			c.export(b, child, indent+indentation)
		}
		return
	case n.kind == table:
		b.WriteString(" {}")
	case n.kind == list:
		b.WriteString(" []")
	case n.kind != nothing:
		b.WriteString(" " + c.scalar(n))
	}
	b.WriteString("\n")
}

func (c *Config) scalar(n *node) string {
	switch {
	case c.isLiteral(n):
		return quote(secretReference(n.path()))
	case n.kind == text:
		return quoteText(n.written)
	}
	return n.written
}

// plain is what YAML takes for text without quotes.
var plain = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*$`)
})

// notText are plain words that YAML takes for something else.
var notText = []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}

func quoteText(s string) string {
	if plain().MatchString(s) && !slices.Contains(notText, strings.ToLower(s)) {
		return s
	}
	return quote(s)
}

// quote returns s in double quotes, as JSON, which is YAML.
func quote(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string can be encoded
	return strings.TrimSuffix(b.String(), "\n")
}
