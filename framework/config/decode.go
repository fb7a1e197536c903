package config

import (
	"cmp"
	"encoding"
	"reflect"
	"strconv"
	"strings"
)

// An extensible struct has keys beside its own: those of a driver's settings.
type extensible interface {
	// extend returns the settings to fill, a pointer to a struct. They are nil
	// where it is not known which driver's they are; then pass tells which keys
	// may be theirs, and these are not read.
	extend(r *reader, n *node) (settings any, pass func(key string) bool)
}

// value reads n into v.
func (r *reader) value(n *node, v reflect.Value, tag reflect.StructTag) {
	switch {
	case v.Type() == reflect.TypeFor[Node]():
		v.Set(reflect.ValueOf(Node{r.file, n}))
		r.noteLiterals(n)
	case v.Kind() == reflect.Pointer:
		r.pointer(n, v, tag)
	case n.kind != list && n.kind != table && n.kind != nothing && readsText(v.Type()):
		r.unmarshal(n, v, tag)
	case isDuration(v.Type()):
		r.duration(n, v, tag, r.lenient)
	case v.Kind() == reflect.Struct:
		r.structure(n, v, tag)
	case v.Kind() == reflect.Map:
		r.mapping(n, v, tag)
	case v.Kind() == reflect.Slice:
		r.slice(n, v, tag)
	case v.Kind() == reflect.Interface && v.NumMethod() == 0:
		if a := n.any(); a != nil {
			v.Set(reflect.ValueOf(a))
		}
	default:
		r.scalar(n, v, tag)
	}
}

// pointer reads n into a new value. A pointer tells zero from what was left out,
// so zero is a value like others.
func (r *reader) pointer(n *node, v reflect.Value, tag reflect.StructTag) {
	if n.kind == nothing && (r.lenient || v.Type().Elem().Kind() == reflect.Struct) {
		return
	}
	v.Set(reflect.New(v.Type().Elem()))
	if isDuration(v.Type().Elem()) {
		r.duration(n, v.Elem(), tag, true)
		return
	}
	r.value(n, v.Elem(), tag)
}

// readsText reports whether a type reads its own text.
func readsText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// unmarshal lets a type read its own text.
func (r *reader) unmarshal(n *node, v reflect.Value, tag reflect.StructTag) {
	if r.wrong[n] {
		return
	}
	s := n.text
	if n.kind == boolean {
		s = strconv.FormatBool(isTrue(s))
	}
	err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s))
	switch {
	case err == nil:
	case enum(tag) != nil:
		r.at(n, show(n, tag), alternatives(table, enum(tag)))
	case n.reference || tag.Get("secret") != "": // its error may show the text
		r.at(n, show(n, tag), "the text form of "+v.Type().String())
	default:
		r.message(n, err.Error())
	}
}

// structure reads a table into a struct, and into the settings that extend it.
func (r *reader) structure(n *node, v reflect.Value, tag reflect.StructTag) {
	if !r.is(n, table, tag, enum(tag)...) {
		return
	}
	structs, pass := []reflect.Value{v}, func(string) bool { return false }
	if e, ok := v.Addr().Interface().(extensible); ok {
		settings, passing := e.extend(r, n)
		if settings != nil {
			structs = append(structs, reflect.ValueOf(settings).Elem())
		} else {
			pass = passing
		}
	}
	all := slots(structs...)
	for _, c := range n.children {
		if s, ok := pick(all, c.key); ok {
			r.value(c, s.value, s.tag)
		} else if !pass(c.key) {
			r.atKey(c, "an unknown key", oneOf(c.key, slotKeys(all)))
		}
	}
	r.required(n, all)
}

// required reports keys that are not there, or hold an empty text.
func (r *reader) required(n *node, all []slot) {
	for _, s := range all {
		c := n.get(s.key)
		if s.required && !r.lenient && (c == nil || r.ok(c) && c.kind == text && c.text == "") {
			r.below(n, s.key, "nothing", s.wanted())
		}
	}
}

// pick returns the field that key names: the one that is spelled so, before one
// in another case.
func pick(all []slot, key string) (slot, bool) {
	var other slot
	for _, s := range all {
		if s.key == key {
			return s, true
		}
		if s.named(key) {
			other = s
		}
	}
	return other, other.value.IsValid()
}

// wanted says what a required key is for.
func (f field) wanted() string {
	return cmp.Or(f.tag.Get("doc"), "a value")
}

// mapping reads a table into a map.
func (r *reader) mapping(n *node, v reflect.Value, tag reflect.StructTag) {
	if v.Type().Key().Kind() != reflect.String {
		r.unsupported(n, v.Type())
		return
	}
	if !r.is(n, table, tag) {
		return
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.children)))
	for _, c := range n.children {
		item := reflect.New(v.Type().Elem()).Elem()
		r.value(c, item, tag)
		v.SetMapIndex(reflect.ValueOf(c.key).Convert(v.Type().Key()), item)
	}
}

func (r *reader) slice(n *node, v reflect.Value, tag reflect.StructTag) {
	if !r.is(n, list, tag) {
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.children), len(n.children)))
	for i, c := range n.children {
		r.value(c, v.Index(i), tag)
	}
}

// is reports whether n is of the kind k, a list or a table; nothing is an empty
// one. Anything else is a problem; or are scalars that would do, too.
func (r *reader) is(n *node, k kind, tag reflect.StructTag, or ...string) bool {
	switch {
	case n.kind == k, n.kind == nothing && !r.wrong[n]:
		return true
	case r.wrong[n]:
		return false
	}
	r.at(n, show(n, tag), alternatives(k, or))
	return false
}

// alternatives says that a value of the kind k is expected, or one of scalars.
func alternatives(k kind, scalars []string) string {
	want := (&node{kind: k}).what()
	if len(scalars) == 0 {
		return want
	}
	return strings.Join(scalars, ", ") + " or " + want
}

func (r *reader) unsupported(n *node, t reflect.Type) {
	r.message(n, "this is read into a Go "+t.String()+", which cannot hold values of a document")
}
