package manifests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// JSON writes the objects as one List.
func (s *Set) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(object{"apiVersion": "v1", "kind": "List", "items": s.Objects})
}

// YAML writes the objects as documents of a stream. Text is in quotes unless every
// reader of YAML, of version 1.1, too, takes it for text.
func (s *Set) YAML(w io.Writer) error {
	var b strings.Builder
	for i, o := range s.Objects {
		if i > 0 {
			b.WriteString("---\n")
		}
		writeTable(&b, o, "")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

const indentation = "  "

// writeTable writes the entries of a table, sorted, each on lines of its own.
func writeTable(b *strings.Builder, table map[string]any, indent string) {
	for _, key := range slices.Sorted(maps.Keys(table)) {
		b.WriteString(indent + quoted(key) + ":")
		writeValue(b, table[key], indent)
	}
}

// writeValue writes what follows a key.
func writeValue(b *strings.Builder, value any, indent string) {
	switch v := value.(type) {
	case object:
		if len(v) == 0 {
			b.WriteString(" {}\n")
			return
		}
		b.WriteString("\n")
		writeTable(b, v, indent+indentation)
	case list:
		if len(v) == 0 {
			b.WriteString(" []\n")
			return
		}
		b.WriteString("\n")
		for _, item := range v {
			writeItem(b, item, indent)
		}
	case string:
		if block.MatchString(v) {
			b.WriteString(" |\n" + indent + indentation)
			b.WriteString(strings.ReplaceAll(strings.TrimSuffix(v, "\n"), "\n", "\n"+indent+indentation) + "\n")
			return
		}
		b.WriteString(" " + quoted(v) + "\n")
	default: // a number or a boolean
		fmt.Fprintf(b, " %v\n", v)
	}
}

// writeItem writes an item of a list; a table begins beside the dash.
func writeItem(b *strings.Builder, item any, indent string) {
	table, ok := item.(object)
	if !ok {
		b.WriteString(indent + "-")
		writeValue(b, item, indent)
		return
	}
	var inner strings.Builder
	writeTable(&inner, table, indent+indentation)
	b.WriteString(indent + "- " + strings.TrimPrefix(inner.String(), indent+indentation))
}

// block is text of several lines that YAML shows as it is.
var block = regexp.MustCompile(`^(?:[!-~][ -~]*\n)(?:[ -~]*[!-~]\n)+$`)

// plain is what every reader takes for text without quotes, but the words of notText.
var plain = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9./_-]*$`)

var notText = []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}

func quoted(s string) string {
	if plain.MatchString(s) && !slices.Contains(notText, strings.ToLower(s)) {
		return s
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string can be encoded
	return strings.TrimSuffix(b.String(), "\n")
}
