package openapi

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"
)

// An API is one that is not made of channels, such as that which manages a host.
type API struct {
	Title, Version, Description string
	Endpoints                   []Endpoint
	Security                    map[string]any // schemes, as components/securitySchemes has them; any of them lets in
	Problem                     reflect.Type   // of application/problem+json
}

// An Endpoint is one operation of an [API].
type Endpoint struct {
	ID, Tag, Summary string
	Description      string
	Method, Path     string
	Query, Header    []Parameter
	In               reflect.Type // of the body, in JSON; nil: there is none, or it is of the media types Takes
	Takes            []string
	Out              reflect.Type // of the answer; nil: there is none
	Media            string       // of the answer; empty: application/json
	Empty            bool         // there may be no answer though Out says what it is
	ETag             bool         // the answer has one
	Problems         []int        // statuses of the problem documents that it may answer with, beside others
}

// A Parameter is one of a query, or a header.
type Parameter struct {
	Name        string
	Type        reflect.Type
	Description string
	Required    bool
	List        bool // it may be there any number of times
	Min, Max    int  // of a number; 0: no bound
}

// Document returns the document as JSON. Objects in bodies have no other members
// than those it names.
func (a API) Document() []byte {
	t := newTypes()
	t.strict = true
	problem := object{
		"description": "why it was not done (RFC 9457)",
		"content":     object{"application/problem+json": object{"schema": t.of(a.Problem)}},
	}
	paths := make(object)
	for _, e := range a.Endpoints {
		methods, ok := paths[pathOf(e.Path)].(object)
		if !ok {
			methods = make(object)
			paths[pathOf(e.Path)] = methods
		}
		methods[strings.ToLower(e.Method)] = e.operation(t)
	}
	var anyOf []object
	for name := range a.Security {
		anyOf = append(anyOf, object{name: []string{}})
	}
	b, err := json.MarshalIndent(object{
		"openapi":           "3.1.0",
		"jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
		"info":              object{"title": a.Title, "version": a.Version, "description": a.Description},
		"paths":             paths, "security": anyOf,
		"components": object{"schemas": t.schemas, "responses": object{"problem": problem}, "securitySchemes": a.Security},
	}, "", "  ")
	if err != nil {
		panic(err) // maps, lists, strings, numbers and booleans
	}
	return append(b, '\n')
}

func (e Endpoint) operation(t *types) object {
	o := object{"operationId": e.ID, "summary": e.Summary, "tags": []string{e.Tag}, "responses": e.responses(t)}
	if e.Description != "" {
		o["description"] = e.Description
	}
	all := parameters(e.Path)
	for _, p := range e.Query {
		all = append(all, p.object(t, "query"))
	}
	for _, p := range e.Header {
		all = append(all, p.object(t, "header"))
	}
	if all != nil {
		o["parameters"] = all
	}
	content := make(object)
	if e.In != nil {
		content["application/json"] = object{"schema": t.of(e.In)}
	}
	for _, media := range e.Takes {
		content[media] = object{}
	}
	if len(content) > 0 {
		o["requestBody"] = object{"required": true, "content": content}
	}
	return o
}

func (p Parameter) object(t *types, in string) object {
	s := t.of(p.Type)
	if p.Min != 0 {
		s["minimum"] = p.Min
	}
	if p.Max != 0 {
		s["maximum"] = p.Max
	}
	if p.List {
		s = object{"type": "array", "items": s}
	}
	return object{"name": p.Name, "in": in, "description": p.Description, "required": p.Required, "schema": s}
}

func (e Endpoint) responses(t *types) object {
	all := object{"default": object{"$ref": "#/components/responses/problem"}}
	for _, status := range e.Problems {
		all[strconv.Itoa(status)] = object{"$ref": "#/components/responses/problem"}
	}
	if e.Out == nil || e.Empty {
		all[strconv.Itoa(http.StatusNoContent)] = object{"description": "done; there is no answer"}
	}
	if e.Out != nil {
		media := e.Media
		if media == "" {
			media = "application/json"
		}
		answer := object{"description": "done", "content": object{media: object{"schema": t.of(e.Out)}}}
		if e.ETag {
			answer["headers"] = object{"ETag": object{"description": "the version, for If-Match", "schema": object{"type": "string"}}}
		}
		all[strconv.Itoa(http.StatusOK)] = answer
	}
	return all
}
