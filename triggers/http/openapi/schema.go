package openapi

import (
	"encoding"
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"time"
)

// types makes JSON Schemas of Go types, as encoding/json writes them.
type types struct {
	schemas object                  // of named structs
	names   map[reflect.Type]string // of these
	depth   int                     // of what is being made
	strict  bool                    // objects have no other members than those of their types
}

// maxDepth ends what a type such as "type tree []tree" begins.
const maxDepth = 32

func newTypes() *types {
	return &types{schemas: make(object), names: make(map[reflect.Type]string)}
}

// of returns the schema of t.
func (t *types) of(goType reflect.Type) object {
	t.depth++
	defer func() { t.depth-- }()
	switch {
	case t.depth > maxDepth:
		return object{}
	case goType == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case goType == reflect.TypeFor[json.Number]():
		return object{"type": "number"}
	case goType.Kind() == reflect.Pointer:
		return nullable(t.of(goType.Elem()))
	case implements[json.Marshaler](goType): // only it knows
		return object{}
	case implements[encoding.TextMarshaler](goType):
		return object{"type": "string"}
	}
	switch goType.Kind() {
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return object{"type": "integer", "minimum": 0}
	case reflect.Slice, reflect.Array:
		return t.list(goType)
	case reflect.Map:
		return object{"type": []string{"object", "null"}, "additionalProperties": t.of(goType.Elem())}
	case reflect.Struct:
		return t.structure(goType)
	}
	return object{} // an interface: anything
}

func implements[I any](t reflect.Type) bool {
	i := reflect.TypeFor[I]()
	return t.Implements(i) || reflect.PointerTo(t).Implements(i)
}

// nullable is a schema of what a pointer to a value becomes.
func nullable(s object) object {
	if kind, ok := s["type"].(string); ok {
		s = maps.Clone(s)
		s["type"] = []string{kind, "null"}
		return s
	}
	if s["$ref"] != nil {
		return object{"anyOf": []object{s, {"type": "null"}}}
	}
	return s
}

func (t *types) list(goType reflect.Type) object {
	switch {
	case goType.Kind() == reflect.Array:
		return object{"type": "array", "items": t.of(goType.Elem()), "minItems": goType.Len(), "maxItems": goType.Len()}
	case goType.Elem().Kind() == reflect.Uint8:
		return object{"type": []string{"string", "null"}, "contentEncoding": "base64"}
	}
	return object{"type": []string{"array", "null"}, "items": t.of(goType.Elem())}
}

// structure refers to the schema of a named struct, so that a type may hold
// itself.
func (t *types) structure(goType reflect.Type) object {
	if goType.Name() == "" {
		return t.fields(goType)
	}
	name, known := t.names[goType]
	if !known {
		name = t.name(goType)
		t.names[goType] = name
		t.schemas[name] = t.fields(goType)
	}
	return reference(name)
}

func (t *types) fields(goType reflect.Type) object {
	properties := make(object)
	t.collect(goType, properties)
	if t.strict {
		return object{"type": "object", "properties": properties, "additionalProperties": false}
	}
	return object{"type": "object", "properties": properties}
}

// collect adds the fields of a struct, and those of embedded ones that it does
// not have itself. None is required: what is left out stays zero.
func (t *types) collect(goType reflect.Type, properties object) {
	t.depth++
	defer func() { t.depth-- }()
	if t.depth > maxDepth {
		return
	}
	var embedded []reflect.Type
	for f := range goType.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case name == "-" && options == "":
		case f.Anonymous && name == "" && inner.Kind() == reflect.Struct:
			embedded = append(embedded, inner)
		case !f.IsExported():
		default:
			if name == "" {
				name = f.Name
			}
			properties[name] = t.field(f.Type, options)
		}
	}
	for _, e := range embedded {
		inner := make(object)
		t.collect(e, inner)
		for name, s := range inner {
			if properties[name] == nil {
				properties[name] = s
			}
		}
	}
}

// field is the schema of a field; the option "string" puts numbers in quotes.
func (t *types) field(goType reflect.Type, options string) object {
	for option := range strings.SplitSeq(options, ",") {
		if option == "string" {
			return object{"type": "string"}
		}
	}
	return t.of(goType)
}
