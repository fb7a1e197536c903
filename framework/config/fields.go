package config

import (
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A field is one key of a struct.
type field struct {
	key      string
	guessed  bool // no tag names the key: it is the field's name, in whatever case
	required bool // its tag has no omitempty
	index    []int
	typ      reflect.Type
	tag      reflect.StructTag
}

// fieldsOf returns the keys of a struct in their order, those of embedded
// structs among them.
func fieldsOf(t reflect.Type) []field {
	var all []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, tagged := keyOf(f)
		switch {
		case name == "-", !f.IsExported() && !f.Anonymous:
		case f.Type.Kind() == reflect.Struct && name == "" && (f.Anonymous || options == "inline"):
			for _, inner := range fieldsOf(f.Type) {
				inner.index = slices.Concat([]int{i}, inner.index)
				all = append(all, inner)
			}
		case !f.IsExported():
		default:
			if name == "" {
				first, size := utf8.DecodeRuneInString(f.Name)
				name = string(unicode.ToLower(first)) + f.Name[size:]
				tagged = false
			}
			required := tagged && !strings.Contains(options, "omitempty")
			all = append(all, field{name, !tagged, required, []int{i}, f.Type, f.Tag})
		}
	}
	return all
}

// keyOf returns what the yaml tag of a field says, or else its json tag.
func keyOf(f reflect.StructField) (name, options string, tagged bool) {
	tag, tagged := f.Tag.Lookup("yaml")
	if !tagged {
		tag, tagged = f.Tag.Lookup("json")
	}
	name, options, _ = strings.Cut(tag, ",")
	return name, options, tagged
}

// enum returns the values that a field may have, or nothing.
func enum(tag reflect.StructTag) []string {
	if values := tag.Get("enum"); values != "" {
		return strings.Split(values, ",")
	}
	return nil
}

// named reports whether key names the field.
func (f field) named(key string) bool {
	return f.key == key || f.guessed && strings.EqualFold(f.key, key)
}

// A slot is a field of a struct that is there.
type slot struct {
	field
	value reflect.Value
}

// slots returns the fields of structs.
func slots(structs ...reflect.Value) []slot {
	var all []slot
	for _, s := range structs {
		for _, f := range fieldsOf(s.Type()) {
			all = append(all, slot{f, s.FieldByIndex(f.index)})
		}
	}
	return all
}

func slotKeys(all []slot) []string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.key
	}
	return names
}
