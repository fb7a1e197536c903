package config

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// An Op is what happened to an object between two documents.
type Op string

// The three things that can happen.
const (
	Added   Op = "added"
	Removed Op = "removed"
	Changed Op = "changed"
)

// A Change is one object that differs between two documents.
type Change struct {
	Kind string // the section, such as triggers
	Name string // the object's name; empty for a section that is one object, such as http
	Op   Op
}

// String returns kind and name, as in triggers.customers-in.
func (c Change) String() string { return join(c.Kind, c.Name) }

// Changes is how two documents differ, sorted by kind and name.
type Changes []Change

// String names the objects, and says what becomes of each: "bindings.b added,
// triggers.t changed".
func (c Changes) String() string {
	all := make([]string, len(c))
	for i, c := range c {
		all[i] = c.String() + " " + string(c.Op)
	}
	return strings.Join(all, ", ")
}

// Diff returns what has to be done to old to make it new. Defaults and what
// references stand for count; where something stands in its file does not.
func Diff(old, new *Config) Changes {
	var all Changes
	single := func(kind string, a, b any) {
		if !reflect.DeepEqual(a, b) {
			all = append(all, Change{kind, "", Changed})
		}
	}
	single("admin", old.Admin, new.Admin)
	single("grace", old.Grace, new.Grace)
	single("http", old.HTTP, new.HTTP)
	single("metrics", old.Metrics, new.Metrics)
	single("store", old.Store, new.Store)
	all = append(all, diff("bindings", old.Bindings, new.Bindings, deepEqual)...)
	all = append(all, diff("connections", old.Connections, new.Connections, deepEqual)...)
	all = append(all, diff("examples", old.Examples, new.Examples, deepEqual)...)
	all = append(all, diff("functions", old.Functions, new.Functions, Function.equal)...)
	all = append(all, diff("security", old.Security, new.Security, deepEqual)...)
	all = append(all, diff("triggers", old.Triggers, new.Triggers, deepEqual)...)
	slices.SortFunc(all, func(a, b Change) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return all
}

func diff[T any](kind string, old, new map[string]T, equal func(a, b T) bool) Changes {
	var all Changes
	for name := range maps.Keys(old) {
		if b, ok := new[name]; !ok {
			all = append(all, Change{kind, name, Removed})
		} else if !equal(old[name], b) {
			all = append(all, Change{kind, name, Changed})
		}
	}
	for name := range maps.Keys(new) {
		if _, ok := old[name]; !ok {
			all = append(all, Change{kind, name, Added})
		}
	}
	return all
}

func deepEqual[T any](a, b T) bool { return reflect.DeepEqual(a, b) }

// equal compares functions; their settings count by content.
func (f Function) equal(o Function) bool {
	settings := f.Settings.Equal(o.Settings)
	f.Settings, o.Settings = Node{}, Node{}
	return settings && reflect.DeepEqual(f, o)
}
