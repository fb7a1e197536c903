package openapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/triggers/http/openapi"
)

type address struct {
	City string `json:"city"`
}

type money int64

func (money) MarshalText() ([]byte, error) { return []byte("1 EUR"), nil }

type order struct {
	address
	ID       string            `json:"id"`
	Total    float64           `json:"total,omitempty"`
	Count    uint8             `json:"count,string"`
	Paid     *bool             `json:"paid"`
	At       time.Time         `json:"at"`
	Price    money             `json:"price"`
	Raw      json.RawMessage   `json:"raw"`
	Photo    []byte            `json:"photo"`
	Lines    []line            `json:"lines"`
	Pair     [2]int            `json:"pair"`
	Labels   map[string]string `json:"labels"`
	Parent   *order            `json:"parent"`
	Any      any               `json:"any"`
	Bill     address           `json:"bill"`
	Internal string            `json:"-"`
	hidden   int
}

type line struct{ Item string }

type tree []tree

type selfish struct{ *selfish }

// schemaOf returns the schemas of a document with one function.
func parse(t *testing.T, ops ...openapi.Operation) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(openapi.Document("shop", "1.2", ops, nil), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func at(v any, path ...string) any {
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	return v
}

func TestTheSchemaTakesWhatJSONWrites(t *testing.T) {
	yes := true
	in, out := framework.TypesOf(framework.Func(func(context.Context, order) (*line, error) { return nil, nil }))
	doc := parse(t, openapi.Operation{ID: "a", Method: "POST", Path: "/orders", Function: "order.create", In: in, Out: out})
	c := jsonschema.NewCompiler()
	if err := c.AddResource("doc.json", any(doc)); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("doc.json#/components/schemas/openapi_test.order")
	if err != nil {
		t.Fatal(err)
	}
	value := order{ID: "1", Paid: &yes, Raw: json.RawMessage(`[1]`), Photo: []byte{1}, Lines: []line{{"x"}}, Parent: &order{Raw: json.RawMessage("1")}, Any: 5, hidden: 1}
	for _, v := range []order{value, {Raw: json.RawMessage("null")}} {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(instance); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	}
	for _, wrong := range []string{`{"id":5}`, `{"total":"x"}`, `{"lines":[{"Item":1}]}`, `{"parent":{"id":1}}`, `{"city":1}`, `{"bill":{"city":1}}`, `{"pair":[1]}`, `{"count":1}`} {
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(wrong)))
		if err != nil {
			t.Fatal(err)
		}
		if schema.Validate(instance) == nil {
			t.Errorf("the schema takes %s", wrong)
		}
	}
	properties := at(doc, "components", "schemas", "openapi_test.order", "properties")
	if at(properties, "Internal") != nil || at(properties, "hidden") != nil {
		t.Errorf("found fields that JSON does not have: %v", properties)
	}
}

func TestOperations(t *testing.T) {
	text := reflect.TypeFor[string]()
	doc := parse(t,
		openapi.Operation{ID: "read", Method: "GET", Path: "/files/{id}/{path...}", Function: "file.read", In: reflect.TypeFor[[]byte](), Out: text, Security: []string{"a", "b"}},
		openapi.Operation{ID: "write", Method: "POST", Path: "/files/{id}/{path...}", Function: "file.write", In: text},
		openapi.Operation{ID: "root", Method: "POST", Path: "/{$}", Function: "any"},
		openapi.Operation{ID: "xml", Method: "POST", Path: "/xml", Function: "order", In: reflect.TypeFor[line](), Format: "xml"},
	)
	read, write := at(doc, "paths", "/files/{id}/{path}", "get"), at(doc, "paths", "/files/{id}/{path}", "post")
	parameter := func(name string) any {
		return map[string]any{"name": name, "in": "path", "required": true, "schema": map[string]any{"type": "string"}}
	}
	for _, tt := range []struct {
		what      string
		got, want any
	}{
		{"parameters", at(read, "parameters"), []any{parameter("id"), parameter("path")}},
		{"security", at(read, "security"), []any{map[string]any{"a": []any{}}, map[string]any{"b": []any{}}}},
		{"body of GET", at(read, "requestBody"), nil},
		{"answer", at(read, "responses", "200", "content"), map[string]any{"text/plain": map[string]any{"schema": map[string]any{"type": "string"}}}},
		{"no answer", at(write, "responses", "200"), nil},
		{"no security", at(write, "security"), nil},
		{"root", at(doc, "paths", "/", "post", "operationId"), "root"},
		{"an unknown answer", at(doc, "paths", "/", "post", "responses", "200", "content"), map[string]any{"*/*": map[string]any{}}},
		{"no JSON where XML is wanted", at(doc, "paths", "/xml", "post", "requestBody", "content", "application/json"), nil},
		{"title", at(doc, "info"), map[string]any{"title": "shop", "version": "1.2"}},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.what, diff)
		}
	}
}

func TestSecuritySchemes(t *testing.T) {
	b := openapi.Document("t", "1", nil, map[string]config.Security{
		"k": {Settings: &config.APIKey{Keys: []string{"geheim"}}}, "b": {Settings: &config.Basic{Users: map[string]string{"jane": "geheim"}}},
		"j": {Settings: &config.JWT{}}, "m": {Settings: &config.MTLS{}},
	})
	if bytes.Contains(b, []byte("geheim")) || bytes.Contains(b, []byte("jane")) {
		t.Errorf("the document tells a secret:\n%s", b)
	}
	var doc any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"k": map[string]any{"type": "apiKey", "in": "header", "name": "X-API-Key"},
		"b": map[string]any{"type": "http", "scheme": "basic"},
		"j": map[string]any{"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
		"m": map[string]any{"type": "mutualTLS"},
	}
	if diff := cmp.Diff(want, at(doc, "components", "securitySchemes")); diff != "" {
		t.Errorf("schemes (-want +got):\n%s", diff)
	}
}

func TestTypesThatHoldThemselves(t *testing.T) {
	for _, in := range []reflect.Type{reflect.TypeFor[tree](), reflect.TypeFor[selfish](), reflect.TypeFor[map[string]*order]()} {
		if doc := parse(t, openapi.Operation{ID: "a", Method: "POST", Path: "/", In: in}); at(doc, "paths", "/", "post") == nil {
			t.Errorf("%v: got %v", in, doc)
		}
	}
}
