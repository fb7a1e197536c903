package config

import (
	"slices"
	"strconv"
	"strings"
)

// A kind is what a value is by its form in the document.
type kind int

const (
	nothing kind = iota // null, or a key without a value
	text
	integer
	decimal
	boolean
	list
	table
)

// A place is where something stands in the document, from 1.
type place struct{ line, column int }

// A node is one value of a document. Aliases are copied out and keys merged, so
// that nodes are a tree; what an alias stands for keeps its place.
type node struct {
	kind      kind
	text      string // a scalar, with references replaced by what they stand for
	written   string // a scalar, as it stands in the document
	reference bool   // written holds a reference; text may be a secret
	children  []*node

	from   *origin // of an object that is not in the file; else nil
	parent *node
	key    string // its name in a table, its index in a list
	at     place  // of the value
	keyAt  place  // of the key; in a list, of the value
}

// get returns the value of a key of a table, or nil. n may be nil.
func (n *node) get(key string) *node {
	if n == nil || n.kind != table {
		return nil
	}
	i := slices.IndexFunc(n.children, func(c *node) bool { return c.key == key })
	if i < 0 {
		return nil
	}
	return n.children[i]
}

// named returns the objects of a section, or nothing if it is no table. n may be
// nil.
func (n *node) named() []*node {
	if n == nil || n.kind != table {
		return nil
	}
	return n.children
}

// keys returns the names of children.
func (n *node) keys() []string {
	var all []string
	for _, c := range n.named() {
		all = append(all, c.key)
	}
	return all
}

// find follows a path such as "tls.ca" or "urls[0]" as far as it leads, and
// reports whether that was to its end.
func (n *node) find(path string) (_ *node, exact bool) {
	path = strings.NewReplacer("[", ".", "]", "").Replace(path)
	for key := range strings.SplitSeq(path, ".") {
		i := slices.IndexFunc(n.children, func(c *node) bool { return c.key == key })
		if i < 0 {
			return n, false
		}
		n = n.children[i]
	}
	return n, true
}

// path returns where n is, such as triggers.customers-in.function or urls[0].
func (n *node) path() string {
	switch {
	case n.parent == nil:
		return ""
	case n.parent.kind == list:
		return n.parent.path() + "[" + n.key + "]"
	}
	return join(n.parent.path(), n.key)
}

// equal reports whether two values have the same content, wherever they stand.
// The order of keys does not count.
func (n *node) equal(o *node) bool {
	if n.kind != o.kind || n.text != o.text || len(n.children) != len(o.children) {
		return false
	}
	for i, c := range n.children {
		other := o.children[i]
		if n.kind == table && other.key != c.key {
			other = o.get(c.key)
		}
		if other == nil || !c.equal(other) {
			return false
		}
	}
	return true
}

// maxShown is how many characters of a text a problem shows.
const maxShown = 60

// describe says what n is, for a person. A text with references is shown as it
// was written, and no password of a URL is.
func (n *node) describe() string {
	switch n.kind {
	case text:
		s := []rune(maskURL(n.written))
		if len(s) > maxShown {
			s = append(s[:maxShown], '…')
		}
		return strconv.Quote(string(s))
	case integer, decimal, boolean:
		return n.written
	}
	return n.what()
}

// what says which kind of value n is, and nothing of its content.
func (n *node) what() string {
	return [...]string{
		nothing: "nothing", text: "text", integer: "a number", decimal: "a number", boolean: "a boolean",
		list: "a list", table: "keys with values",
	}[n.kind]
}
