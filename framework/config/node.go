package config

import (
	"errors"
	"reflect"
)

// A Node is a part of a document that is read later, by whoever knows its type.
// The zero Node is empty. Nodes may be read by several goroutines at once.
type Node struct {
	file string
	node *node
}

// Decode reads the node into v, a pointer to a struct, a map or an any. It is as
// strict as the document itself: an unknown key or a wrong type is an error,
// which is [Problems]. Keys are named by yaml tags, else by json tags, else they
// are the names of the fields in whatever case.
func (n Node) Decode(v any) error {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return errors.New("decode settings: the target is no pointer")
	}
	from := n.node
	if from == nil || from.kind == nothing {
		from = &node{kind: table}
	}
	r := newReader(n.file, Options{})
	r.lenient = true
	r.value(from, target.Elem(), "")
	if len(r.found) > 0 {
		return r.sorted()
	}
	return nil
}

// Equal reports whether both nodes have the same content, wherever they stand in
// their documents. References count as what they stand for.
func (n Node) Equal(o Node) bool {
	a, b := n.node, o.node
	if a == nil {
		a = &node{kind: table}
	}
	if b == nil {
		b = &node{kind: table}
	}
	return a.equal(b)
}

// any returns n as Go's own types: nil, string, int64, uint64, float64, bool,
// []any and map[string]any.
func (n *node) any() any {
	switch n.kind {
	case nothing:
		return nil
	case boolean:
		return isTrue(n.text)
	case integer:
		if i, err := parseInt(n.text, 64); err == nil {
			return i
		}
		if u, err := parseUint(n.text, 64); err == nil {
			return u
		}
	case decimal:
		if f, err := parseFloat(n.text); err == nil {
			return f
		}
	case list:
		all := make([]any, len(n.children))
		for i, c := range n.children {
			all[i] = c.any()
		}
		return all
	case table:
		all := make(map[string]any, len(n.children))
		for _, c := range n.children {
			all[c.key] = c.any()
		}
		return all
	}
	return n.text
}
