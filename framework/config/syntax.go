package config

import (
	"bytes"
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// What a document may be at most. The YAML parser needs time and memory that
// grow with the square of tokens and nesting, so they are bounded before it.
const (
	maxBytes  = 1 << 20
	maxTokens = 100_000
	maxDepth  = 100
	maxNodes  = 100_000 // values, aliases copied out
)

// parse returns the tree of a document, or nil after a problem that leaves none.
func (r *reader) parse(data []byte) *node {
	body := r.body(data)
	if body == nil {
		return nil
	}
	b := &builder{reader: r, anchors: make(map[string]*node)}
	root := b.build(body, nil, "", tokenPlace(body.GetToken()))
	switch {
	case b.nodes > maxNodes:
		return nil
	case root.kind == nothing:
		return &node{kind: table, at: place{1, 1}, keyAt: place{1, 1}}
	case root.kind != table:
		r.at(root, root.describe(), "keys with values, beginning with version: 1")
		return nil
	}
	root.keyAt = place{1, 1}
	return root
}

// body returns the one YAML document in data.
func (r *reader) body(data []byte) ast.Node {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	switch {
	case len(data) > maxBytes:
		r.unreadable(place{}, "found more than 1 MiB, expected less")
		return nil
	case !utf8.Valid(data):
		r.unreadable(invalidAt(data), "found bytes that are not UTF-8, expected text in UTF-8")
		return nil
	}
	tokens := lexer.Tokenize(string(data))
	if at, ok := bounded(tokens); !ok {
		r.unreadable(at, "found more than "+strconv.Itoa(maxDepth)+" levels or "+strconv.Itoa(maxTokens)+" tokens, expected less")
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.syntax(err)
		return nil
	}
	return r.only(file)
}

// only returns the body of the only document in file; a null, if there is none.
func (r *reader) only(file *ast.File) ast.Node {
	var bodies []ast.Node
	for _, doc := range file.Docs {
		switch doc.Body.(type) {
		case nil, *ast.DirectiveNode, *ast.CommentNode, *ast.CommentGroupNode:
		default:
			bodies = append(bodies, doc.Body)
		}
	}
	if len(bodies) == 0 {
		return ast.Null(token.New("null", "", &token.Position{Line: 1, Column: 1}))
	}
	for _, body := range bodies[1:] {
		r.unreadable(startOf(body), "found another document, expected one")
	}
	return bodies[0]
}

// bounded reports whether a document is small enough for the parser, or where it
// is not.
func bounded(tokens token.Tokens) (place, bool) {
	flow, line, dashes := 0, 0, 0
	for i, t := range tokens {
		if t.Position.Line != line {
			line, dashes = t.Position.Line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType: // "- - - x" nests in one line
			dashes++
		}
		if i >= maxTokens || flow > maxDepth || dashes > maxDepth {
			return tokenPlace(t), false
		}
	}
	return place{}, true
}

// syntax reports what the parser could not read.
func (r *reader) syntax(err error) {
	var located interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if !errors.As(err, &located) {
		r.unreadable(place{}, "YAML: "+err.Error())
		return
	}
	r.unreadable(tokenPlace(located.GetToken()), "YAML: "+located.GetMessage()+hint(located.GetToken()))
}

// hint explains what people meet most: braces end a value in a flow map.
func hint(t *token.Token) string {
	if t != nil && t.Type == token.MappingStartType && t.Prev != nil && t.Prev.Type == token.StringType {
		return ` (inside {…}, a value with braces needs quotes: "${env:NAME}")`
	}
	return ""
}

func (r *reader) unreadable(at place, text string) { r.report(nil, at, Problem{Message: text}) }

func invalidAt(data []byte) place {
	at := place{1, 1}
	for len(data) > 0 {
		c, size := utf8.DecodeRune(data)
		if c == utf8.RuneError && size == 1 {
			return at
		}
		if at.column++; c == '\n' {
			at = place{at.line + 1, 1}
		}
		data = data[size:]
	}
	return at
}

func tokenPlace(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{}
	}
	return place{t.Position.Line, t.Position.Column}
}

// startOf returns where a value begins; the parser's token of a mapping without
// braces is its first colon.
func startOf(n ast.Node) place {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return tokenPlace(n.Values[0].Key.GetToken())
		}
	case *ast.MappingValueNode:
		return tokenPlace(n.Key.GetToken())
	}
	return tokenPlace(n.GetToken())
}
