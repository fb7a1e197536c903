package config

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/connections"
)

// Schema returns the JSON Schema (draft 2020-12) of the document, for editors
// that complete and check while one types. It accepts whatever [Load] accepts,
// and knows which keys each type of connection has; which names exist and which
// values go together, only Load knows.
func Schema(drivers map[string]connections.Driver) []byte {
	s := &schema{drivers: drivers, defs: object{
		"reference": object{"type": "string", "pattern": `\$\{(env|file|secret):`, "description": "a reference: " + forms},
		"duration":  object{"anyOf": []any{object{"type": "string", "pattern": durationForm, "description": "a duration with its unit, such as 10s or 100ms"}, object{"const": 0}, ref("reference")}},
		"text":      object{"type": []string{"string", "number"}},
	}}
	root := s.structure(slotsOf(reflect.TypeFor[Config]()))
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "fairlead.yaml"
	root["$defs"] = s.defs
	b, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(err) // it is made of maps, slices, strings, numbers and booleans
	}
	return append(b, '\n')
}

// durationForm is what [time.ParseDuration] accepts, unless it is negative.
const durationForm = `^\+?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$|^\+?0$`

type object = map[string]any

func ref(name string) object { return object{"$ref": "#/$defs/" + name} }

// A schema is a JSON Schema that is being made.
type schema struct {
	drivers map[string]connections.Driver
	defs    object
}

// slotsOf returns the fields of a struct type with zero values.
func slotsOf(t reflect.Type) []slot { return slots(reflect.New(t).Elem()) }

// structure is the schema of a struct with the given fields. Several fields with
// the same key are what different drivers call so.
func (s *schema) structure(all []slot) object {
	properties, required := make(object), []string(nil)
	for i, f := range all {
		if properties[f.key] == nil {
			properties[f.key] = s.property(f.key, all[i:])
		}
		if f.required {
			required = append(required, f.key)
		}
	}
	o := object{"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		o["type"], o["required"] = "object", required
	}
	return o
}

// property accepts what any field with that key accepts.
func (s *schema) property(key string, all []slot) object {
	var shapes []any
	var docs []string
	for _, f := range all {
		if f.key != key {
			continue
		}
		shape := s.of(f.typ, f.tag)
		if !slices.ContainsFunc(shapes, func(other any) bool { return reflect.DeepEqual(other, any(shape)) }) {
			shapes = append(shapes, shape)
		}
		if doc := f.tag.Get("doc"); !slices.Contains(docs, doc) {
			docs = append(docs, doc)
		}
	}
	o := object{"anyOf": shapes}
	if len(shapes) == 1 {
		o = shapes[0].(object)
	}
	o["description"] = strings.Join(docs, "; or: ")
	return o
}

// of is the schema of a type in a field with a tag.
func (s *schema) of(t reflect.Type, tag reflect.StructTag) object {
	switch {
	case t.Kind() == reflect.Pointer:
		o := s.of(t.Elem(), tag)
		if o["type"] == "object" {
			o["type"] = []string{"object", "null"}
		}
		return o
	case t == reflect.TypeFor[Node](), t.Kind() == reflect.Interface:
		return object{}
	case isDuration(t):
		return ref("duration")
	case t.Kind() == reflect.Map:
		return object{"type": []string{"object", "null"}, "additionalProperties": s.of(t.Elem(), tag), "propertyNames": names(t)}
	case t.Kind() == reflect.Slice:
		return object{"type": []string{"array", "null"}, "items": s.of(t.Elem(), tag)}
	case t.Kind() == reflect.Struct:
		return s.object(t, tag)
	}
	return scalarSchema(t, tag)
}

// names is the schema of the keys of a map: objects have names, headers any.
func names(t reflect.Type) object {
	if t.Elem().Kind() == reflect.Struct {
		return object{"pattern": nameForm}
	}
	return object{}
}

