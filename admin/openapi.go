package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/fairlead/fairlead/triggers/http/openapi"
)

const apiDescription = `What a host does, and what can be done with it. Who asks has one of the roles viewer, operator and admin, each of which may do all that those before it may.

A browser that has signed in may ask, too: it sends its cookie, and with every request that changes something the header X-CSRF-Token.`

// document describes the routes in OpenAPI 3.1.
func document(version string, routes []route) []byte {
	a := openapi.API{
		Title: "Fairlead management API", Version: version, Description: apiDescription, Problem: typeOf[Problem](),
		Security: map[string]any{"token": map[string]any{
			"type": "http", "scheme": "bearer", "description": "a token that \"fairlead token create\" has printed, or the one in .fairlead/server.json",
		}},
	}
	for _, rt := range routes {
		a.Endpoints = append(a.Endpoints, rt.endpoint())
	}
	return a.Document()
}

func (rt route) endpoint() openapi.Endpoint {
	e := openapi.Endpoint{
		ID: rt.id(), Tag: rt.tag(), Summary: rt.summary, Description: fmt.Sprintf("Needs the role %s.", rt.role), Method: rt.method, Path: rt.path,
		In: rt.in, Takes: rt.takes, Out: rt.out, Media: rt.media, Empty: rt.empty, ETag: rt.etag, Problems: rt.problems(),
	}
	for _, p := range rt.query {
		e.Query = append(e.Query, p.openAPI())
	}
	for _, p := range rt.header {
		e.Header = append(e.Header, p.openAPI())
	}
	return e
}

func (p parameter) openAPI() openapi.Parameter {
	return openapi.Parameter{Name: p.name, Type: p.kind, Description: p.doc, Required: p.need, List: p.list, Min: p.min, Max: p.max}
}

// problems are the statuses that tell what a client can do about them.
func (rt route) problems() []int {
	all := []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden}
	if strings.Contains(rt.path, "{") {
		all = append(all, http.StatusNotFound)
	}
	if rt.in != nil || rt.takes != nil {
		all = append(all, http.StatusConflict, http.StatusRequestEntityTooLarge)
	}
	if rt.header != nil {
		all = append(all, http.StatusPreconditionFailed)
	}
	return append(all, http.StatusServiceUnavailable)
}

// id is made of the method and what the path says, as in getTopicsEvents.
func (rt route) id() string {
	id := strings.ToLower(rt.method)
	for _, word := range strings.FieldsFunc(strings.TrimPrefix(rt.path, "/api/v1"), func(r rune) bool { return !unicode.IsLetter(r) }) {
		id += strings.ToUpper(word[:1]) + word[1:]
	}
	return id
}

// tag is the first word of the path.
func (rt route) tag() string {
	parts := strings.Split(strings.TrimPrefix(rt.path, "/api/v1"), "/")
	return parts[slices.IndexFunc(parts, func(s string) bool { return s != "" })]
}
