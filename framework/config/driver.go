package config

import (
	"errors"
	"maps"
	"reflect"
	"slices"

	"github.com/fairlead/fairlead/connections"
)

// extend implements extensible: the type says which driver's settings a
// connection has.
func (c *Connection) extend(r *reader, n *node) (any, func(string) bool) {
	driver, ok := r.driver(n)
	if !ok {
		types := slices.Collect(maps.Keys(r.options.Drivers))
		switch t := n.get("type"); {
		case t == nil:
			r.below(n, "type", "nothing", oneOf("", types))
		case t.kind == text && !r.wrong[t]:
			r.at(t, t.describe(), oneOf(t.text, types))
		}
		return nil, anyKey
	}
	c.Settings = driver.Connection()
	return c.Settings, nil
}

// extend implements extensible: other keys tell what a trigger without a
// connection is.
func (t *Trigger) extend(r *reader, n *node) (any, func(string) bool) {
	if n.get("connection") == nil {
		if kind := t.kindOf(n); kind != nil {
			return kind, nil
		}
	}
	settings := func(d connections.Driver) any { return d.Source() }
	if driver, ok := r.driver(r.connectionOf(n)); ok {
		t.Source = settings(driver)
	}
	return t.Source, r.passing(n, settings)
}

// extend implements extensible.
func (b *Binding) extend(r *reader, n *node) (any, func(string) bool) {
	settings := func(d connections.Driver) any { return d.Target() }
	if driver, ok := r.driver(r.connectionOf(n)); ok {
		b.Target = settings(driver)
	}
	return b.Target, r.passing(n, settings)
}

func anyKey(string) bool { return true }

// passing returns which keys a trigger or a binding may have while its driver is
// not known: those of any driver; all, if its connection is one for a driver that
// is not there.
func (r *reader) passing(n *node, settings func(connections.Driver) any) func(string) bool {
	if r.connectionOf(n) != nil {
		return anyKey
	}
	return func(key string) bool {
		for _, d := range r.options.Drivers {
			if _, ok := pick(slots(reflect.ValueOf(settings(d)).Elem()), key); ok {
				return true
			}
		}
		return false
	}
}

// connectionOf returns the connection that a trigger or a binding names, or nil.
func (r *reader) connectionOf(n *node) *node {
	if name := n.get("connection"); name != nil {
		return r.root.get("connections").get(name.text)
	}
	return nil
}

// driver returns the driver of a connection. n may be nil.
func (r *reader) driver(n *node) (connections.Driver, bool) {
	t := n.get("type")
	if t == nil {
		return connections.Driver{}, false
	}
	d, ok := r.options.Drivers[t.text]
	return d, ok
}

// refused reports what a driver says against the settings in n. but are fields
// that were reported before.
func (r *reader) refused(n *node, err error, but ...string) {
	switch e := err.(type) { //nolint:errorlint // the tree of errors is walked here
	case nil:
	case *connections.SettingError:
		if !slices.Contains(but, e.Field) {
			r.below(n, e.Field, e.Found, e.Want)
		}
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			r.refused(n, err, but...)
		}
	default:
		inner := errors.Unwrap(err)
		if _, ok := errors.AsType[*connections.SettingError](inner); ok {
			r.refused(n, inner, but...)
			return
		}
		r.message(n, err.Error())
	}
}