// object is the schema of a struct, which may have scalar forms, too.
func (s *schema) object(t reflect.Type, tag reflect.StructTag) object {
	switch t {
	case reflect.TypeFor[Connection]():
		return s.connection()
	case reflect.TypeFor[Security]():
		return s.variants(t, "how callers are recognised", securityTypes())
	case reflect.TypeFor[Trigger]():
		others := []reflect.Type{reflect.TypeFor[StoreTopic](), reflect.TypeFor[Channel](), reflect.TypeFor[Schedule]()}
		return s.union(t, others, func(d connections.Driver) any { return d.Source() })
	case reflect.TypeFor[Binding]():
		return s.union(t, nil, func(d connections.Driver) any { return d.Target() })
	}
	o := s.structure(slotsOf(t))
	if !readsText(t) {
		return o
	}
	return object{"anyOf": []any{o, scalarForms(tag), ref("reference")}}
}

// scalarForms is the schema of a type that reads its own text.
func scalarForms(tag reflect.StructTag) object {
	values := enum(tag)
	if values == nil {
		return object{"type": []string{"string", "number", "boolean"}}
	}
	var all []any
	for _, v := range values {
		all = append(all, v)
		if v == "true" || v == "false" {
			all = append(all, v == "true")
		}
	}
	return object{"enum": all}
}

// scalarSchema is the schema of a string, a number or a boolean.
func scalarSchema(t reflect.Type, tag reflect.StructTag) object {
	form := object{"type": "boolean"}
	switch v := reflect.New(t).Elem(); {
	case v.Kind() == reflect.String && enum(tag) == nil:
		return ref("text")
	case v.Kind() == reflect.String:
		form = object{"enum": spellings(enum(tag))}
	case v.CanInt() && enum(tag) != nil:
		form = object{"enum": numbers(enum(tag))}
	case v.CanUint():
		form = object{"type": "integer", "minimum": 0}
	case v.CanInt():
		form = object{"type": "integer"}
	case v.CanFloat():
		form = object{"type": "number"}
	}
	return object{"anyOf": []any{form, ref("reference")}}
}

// spellings returns values as texts, and as the numbers that YAML takes them for
// without quotes.
func spellings(values []string) []any {
	all := numbers(values)
	for _, v := range values {
		all = append(all, v)
	}
	return all
}

// numbers returns those of values that are numbers.
func numbers(values []string) []any {
	var all []any
	for _, v := range values {
		if _, err := parseFloat(v); err == nil {
			all = append(all, json.Number(v))
		}
	}
	return all
}

// connection is the schema of a connection.
func (s *schema) connection() object {
	settings := make(map[string]any, len(s.drivers))
	for name, d := range s.drivers {
		settings[name] = d.Connection()
	}
	return s.variants(reflect.TypeFor[Connection](), "kind of broker", settings)
}

// variants is the schema of an object with the keys of common and of the
// settings, pointers to structs, that its type chooses.
func (s *schema) variants(common reflect.Type, doc string, settings map[string]any) object {
	types := slices.AppendSeq([]string{}, maps.Keys(settings)) // JSON has no nil
	slices.Sort(types)
	var variants []any
	for _, name := range types {
		own := append(slotsOf(common), slotsOf(reflect.TypeOf(settings[name]).Elem())...)
		then := s.structure(own)
		then["properties"].(object)["type"] = object{"const": name, "description": doc}
		variants = append(variants, object{
			"if":   object{"properties": object{"type": object{"const": name}}, "required": []string{"type"}},
			"then": then,
		})
	}
	kind := object{"anyOf": []any{object{"enum": types}, ref("reference")}, "description": doc}
	o := object{"type": "object", "required": []string{"type"}, "properties": object{"type": kind}}
	if len(variants) > 0 {
		o["allOf"] = variants
	}
	return o
}

// union is the schema of an object that has the keys of common, of others, and
// of every driver.
func (s *schema) union(common reflect.Type, others []reflect.Type, settings func(connections.Driver) any) object {
	all := slotsOf(common)
	var more []slot
	for _, other := range others {
		more = append(more, slotsOf(other)...)
	}
	for _, name := range slices.Sorted(maps.Keys(s.drivers)) {
		more = append(more, slotsOf(reflect.TypeOf(settings(s.drivers[name])).Elem())...)
	}
	for i := range more {
		more[i].required = false // by one kind, maybe not by the others
	}
	return s.structure(append(all, more...))
}
