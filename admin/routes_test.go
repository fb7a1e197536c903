package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/admin/access"
)

// allRoutes are those of a server whose backend has all abilities.
func allRoutes() []route {
	s := &server{backend: struct {
		Backend
		MetricsWriter
	}{}, access: access.New(access.Options{})}
	return s.routes()
}

// request makes a request for a route, with x wherever its path has a variable.
func (rt route) request(path string) *http.Request {
	for strings.Contains(path, "{") {
		before, rest, _ := strings.Cut(path, "{")
		_, after, _ := strings.Cut(rest, "}")
		path = before + "x" + after
	}
	return httptest.NewRequest(rt.method, path, nil)
}

func TestEachRouteAnswersByRole(t *testing.T) {
	for _, rt := range allRoutes() {
		if rt.role < access.Viewer || rt.role > access.Admin {
			t.Errorf("%s %s: no role", rt.method, rt.path)
		}
		called := false
		rt.serve = func(http.ResponseWriter, *http.Request) { called = true }
		router := newRouter([]route{rt})
		for role := access.None; role <= access.Admin; role++ {
			called = false
			r := rt.request(rt.path)
			w := httptest.NewRecorder()
			router.ServeHTTP(w, r.WithContext(access.With(r.Context(), access.Identity{Name: "jane", Role: role})))
			want := http.StatusOK
			switch {
			case role == access.None:
				want = http.StatusUnauthorized
			case role < rt.role:
				want = http.StatusForbidden
			}
			if w.Code != want || called != (want == http.StatusOK) {
				t.Errorf("%s %s as %q: got %d, served %v; want %d", rt.method, rt.path, role, w.Code, called, want)
			}
			if want != http.StatusOK && w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s %s as %q: got %s", rt.method, rt.path, role, w.Header().Get("Content-Type"))
			}
		}
	}
}

// What may be done at all by whom: a route that is not here needs a decision.
func TestWhatNeedsWhichRole(t *testing.T) {
	got := make(map[access.Role][]string)
	for _, rt := range allRoutes() {
		if rt.role != access.Viewer || rt.method != "GET" {
			got[rt.role] = append(got[rt.role], rt.method+" "+strings.TrimPrefix(rt.path, "/api/v1"))
		}
	}
	for role := range got {
		slices.Sort(got[role])
	}
	want := map[access.Role][]string{
		access.Viewer: {"PUT /session/password"},
		access.Operator: {
			"DELETE /deadletters", "DELETE /deadletters/{id}", "DELETE /replays/{id}", "DELETE /topics/{name}/events", "DELETE /topics/{name}/subscriptions/{subscription}",
			"POST /bindings/{name}/send", "POST /connections/{name}/ping", "POST /connections/{name}/receive", "POST /deadletters/replay",
			"POST /functions/{name}/invoke", "POST /topics/{name}/events", "POST /triggers/{name}/pause", "POST /triggers/{name}/resume",
		},
		access.Admin: {
			"DELETE /accounts/{name}", "DELETE /config/{kind}/{name}", "DELETE /secrets/{name}", "DELETE /tokens/{name}", "GET /accounts", "GET /secrets", "GET /tokens",
			"POST /accounts", "POST /config/apply", "POST /config/plan", "POST /connections/{name}/password", "POST /secrets/rotate", "POST /session/link", "POST /tokens",
			"PUT /accounts/{name}/password", "PUT /accounts/{name}/role", "PUT /config/{kind}/{name}", "PUT /secrets/{name}",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheDocumentHasEveryRoute(t *testing.T) {
	routes := allRoutes()
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID, Summary string
			Parameters           []struct{ Name, In, Description string }
			RequestBody          *struct{ Content map[string]any }
			Responses            map[string]any
		}
		Components struct{ SecuritySchemes, Schemas map[string]any }
	}
	if err := json.Unmarshal(document("1", routes), &doc); err != nil {
		t.Fatal(err)
	}
	ids := make(map[string]bool)
	for _, rt := range routes {
		o, ok := doc.Paths[rt.path][strings.ToLower(rt.method)]
		if !ok || o.Summary != rt.summary || o.Responses["401"] == nil || o.Responses["403"] == nil || o.Responses["default"] == nil || ids[o.OperationID] {
			t.Errorf("%s %s: got %+v", rt.method, rt.path, o)
		}
		ids[o.OperationID] = true
		if (o.RequestBody != nil) != (rt.in != nil || rt.takes != nil) {
			t.Errorf("%s %s: got body %v", rt.method, rt.path, o.RequestBody)
		}
		if want := strings.Count(rt.path, "{") + len(rt.query) + len(rt.header); len(o.Parameters) != want {
			t.Errorf("%s %s: got %d parameters, want %d", rt.method, rt.path, len(o.Parameters), want)
		}
		if want := map[bool]string{true: "204", false: "200"}[rt.out == nil]; o.Responses[want] == nil {
			t.Errorf("%s %s: got responses %v, want %s", rt.method, rt.path, o.Responses, want)
		}
	}
	if doc.OpenAPI != "3.1.0" || doc.Components.SecuritySchemes["token"] == nil || doc.Components.Schemas["admin.Problem"] == nil {
		t.Errorf("got %s, %v", doc.OpenAPI, doc.Components)
	}
}

// Routes that no method of a Client is for.
var withoutMethod = map[string]string{
	"GET /metrics":                    "Prometheus reads them",
	"DELETE /api/v1/deadletters/{id}": "Discard takes ids",
	"DELETE /api/v1/replays/{id}":     "Replay asks for it when its ctx ends",
}

func TestTheClientHasEveryRoute(t *testing.T) {
	routes := allRoutes()
	router := newRouter(routes)
	var mu sync.Mutex
	asked := make(map[string]bool)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pattern := router.mux.Handler(r)
		if pattern == "" {
			t.Errorf("the client asks for %s %s, which is not there", r.Method, r.URL)
		}
		mu.Lock()
		asked[pattern] = true
		mu.Unlock()
		w.Write([]byte("{}"))
	}))
	t.Cleanup(server.Close)
	client := reflect.ValueOf(&Client{URL: server.URL})
	for m := range client.Type().Methods() {
		in := []reflect.Value{client}
		for i := 1; i < m.Type.NumIn(); i++ {
			in = append(in, argument(t, m.Type.In(i)))
		}
		m.Func.Call(in) // what becomes of an empty answer is not of interest here
	}
	for _, rt := range routes {
		pattern := rt.method + " " + rt.path
		if _, without := withoutMethod[pattern]; asked[pattern] == without {
			t.Errorf("%s: asked for by the client: %v, want %v", pattern, asked[pattern], !without)
		}
	}
}

// argument returns a value to call a method with.
func argument(t *testing.T, kind reflect.Type) reflect.Value {
	switch kind.Kind() {
	case reflect.Interface:
		if kind == reflect.TypeFor[context.Context]() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			t.Cleanup(cancel)
			return reflect.ValueOf(ctx)
		}
	case reflect.String:
		return reflect.ValueOf("x").Convert(kind)
	case reflect.Func:
		return reflect.MakeFunc(kind, func([]reflect.Value) []reflect.Value {
			var out []reflect.Value
			for o := range kind.Outs() {
				out = append(out, reflect.Zero(o))
			}
			return out
		})
	}
	return reflect.Zero(kind)
}
