package config

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/connections"
)

// ErrNotYet is wrapped by errors of Options.Secret that pass: the store has not
// been asked yet. What refers to such a secret is locked, not wrong.
var ErrNotYet = errors.New("the store has not answered yet")

// Kinds returns the sections of a document that hold named objects, which may be
// kept apart from its file.
func Kinds() []string {
	return []string{"bindings", "connections", "functions", "security", "triggers"}
}

// An Object is one named part of a document that is kept apart from its file, as
// the store does.
type Object struct {
	Kind string // the section, one of Kinds
	Name string
	Text string // what stands below the name, in YAML, without secrets in clear unless they came so

	file string // that it was read from; empty: problems say the path alone
	node *node  // references are not replaced
}

// String returns kind and name, as in triggers.customers-in.
func (o Object) String() string { return join(o.Kind, o.Name) }

// NewObject reads what stands below an object's name, in YAML or JSON. The error
// is [Problems] if that is no YAML; whether it makes sense, [Parse] says.
func NewObject(kind, name, text string) (Object, error) {
	r := apart("")
	r.origin = &origin{object: join(kind, name)}
	if kind == "" || !slices.Contains(Kinds(), kind) || name == "" {
		return Object{}, fmt.Errorf("object %s: found the kind %q, expected one of %s, and a name", join(kind, name), kind, strings.Join(Kinds(), ", "))
	}
	section := &node{kind: table, key: kind, parent: &node{kind: table}}
	b := &builder{reader: r, anchors: make(map[string]*node)}
	if body := r.body([]byte(text)); body != nil {
		b.build(body, section, name, place{1, 1})
	}
	if len(r.found) > 0 {
		return Object{}, r.sorted()
	}
	return Object{kind, name, text, "", section.children[0]}, nil
}

// Objects splits a document into its objects, in the document's order, and a rest
// that is no object, such as http. The error is [Problems].
func Objects(data []byte, file string) (objects []Object, rest Rest, _ error) {
	r := apart(file)
	root := r.parse(data)
	if len(r.found) > 0 {
		return nil, Rest{}, r.sorted()
	}
	for _, section := range root.children {
		if !slices.Contains(Kinds(), section.key) || section.kind != table && section.kind != nothing {
			rest.keys = append(rest.keys, section)
			continue
		}
		for _, n := range section.children {
			objects = append(objects, Object{section.key, n.key, (&Config{verbatim: true}).exportBelow(n), file, n})
		}
	}
	return objects, rest, nil
}

// A Rest is the keys of a document that hold no objects, such as http.
type Rest struct{ keys []*node }

// Differs returns the keys of rest that say something else than the document.
func (c *Config) Differs(rest Rest) []string {
	var names []string
	for _, n := range rest.keys {
		if !c.same(c.root.get(n.key), n) {
			names = append(names, n.key)
		}
	}
	return names
}

// Same reports whether the document has an object with the same content. What
// [Config.Export] puts in place of a secret in clear counts as that secret.
func (c *Config) Same(o Object) bool { return c.same(c.object(o.Kind, o.Name), o.node) }

// same compares n, of the document, with what was written elsewhere.
func (c *Config) same(n, other *node) bool {
	switch {
	case n == nil || len(n.children) != len(other.children):
		return false
	case n.kind != other.kind:
		return len(n.children) == 0 && !n.scalar() && !other.scalar() // {} and nothing
	case n.scalar():
		return n.written == other.written || c.isLiteral(n) && other.written == secretReference(n.path())
	}
	for i, child := range other.children {
		of := n.children[i]
		if n.kind == table {
			of = n.get(child.key)
		}
		if !c.same(of, child) {
			return false
		}
	}
	return true
}

func (n *node) scalar() bool { return n.kind > nothing && n.kind < list }

func secretReference(name string) string { return "${secret:" + name + "}" }

// PasswordReference returns the secret that a new password of a connection has to
// be kept as. own says that the document has a password that is no secret of the
// store: to set one, it has to be replaced.
func (c *Config) PasswordReference(connection string) (secret string, own bool) {
	n := c.object("connections", connection).get("password")
	if n == nil || n.text == "" && !n.reference {
		return PasswordSecret(connection), false
	}
	rest, ok := strings.CutPrefix(n.written, "${secret:")
	if name, end := strings.CutSuffix(rest, "}"); ok && end && !strings.ContainsAny(name, "${}") {
		return name, false
	}
	return PasswordSecret(connection), true
}

// WithReference returns o with a reference to a secret as the value of one of its
// keys.
func (o Object) WithReference(key, secret string) (Object, error) {
	var b strings.Builder
	for _, child := range o.node.children {
		if child.key != key {
			(&Config{verbatim: true}).export(&b, child, "")
		}
	}
	b.WriteString(key + ": " + quote(secretReference(secret)) + "\n")
	return NewObject(o.Kind, o.Name, b.String())
}

// apart returns a reader of what is not a whole document yet: it leaves
// references as they are.
func apart(file string) *reader {
	r := newReader(file, Options{})
	r.deferred = true
	return r
}

// An origin is where an object comes from that is not in the document's file.
type origin struct {
	object string
	file   string // empty: the store
}

// origin returns where n comes from, nil if that is the file. n may be nil.
func (n *node) origin() *origin {
	for ; n != nil; n = n.parent {
		if n.from != nil {
			return n.from
		}
	}
	return nil
}

// object returns the object that n is, or is part of; nil if it is in none.
func (n *node) object() *node {
	for ; n != nil && n.parent != nil; n = n.parent {
		if n.parent.parent != nil && n.parent.parent.parent == nil {
			return n
		}
	}
	return nil
}

