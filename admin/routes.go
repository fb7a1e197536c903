package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/admin/access"
)

// A route is one operation of the API: what it takes, what it answers, and who
// may use it. The document of the API is made of the routes.
type route struct {
	method, path string
	role         access.Role // the least that is let in
	summary      string
	query        []parameter // no other is accepted
	header       []parameter
	in           reflect.Type // of the body, in JSON; nil: there is none, or takes says of which media types it is
	takes        []string
	out          reflect.Type // of the answer; nil: 204
	empty        bool         // 204 though there is an out
	etag         bool         // the answer has an ETag
	media        string       // of the answer; empty: application/json
	serve        http.HandlerFunc
}

// A parameter is one of a query, or a header.
type parameter struct {
	name     string
	kind     reflect.Type
	doc      string
	need     bool // it must be there
	list     bool // it may be there any number of times
	min, max int  // 0: no bound
}

// lines is the media type of an answer that is one JSON document a line.
const lines = "application/x-ndjson"

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// routes returns all that the API can do.
func (s *server) routes() []route {
	return slices.Concat(s.hostRoutes(), s.queueRoutes(), s.configRoutes(), s.editorRoutes(), s.topicRoutes(), s.letterRoutes(), s.metricsRoutes(), s.accessRoutes())
}

func (s *server) hostRoutes() []route {
	return []route{
		{
			method: "GET", path: "/api/v1/status", role: access.Viewer, summary: "How everything is doing",
			out: typeOf[Status](), serve: s.status,
		}, {
			method: "POST", path: "/api/v1/connections/{name}/ping", role: access.Operator, summary: "Connect to a broker and measure a round trip",
			out: typeOf[Pong](), serve: s.ping,
		}, {
			method: "POST", path: "/api/v1/connections/{name}/receive", role: access.Operator, summary: "Take messages from a destination",
			query: []parameter{
				{name: "destination", kind: typeOf[string](), need: true, doc: "the name of a queue, or topic:NAME"},
				{name: "count", kind: typeOf[uint](), need: true, doc: "how many; 0: no limit"},
			},
			out: typeOf[Message](), media: lines, serve: s.receive,
		}, {
			method: "POST", path: "/api/v1/bindings/{name}/send", role: access.Operator, summary: "Send a message through a binding",
			in: typeOf[Message](), out: typeOf[SendResult](), serve: s.send,
		}, {
			method: "POST", path: "/api/v1/functions/{name}/invoke", role: access.Operator, summary: "Call a function; 204 if it does not reply",
			in: typeOf[Message](), out: typeOf[Message](), empty: true, serve: s.invoke,
		},
	}
}

// guarded serves a route to those who have its role.
func (rt route) guarded() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch id := access.From(r.Context()); {
		case id.Role == access.None:
			unknown(w)
		case id.Role < rt.role:
			problem(w, http.StatusForbidden, fmt.Sprintf("%s has the role %s, and this needs %s", id.Name, id.Role, rt.role))
		default:
			if err := rt.expects(r.URL.Query()); err != nil {
				fail(w, err)
				return
			}
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			rt.serve(w, r)
		}
	})
}

// expects returns an error for a parameter that a route does not have: what is
// misspelt must not be passed over.
func (rt route) expects(query url.Values) error {
	for name := range query {
		if !slices.ContainsFunc(rt.query, func(p parameter) bool { return p.name == name }) {
			return fmt.Errorf("%w: unknown parameter %q", ErrBadRequest, name)
		}
	}
	return nil
}

// unknown answers to somebody who was not recognised.
func unknown(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", "Bearer")
	problem(w, http.StatusUnauthorized, "a token is needed: Authorization: Bearer TOKEN")
}

// A router serves routes.
type router struct {
	mux     *http.ServeMux
	literal map[string][]string // methods of paths without variables
}

func newRouter(routes []route) router {
	t := router{http.NewServeMux(), make(map[string][]string)}
	for _, rt := range routes {
		t.mux.Handle(rt.method+" "+rt.path, rt.guarded())
		if !strings.Contains(rt.path, "{") {
			t.literal[rt.path] = append(t.literal[rt.path], rt.method)
		}
	}
	return t
}

func (t router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, pattern := t.mux.Handler(r)
	switch {
	case pattern != "":
		t.mux.ServeHTTP(w, r)
	case access.From(r.Context()).Role == access.None: // what there is, is not for everybody
		unknown(w)
	default:
		t.absent(w, r)
	}
}

// absent answers where there is no route.
func (t router) absent(w http.ResponseWriter, r *http.Request) {
	allowed := t.methods(r)
	if len(allowed) == 0 {
		fail(w, fmt.Errorf("%w: there is no %s %s", ErrNotFound, r.Method, r.URL.Path))
		return
	}
	if slices.Contains(allowed, "GET") {
		allowed = append(allowed, "HEAD")
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	problem(w, http.StatusMethodNotAllowed, fmt.Sprintf("%s: found %s, expected %s", r.URL.Path, r.Method, strings.Join(allowed, " or ")))
}

// methods returns those that a path has. Where one without variables fits, it is
// the one that is meant.
func (t router) methods(r *http.Request) []string {
	if methods, ok := t.literal[r.URL.Path]; ok {
		return slices.Clone(methods)
	}
	var all []string
	for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
		if _, pattern := t.mux.Handler(&http.Request{Method: method, URL: r.URL, Host: r.Host}); pattern != "" {
			all = append(all, method)
		}
	}
	return all
}
