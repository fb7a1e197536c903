// Package openapi describes HTTP channels as an OpenAPI 3.1 document, with JSON
// Schemas made of the Go types that their functions take and return.
package openapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/framework/config"
)

// An Operation is one method of one path.
type Operation struct {
	ID       string // unique in the document
	Method   string
	Path     string // with variables in braces, as http.ServeMux takes it
	Function string
	Format   string       // "json" or "xml" if the channel takes nothing else
	In, Out  reflect.Type // of the function; In nil: not known; Out nil: no answer, or not known
	Security []string     // names of definitions, any of which lets in; none: everybody may call
}

type object = map[string]any

// Document returns the document as JSON.
func Document(title, version string, operations []Operation, security map[string]config.Security) []byte {
	d := &document{types: newTypes()}
	paths := make(object)
	for _, op := range operations {
		path := pathOf(op.Path)
		methods, ok := paths[path].(object)
		if !ok {
			methods = make(object)
			paths[path] = methods
		}
		methods[strings.ToLower(op.Method)] = d.operation(op)
	}
	components := object{"schemas": d.types.schemas, "responses": object{"problem": problem()}}
	if len(security) > 0 {
		components["securitySchemes"] = schemes(security)
	}
	b, err := json.MarshalIndent(object{
		"openapi":           "3.1.0",
		"jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
		"info":              object{"title": title, "version": version},
		"paths":             paths, "components": components,
	}, "", "  ")
	if err != nil {
		panic(err) // maps, lists, strings, numbers and booleans
	}
	return append(b, '\n')
}

type document struct{ types *types }

func (d *document) operation(op Operation) object {
	o := object{
		"operationId": op.ID, "summary": "Calls " + op.Function, "tags": []string{op.Function},
		"responses": d.responses(op),
	}
	if p := parameters(op.Path); len(p) > 0 {
		o["parameters"] = p
	}
	if op.Method != http.MethodGet && op.Method != http.MethodHead && op.Method != http.MethodDelete {
		o["requestBody"] = object{"content": d.content(op.In, op.Format)}
	}
	if len(op.Security) > 0 {
		var any []object
		for _, name := range op.Security {
			any = append(any, object{name: []string{}})
		}
		o["security"] = any
	}
	return o
}

// responses are what the package http answers with.
func (d *document) responses(op Operation) object {
	all := object{"default": object{"$ref": "#/components/responses/problem"}}
	if op.Out == nil {
		all["204"] = object{"description": "done; there is no answer"}
	}
	if op.Out != nil || op.In == nil {
		all["200"] = object{"description": "the answer; a CloudEvent if one came in", "content": d.content(op.Out, "json")}
	}
	return all
}

// content says which media types carry a value of type t, which may be nil.
func (d *document) content(t reflect.Type, format string) object {
	anything := object{"*/*": object{}}
	switch t {
	case nil:
		return anything
	case reflect.TypeFor[event.Event](), reflect.TypeFor[*event.Event]():
		anything[event.ApplicationCloudEventsJSON] = object{"schema": cloudEvent(object{})}
		return anything
	case reflect.TypeFor[[]byte]():
		return object{"application/octet-stream": object{}, "*/*": object{}}
	case reflect.TypeFor[string]():
		return object{"text/plain": object{"schema": object{"type": "string"}}}
	}
	schema := d.types.of(t)
	media := object{event.ApplicationCloudEventsJSON: object{"schema": cloudEvent(schema)}}
	if format != "xml" {
		media["application/json"] = object{"schema": schema}
	}
	if format == "xml" {
		media["application/xml"] = object{"schema": object{"type": "string"}}
	}
	return media
}

// cloudEvent is the JSON form of an event with such data.
func cloudEvent(data object) object {
	text := object{"type": "string", "minLength": 1}
	return object{
		"type":     "object",
		"required": []string{"specversion", "id", "source", "type"},
		"properties": object{
			"specversion": object{"const": event.CloudEventsVersionV1}, "id": text, "source": text, "type": text, "data": data,
		},
	}
}

func problem() object {
	return object{
		"description": "why there is no answer: a problem document (RFC 9457)",
		"content": object{"application/problem+json": object{"schema": object{
			"type":     "object",
			"required": []string{"title", "status"},
			"properties": object{
				"type": object{"type": "string"}, "title": object{"type": "string"},
				"status": object{"type": "integer"}, "detail": object{"type": "string"},
			},
		}}},
	}
}

func schemes(definitions map[string]config.Security) object {
	all := make(object, len(definitions))
	for name, d := range definitions {
		switch settings := d.Settings.(type) {
		case *config.APIKey:
			all[name] = object{"type": "apiKey", "in": "header", "name": orDefault(settings.Header, "X-API-Key")}
		case *config.Basic:
			all[name] = object{"type": "http", "scheme": "basic"}
		case *config.JWT:
			all[name] = object{"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
		case *config.MTLS:
			all[name] = object{"type": "mutualTLS"}
		}
	}
	return all
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// pathOf is a path in the form of OpenAPI, which knows neither {name...} nor {$}.
func pathOf(path string) string {
	return strings.ReplaceAll(strings.ReplaceAll(path, "...}", "}"), "{$}", "")
}

func parameters(path string) []object {
	var all []object
	for part := range strings.SplitSeq(pathOf(path), "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			all = append(all, object{
				"name": strings.TrimSuffix(name, "}"), "in": "path", "required": true, "schema": object{"type": "string"},
			})
		}
	}
	return all
}

// names gives each type a name of its own in the document.
func (t *types) name(goType reflect.Type) string {
	base := goType.Name()
	base, _, _ = strings.Cut(base, "[") // of a generic type
	if i := strings.LastIndex(goType.PkgPath(), "/"); goType.PkgPath() != "" {
		base = goType.PkgPath()[i+1:] + "." + base
	}
	name := base
	for n := 2; slices.Contains(slices.Collect(maps.Values(t.names)), name); n++ {
		name = base + strconv.Itoa(n)
	}
	return name
}

func reference(name string) object {
	return object{"$ref": fmt.Sprintf("#/components/schemas/%s", name)}
}