// adopt adds objects to the document, unless it has its own of the same name.
func (r *reader) adopt(objects []Object) {
	b := &builder{reader: r}
	for _, o := range objects {
		section := r.root.get(o.Kind)
		if section == nil {
			section = b.node(r.root, o.Kind, place{1, 1}, table)
		}
		if section.kind == nothing {
			section.kind = table
		}
		switch have := section.get(o.Name); {
		case section.kind != table: // it is wrong, and said to be
		case have == nil:
			b.adopt(o, section)
		case have.from == nil:
			r.shadowed = append(r.shadowed, o.String())
		}
	}
}

func (b *builder) adopt(o Object, section *node) {
	b.origin = &origin{o.String(), o.file}
	defer func() { b.origin = nil }()
	n := b.copy(o.node, section, o.Name, o.node.keyAt)
	n.from = b.origin
	b.resolveAll(n)
}

// resolveAll replaces the references in n.
func (r *reader) resolveAll(n *node) {
	if n.kind == text {
		r.resolve(n)
	}
	for _, c := range n.children {
		r.resolveAll(c)
	}
}

// Stored reports whether an object was added to the document by Options.Objects.
func (c *Config) Stored(kind, name string) bool {
	n := c.object(kind, name)
	return n != nil && n.from != nil
}

// Has reports whether the document has an object, whatever its origin.
func (c *Config) Has(kind, name string) bool { return c.object(kind, name) != nil }

func (c *Config) object(kind, name string) *node { return c.root.get(kind).get(name) }

// Shadowed returns the objects of Options.Objects that the file has, too, as in
// connections.orders.
func (c *Config) Shadowed() []string { return slices.Clone(c.shadowed) }

// ExportObject returns an object as [Config.Export] does: what stands below its
// name. It is empty if there is none.
func (c *Config) ExportObject(kind, name string) string {
	if n := c.object(kind, name); n != nil {
		return c.exportBelow(n)
	}
	return ""
}

// exportBelow writes what stands below the name of an object.
func (c *Config) exportBelow(n *node) string {
	if len(n.children) == 0 {
		return "{}\n"
	}
	var b strings.Builder
	for _, child := range n.children {
		c.export(&b, child, "")
	}
	return b.String()
}

// SecretsOf returns the secrets that stand in an object in clear, by their paths
// in the document.
func (c *Config) SecretsOf(kind, name string) map[string]string {
	all := make(map[string]string)
	if n := c.object(kind, name); n != nil {
		c.secrets(n, all)
	}
	return all
}

func (c *Config) secrets(n *node, all map[string]string) {
	if c.isLiteral(n) {
		all[n.path()] = n.text
	}
	for _, child := range n.children {
		c.secrets(child, all)
	}
}

// SecretUsers returns which objects refer to secrets of the store, by the
// secret's name.
func (c *Config) SecretUsers() map[string][]string { return c.secretUsers }

// Locked says why an object cannot be used yet, such as a connection without a
// password; it is empty if nothing keeps it.
func (c *Config) Locked(kind, name string) string { return c.locked[join(kind, name)] }

// A Waiting trigger is one that this program cannot run.
type Waiting struct {
	Trigger
	Why string
}

// PasswordSecret is the name of the secret that is the password of a connection
// with a user and no password of its own.
func PasswordSecret(connection string) string { return "connections." + connection + ".password" }

// notYet is a secret that cannot be had yet: a random text, that nothing accepts.
func (r *reader) notYet(n *node) string {
	o := n.object()
	if o == nil {
		return ""
	}
	r.lock(o, "it refers to a secret, and "+ErrNotYet.Error())
	r.unknown[o] = true
	return rand.Text()
}

func (r *reader) lock(object *node, why string) {
	if path := object.path(); r.locked[path] == "" {
		r.locked[path] = why
	}
}

// uses notes that an object refers to a secret.
func (r *reader) uses(n *node, secret string) {
	if o := n.object(); o != nil && !slices.Contains(r.secretUsers[secret], o.path()) {
		r.secretUsers[secret] = append(r.secretUsers[secret], o.path())
	}
}

// completePassword gives a connection that has a user and no password the one in
// the store, or locks it.
func (r *reader) completePassword(n *node, c Connection) {
	user, ok := c.Settings.(connections.PasswordHolder)
	if !ok || r.unknown[n] || r.failed[n] || !user.WantsPassword() {
		return
	}
	secret, err := "", errors.New("there is no store")
	if r.options.Secret != nil {
		r.uses(n, PasswordSecret(n.key))
		secret, err = r.options.Secret(PasswordSecret(n.key))
	}
	switch {
	case err == nil:
		user.SetPassword(secret)
	case errors.Is(err, ErrNotYet):
		r.lock(n, "it has no password, and "+ErrNotYet.Error())
	default:
		r.lock(n, "no password is set; set one with: fairlead password "+n.key)
	}
}

// park moves triggers that this program cannot run out of the way.
func (r *reader) park(c *Config) {
	for _, n := range r.root.get("triggers").named() {
		t, why := c.Triggers[n.key], r.locked[n.path()]
		if why == "" && n.from != nil && r.noFunction(t.Function) {
			why = "waits for the function " + t.Function + ", which this program does not have"
		}
		if why == "" {
			continue
		}
		if c.Waiting == nil {
			c.Waiting = make(map[string]Waiting)
		}
		c.Waiting[n.key] = Waiting{t, why}
		delete(c.Triggers, n.key)
	}
}
