package config

import (
	"strconv"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// A builder makes the tree of nodes of the parser's syntax tree.
type builder struct {
	*reader
	anchors map[string]*node // by name; what is being built is not among them, so nothing holds itself
	nodes   int
}

// node returns a new child of parent, which may be nil.
func (b *builder) node(parent *node, key string, keyAt place, k kind) *node {
	n := &node{kind: k, parent: parent, key: key, keyAt: keyAt, at: keyAt}
	if parent != nil {
		parent.children = append(parent.children, n)
	}
	if b.nodes++; b.nodes == maxNodes+1 {
		b.atKey(n, "more than "+strconv.Itoa(maxNodes)+" values, with aliases copied out", "fewer")
	}
	return n
}

// build makes the node of a value.
func (b *builder) build(from ast.Node, parent *node, key string, keyAt place) *node {
	if b.nodes > maxNodes {
		return &node{parent: parent, key: key, keyAt: keyAt}
	}
	switch from := from.(type) {
	case *ast.AnchorNode:
		n := b.build(from.Value, parent, key, keyAt)
		b.anchors[from.Name.GetToken().Value] = n
		return n
	case *ast.AliasNode:
		return b.alias(from, parent, key, keyAt)
	case *ast.TagNode:
		return b.tagged(from, parent, key, keyAt)
	}
	n := b.node(parent, key, keyAt, nothing)
	n.at = startOf(from)
	switch from := from.(type) {
	case *ast.MappingNode:
		b.table(n, from.Values)
	case *ast.MappingValueNode:
		b.table(n, []*ast.MappingValueNode{from})
	case *ast.SequenceNode:
		n.kind = list
		for i, item := range from.Values {
			b.build(item, n, strconv.Itoa(i), startOf(item))
		}
	default:
		b.scalar(n, from)
	}
	return n
}

func (b *builder) scalar(n *node, from ast.Node) {
	n.written = from.GetToken().Value
	switch from := from.(type) {
	case *ast.NullNode:
		n.written = ""
	case *ast.StringNode:
		n.kind, n.written = text, from.Value
	case *ast.LiteralNode:
		n.kind, n.written = text, from.Value.Value
	case *ast.IntegerNode:
		n.kind = integer
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		n.kind = decimal
	case *ast.BoolNode:
		n.kind = boolean
	default:
		b.at(n, "a YAML "+from.Type().String(), "plain YAML")
	}
	n.text = n.written
	if n.kind == text {
		b.resolve(n)
	}
}

// tagged builds a value with a tag. !!str makes text of what looks like
// something else; others would say what the document's types say already.
func (b *builder) tagged(from *ast.TagNode, parent *node, key string, keyAt place) *node {
	n := b.build(from.Value, parent, key, keyAt)
	switch {
	case from.Start.Value != "!!str":
		b.put(n, tokenPlace(from.Start), "the tag "+from.Start.Value, "no tag, or !!str")
	case n.kind == list || n.kind == table:
		b.put(n, tokenPlace(from.Start), "!!str before "+n.what(), "it before a scalar")
	default:
		n.kind = text
	}
	return n
}

// alias builds a copy of what an alias stands for.
func (b *builder) alias(from *ast.AliasNode, parent *node, key string, keyAt place) *node {
	name := from.Value.GetToken().Value
	if target, ok := b.anchors[name]; ok {
		return b.copy(target, parent, key, keyAt)
	}
	n := b.node(parent, key, keyAt, nothing)
	b.put(n, tokenPlace(from.GetToken()), "*"+name, "an alias of an anchor (&"+name+") before it")
	return n
}

func (b *builder) copy(from, parent *node, key string, keyAt place) *node {
	n := b.node(parent, key, keyAt, from.kind)
	n.text, n.written, n.reference, n.at = from.text, from.written, from.reference, from.at
	if b.wrong[from] {
		b.mark(n)
	}
	for _, c := range from.children {
		if b.nodes > maxNodes {
			break
		}
		b.copy(c, n, c.key, c.keyAt)
	}
	return n
}

// table fills n with the keys of a mapping, and then with merged ones that it
// does not have itself.
func (b *builder) table(n *node, values []*ast.MappingValueNode) {
	n.kind = table
	var merged []ast.Node
	first := make(map[string]place)
	for _, v := range values {
		if v.Key.IsMergeKey() {
			merged = append(merged, v.Value)
			continue
		}
		key, at := b.key(v.Key), startOf(v)
		if before, ok := first[key]; ok {
			extra := &node{parent: n, key: key, keyAt: at}
			b.atKey(extra, "the key a second time", "each key once; the first is in line "+strconv.Itoa(before.line))
			continue
		}
		first[key] = at
		b.build(v.Value, n, key, at)
	}
	for _, from := range merged {
		b.merge(n, from, first)
	}
}

// key returns the text of a key.
func (b *builder) key(k ast.Node) string {
	switch k := k.(type) {
	case *ast.MappingKeyNode:
		return b.key(k.Value)
	case *ast.TagNode:
		return b.key(k.Value)
	case *ast.AnchorNode:
		n := &node{kind: text, written: b.key(k.Value), at: startOf(k.Value)}
		n.text = n.written
		b.anchors[k.Name.GetToken().Value] = n
		return n.text
	case *ast.AliasNode:
		if n, ok := b.anchors[k.Value.GetToken().Value]; ok && len(n.children) == 0 {
			return n.written
		}
	case *ast.StringNode:
		return k.Value
	case *ast.LiteralNode:
		return k.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return k.GetToken().Value
	}
	var t *token.Token
	if k != nil {
		t = k.GetToken()
	}
	b.unreadable(tokenPlace(t), "found a key that is not text, expected text")
	return ""
}

// merge adds the keys of a mapping, or of each in a list, that n has not yet.
func (b *builder) merge(n *node, value ast.Node, have map[string]place) {
	aside := &node{parent: n.parent, key: n.key, keyAt: n.keyAt, kind: table} // n must not get the key <<
	from := b.build(value, aside, "<<", startOf(value))
	if b.wrong[aside] {
		b.mark(n)
	}
	sources := []*node{from}
	if from.kind == list {
		sources = from.children
	}
	for _, source := range sources {
		if source.kind != table {
			b.at(source, source.describe(), "keys with values to merge, or a list of such")
			continue
		}
		for _, c := range source.children {
			if _, ok := have[c.key]; !ok && b.nodes <= maxNodes {
				have[c.key] = c.keyAt
				b.copy(c, n, c.key, c.keyAt)
			}
		}
	}
}
