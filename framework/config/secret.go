package config

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/connections"
)

// masked stands for a secret.
const masked = "***"

// Literals returns the paths of secrets that stand in the document in clear,
// sorted. They are better referred to.
func (c *Config) Literals() []string { return slices.Clone(c.literals) }

// SecretDefaults returns the variables of the environment whose default, as in
// ${env:NAME:-DEFAULT}, is a secret or has one in it, sorted.
func (c *Config) SecretDefaults() []string { return slices.Clone(c.defaults) }

// noteDefaults remembers the variables whose default makes a difference to a
// secret, which in a URL is its password.
func (r *reader) noteDefaults(n *node, secret string) {
	read := func(string) string { return "" }
	switch secret {
	case "url":
		read = passwordIn
	case "true":
		read = func(s string) string { return s }
	}
	all := read(withDefaults(n.written, ""))
	expand(n.written, func(reference string) (string, *wrongReference) { // n was resolved before
		name, standIn, _ := strings.Cut(strings.TrimPrefix(reference, "env:"), ":-")
		if standIn != "" && !slices.Contains(r.defaults, name) && read(withDefaults(n.written, reference)) != all {
			r.defaults = append(r.defaults, name)
			slices.Sort(r.defaults)
		}
		return "", nil
	})
}

// withDefaults returns a text with its references replaced by their defaults, but
// for one.
func withDefaults(written, except string) string {
	s, _ := expand(written, func(reference string) (string, *wrongReference) {
		_, standIn, _ := strings.Cut(reference, ":-")
		if reference == except {
			standIn = ""
		}
		return standIn, nil
	})
	return s
}

// noteLiteral remembers a secret that is no reference.
func (r *reader) noteLiteral(n *node, secret string) {
	r.noteDefaults(n, secret)
	const hole = "\x00"                                                                    // where a reference stood
	s, _ := expand(n.written, func(string) (string, *wrongReference) { return hole, nil }) // n was resolved before
	switch secret {
	case "url":
		s = passwordIn(s)
	case "true":
	default:
		return
	}
	if s != "" && !strings.Contains(s, hole) {
		r.literals = append(r.literals, n.path())
		slices.Sort(r.literals)
	}
}

// noteLiterals does the same for the settings of a function: for what sounds like
// a secret, and for texts that may be a URL.
func (r *reader) noteLiterals(n *node) {
	switch {
	case n.secret():
		r.noteLiteral(n, "true")
	case n.kind == text:
		r.noteLiteral(n, "url")
	}
	for _, c := range n.children {
		r.noteLiterals(c)
	}
}

// String returns the document as JSON, its secrets masked.
func (c *Config) String() string {
	b, err := json.Marshal(Mask(c))
	if err != nil {
		return err.Error() // of a driver's settings: no content
	}
	return string(b)
}

// Mask returns v, a Config or a part of one, as the maps, lists and scalars of its
// document. What is tagged secret:"true" or sounds like a secret becomes ***, and
// every URL loses its password. Function settings show their references.
func Mask(v any) any { return mask(reflect.ValueOf(v), "") }

func mask(v reflect.Value, tag reflect.StructTag) any {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if !v.IsValid() {
		return nil
	}
	if short, ok := shortForm(v.Interface()); ok {
		return short
	}
	switch v.Kind() {
	case reflect.Struct:
		return maskStruct(v)
	case reflect.Map:
		return maskMap(v, tag)
	case reflect.Slice, reflect.Array:
		all := make([]any, v.Len())
		for i := range all {
			all[i] = mask(v.Index(i), tag)
		}
		return all
	case reflect.String:
		return maskText(v.String(), tag.Get("secret"))
	}
	switch {
	case tag.Get("secret") == "true":
		return masked
	case v.CanFloat() && (math.IsInf(v.Float(), 0) || math.IsNaN(v.Float())):
		return fmt.Sprint(v.Float()) // JSON has no such numbers
	}
	return v.Interface()
}

// shortForm returns what a value is written as that is not written as its Go type.
func shortForm(v any) (any, bool) {
	switch x := v.(type) {
	case Node:
		return x.mask(), true
	case time.Duration:
		return x.String(), true
	case Store:
		return "none", x.None
	case connections.Reconnect:
		return false, x.Off
	}
	return nil, false
}

func maskStruct(v reflect.Value) any {
	all := make(map[string]any)
	for _, s := range slots(append([]reflect.Value{v}, extensions(v)...)...) {
		if !s.value.IsZero() {
			all[s.key] = mask(s.value, s.tag)
		}
	}
	return all
}

// extensions returns the settings of a driver in an object.
func extensions(v reflect.Value) []reflect.Value {
	var settings any
	switch x := v.Interface().(type) {
	case Connection:
		settings = x.Settings
	case Trigger:
		switch settings = x.Source; {
		case x.Topic != "":
			settings = &x.StoreTopic
		case x.Channel != nil:
			settings = x.Channel
		case x.Schedule != nil:
			settings = x.Schedule
		}
	case Security:
		settings = x.Settings
	case Binding:
		settings = x.Target
	}
	if settings == nil {
		return nil
	}
	return []reflect.Value{reflect.ValueOf(settings).Elem()}
}

func maskMap(v reflect.Value, tag reflect.StructTag) any {
	all := make(map[string]any, v.Len())
	for k, item := range v.Seq2() {
		if soundsSecret(k.String()) {
			all[k.String()] = masked
		} else {
			all[k.String()] = mask(item, tag)
		}
	}
	return all
}

// maskText masks a text with the given secret tag.
func maskText(s, secret string) string {
	if s != "" && (secret == "true" || secret == "url" && isDSN(s)) {
		return masked
	}
	return maskURL(s)
}

// mask renders settings that only their function knows.
func (n Node) mask() any {
	if n.node == nil {
		return nil
	}
	return n.node.mask()
}

func (n *node) mask() any {
	switch {
	case n.kind == text && isDSN(n.written) && passwordIn(n.written) != "":
		return masked
	case n.reference:
		return maskURL(n.written)
	case n.secret():
		return masked
	case n.kind == table:
		all := make(map[string]any, len(n.children))
		for _, c := range n.children {
			all[c.key] = c.mask()
		}
		return all
	case n.kind == list:
		all := make([]any, len(n.children))
		for i, c := range n.children {
			all[i] = c.mask()
		}
		return all
	}
	return mask(reflect.ValueOf(n.any()), "")
}

// secret reports whether n is a scalar whose key sounds like a secret.
func (n *node) secret() bool {
	return n.kind > nothing && n.kind < list && n.parent != nil && n.parent.kind == table && soundsSecret(n.key)
}
