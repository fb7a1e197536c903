package http_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/framework/frameworktest"
	"github.com/fairlead/fairlead/triggers"
	httptrigger "github.com/fairlead/fairlead/triggers/http"
	"github.com/fairlead/fairlead/triggers/http/rate"
	"github.com/fairlead/fairlead/triggers/http/security"
)

// routed returns a router with the functions of the other tests and more.
func routed(t testing.TB, direct bool, channels ...httptrigger.Channel) *httptrigger.Router {
	return httptrigger.NewRouter(newHandler(t), direct, channels, func() []byte { return []byte("{}") }, nil)
}

func gate(t testing.TB, names ...string) *security.Gate {
	t.Helper()
	s, err := security.New(map[string]config.Security{
		"partners": {Type: "apikey", Settings: &config.APIKey{Keys: []string{"geheim"}}},
		"others":   {Type: "apikey", Settings: &config.APIKey{Keys: []string{"anders"}}},
		"staff":    {Type: "basic", Settings: &config.Basic{Users: map[string]string{"jane": "geheim"}}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s.Gate(names)
}

func answer(h http.Handler, method, path, body string, header ...string) *http.Response {
	r := post(path, body, header...)
	r.Method = method
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestRoutes(t *testing.T) {
	channels := []httptrigger.Channel{
		{Trigger: "a", Route: "POST /customers/{id}", Function: "text"},
		{Trigger: "b", Route: "GET /customers/{id}", Function: "sink"},
		{Trigger: "c", Route: "POST /customers/new", Function: "terminal"},
		{Trigger: "d", Route: "PUT /files/{path...}", Function: "text"},
		{Trigger: "e", Route: "POST /partners", Function: "text", Gate: gate(t, "partners", "staff")},
		{Trigger: "f", Route: "POST /xml", Function: "json", Format: "xml"},
	}
	for name, tt := range map[string]struct {
		direct       bool
		method, path string
		header       []string
		want         int
		detail       string
	}{
		"a channel":                    {false, "POST", "/customers/7", nil, 200, ""},
		"another method":               {false, "GET", "/customers/7", nil, 204, ""},
		"HEAD of GET":                  {false, "HEAD", "/customers/7", nil, 204, ""},
		"the more specific route":      {false, "POST", "/customers/new", nil, 422, "no such customer"},
		"the rest of a path":           {false, "PUT", "/files/a/b/c", nil, 200, ""},
		"no such method":               {false, "DELETE", "/customers/7", nil, 405, "found method DELETE, expected GET, HEAD, POST"},
		"no such path":                 {false, "POST", "/nowhere", nil, 404, "nothing is served at /nowhere"},
		"a path that is not clean":     {false, "POST", "/customers//7", nil, 307, ""},
		"direct is off":                {false, "POST", "/functions/text", nil, 404, "nothing is served"},
		"direct default is off":        {false, "POST", "/", nil, 404, "nothing is served"},
		"direct is on":                 {true, "POST", "/functions/text", nil, 200, ""},
		"direct default is on":         {true, "POST", "/", nil, 200, ""},
		"direct on, no such function":  {true, "POST", "/functions/none", nil, 404, "no function"},
		"direct on, no such path":      {true, "POST", "/nowhere", nil, 404, "no function is served at"},
		"direct on, a channel's path":  {true, "POST", "/customers/7", nil, 200, ""},
		"direct on, a channel, method": {true, "PATCH", "/customers/7", nil, 405, "found method PATCH"},
		"the document":                 {false, "GET", "/openapi.json", nil, 200, ""},
		"the document, direct":         {true, "GET", "/openapi.json", nil, 200, ""},
		"no key":                       {false, "POST", "/partners", nil, 401, "no credentials"},
		"a wrong key":                  {false, "POST", "/partners", []string{"X-API-Key", "falsch"}, 401, "not valid"},
		"another definition's key":     {false, "POST", "/partners", []string{"X-API-Key", "anders"}, 403, "not accepted here"},
		"a key":                        {false, "POST", "/partners", []string{"X-API-Key", "geheim"}, 200, ""},
		"a password":                   {false, "POST", "/partners", []string{"Authorization", "Basic amFuZTpnZWhlaW0="}, 200, ""},
		"a wrong password":             {false, "POST", "/partners", []string{"Authorization", "Basic amFuZTpmYWxzY2g="}, 401, "another password"},
		"format":                       {false, "POST", "/xml", []string{"Content-Type", "application/json"}, 400, "decode data"},
	} {
		t.Run(name, func(t *testing.T) {
			resp := answer(routed(t, tt.direct, channels...), tt.method, tt.path, "<x", tt.header...)
			got := body(t, resp)
			if resp.StatusCode != tt.want || !strings.Contains(got, tt.detail) {
				t.Errorf("got %d %s, want %d with %q", resp.StatusCode, got, tt.want, tt.detail)
			}
			if tt.want >= 400 && resp.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("got %v, want a problem document", resp.Header)
			}
			if challenges := resp.Header.Values("WWW-Authenticate"); (tt.want == 401) != (len(challenges) == 2) {
				t.Errorf("got challenges %q", challenges)
			}
			if strings.Contains(got, "geheim") || strings.Contains(got, "falsch") {
				t.Errorf("the answer repeats a secret: %s", got)
			}
		})
	}
}

func TestWhatAFunctionSeesOfARequest(t *testing.T) {
	var got *framework.Origin
	h := newHandler(t)
	h.Functions = framework.Functions{"f": framework.Sink(func(ctx context.Context, _ event.Event) error {
		got = framework.Source(ctx)
		return nil
	})}
	rt := httptrigger.NewRouter(h, false, []httptrigger.Channel{
		{Trigger: "t", Route: "GET /customers/{id}/{rest...}", Function: "f", Gate: gate(t, "staff")},
	}, nil, nil)
	resp := answer(rt, "GET", "/customers/a%2Fb/x/y?page=2&page=3&q=%C3%A4", "", "Authorization", "Basic amFuZTpnZWhlaW0=", "X-API-Key", "other", "X-Trace", "1")
	if resp.StatusCode != http.StatusNoContent {
		t.Fatalf("got %d: %s", resp.StatusCode, body(t, resp))
	}
	want := framework.Origin{
		Trigger: "t", Destination: "/customers/a/b/x/y", Attempt: 1,
		Path:   map[string]string{"id": "a/b", "rest": "x/y"},
		Query:  map[string][]string{"page": {"2", "3"}, "q": {"ä"}},
		Caller: &framework.Caller{Security: "staff", Name: "jane"},
		Header: map[string]any{"X-Trace": "1"},
	}
	for _, tt := range []struct{ what, diff string }{
		{"path", cmp.Diff(want.Path, got.Path)}, {"query", cmp.Diff(want.Query, got.Query)},
		{"caller", cmp.Diff(want.Caller, got.Caller)}, {"header, without credentials", cmp.Diff(want.Header, got.Header)},
		{"trigger", cmp.Diff(want.Trigger, got.Trigger)}, {"destination", cmp.Diff(want.Destination, got.Destination)},
	} {
		if tt.diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.what, tt.diff)
		}
	}
}

func TestAClientMayCallSoOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := routed(t, false,
			httptrigger.Channel{Trigger: "a", Route: "POST /a", Function: "text", Limit: &rate.Limit{PerSecond: 0.5, Burst: 2}},
			httptrigger.Channel{Trigger: "b", Route: "POST /b", Function: "text", Gate: gate(t, "staff"), Limit: &rate.Limit{PerSecond: 1}})
		call := func(path, from string, header ...string) int {
			r := post(path, "x", header...)
			r.RemoteAddr = from
			w := httptest.NewRecorder()
			rt.ServeHTTP(w, r)
			if w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
				t.Error("429 without Retry-After")
			}
			return w.Code
		}
		const one, two, three, near = "10.0.0.1:1", "10.0.0.2:1", "[2001:db8::1]:1", "[2001:db8::2]:1"
		for i, want := range []int{200, 200, 429, 429} {
			if got := call("/a", one); got != want {
				t.Errorf("call %d: got %d, want %d", i, got, want)
			}
		}
		if got := call("/a", two); got != 200 {
			t.Errorf("another client: got %d", got)
		}
		for i, from := range []string{three, near, three} {
			if got, want := call("/a", from), []int{200, 200, 429}[i]; got != want {
				t.Errorf("IPv6 call %d from %s: got %d, want %d", i, from, got, want)
			}
		}
		time.Sleep(2 * time.Second)
		if a, b := call("/a", one), call("/a", one); a != 200 || b != 429 {
			t.Errorf("two seconds later: got %d and %d", a, b)
		}
		jane := []string{"Authorization", "Basic amFuZTpnZWhlaW0="}
		if a, b := call("/b", one, jane...), call("/b", two, jane...); a != 200 || b != 429 {
			t.Errorf("one user from two addresses: got %d and %d", a, b)
		}
		wrong := []string{"Authorization", "Basic amFuZTpmYWxzY2g="}
		if a, b := call("/b", one, wrong...), call("/b", one, wrong...); a != 401 || b != 429 {
			t.Errorf("guessing: got %d and %d", a, b)
		}
	})
}

func TestManyClientsTakeBoundedMemory(t *testing.T) {
	rt := routed(t, false, httptrigger.Channel{Trigger: "a", Route: "POST /a", Function: "sink", Limit: &rate.Limit{PerSecond: 0.001, Burst: 1}})
	for i := range 30_000 {
		r := post("/a", "x")
		r.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255)
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, r)
		if w.Code != http.StatusNoContent {
			t.Fatalf("client %d: got %d", i, w.Code)
		}
	}
}

func TestPublishInsteadOfWaiting(t *testing.T) {
	h := newHandler(t)
	runtime := frameworktest.New(t)
	h.Runtime = runtime
	event := `{"specversion":"1.0","id":"%s","source":"/s","type":"t","data":"x"}`
	for name, tt := range map[string]struct {
		body   string
		header []string
		want   int
		ids    string
	}{
		"binary":     {"x", binary(), 202, `{"id":"1"}`},
		"structured": {fmt.Sprintf(event, "2"), []string{"Content-Type", structuredType}, 202, `{"id":"2"}`},
		"batch":      {"[" + fmt.Sprintf(event, "3") + "," + fmt.Sprintf(event, "4") + "]", []string{"Content-Type", batchType}, 202, `{"ids":["3","4"]}`},
		"empty":      {"[]", []string{"Content-Type", batchType}, 202, `{"ids":[]}`},
		"plain":      {"x", nil, 202, `{"id":"`},
		"wrong":      {"{", []string{"Content-Type", structuredType}, 400, ""},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, post("/functions/broken", tt.body, append(tt.header, "Prefer", "wait=5, Respond-Async")...))
		if w.Code != tt.want || !strings.HasPrefix(w.Body.String(), tt.ids) {
			t.Errorf("%s: got %d %s, want %d %s", name, w.Code, w.Body, tt.want, tt.ids)
		}
	}
	if n := len(runtime.Published()); n != 5 {
		t.Errorf("%d events were published, want 5", n)
	}
	runtime.OnPublish = func(frameworktest.Published) error { return fmt.Errorf("store %w", framework.ErrUnavailable) }
	w := httptest.NewRecorder()
	h.ServeHTTP(w, post("/functions/text", "x", "Prefer", "respond-async"))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("without the store: got %d %s, want 503 with Retry-After", w.Code, w.Body)
	}
}

func TestCountsAndLimitsOutliveARouter(t *testing.T) {
	spec := httptrigger.Channel{Trigger: "a", Route: "POST /a/{id}", Function: "json", Limit: &rate.Limit{PerSecond: 0.001, Burst: 3}}
	rt := routed(t, false, spec)
	for i, b := range []string{`{}`, `{`, `{}`} {
		if resp := answer(rt, "POST", "/a/1", b); resp.StatusCode/100 == 2 != (i != 1) {
			t.Errorf("call %d: got %d", i, resp.StatusCode)
		}
	}
	spec.Route = "POST /b/{id}"
	next := httptrigger.NewRouter(newHandler(t), false, []httptrigger.Channel{spec}, nil, rt)
	if resp := answer(next, "POST", "/b/1", "{}"); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("with the next router: got %d, want 429", resp.StatusCode)
	}
	want := triggers.Status{State: triggers.Running, Subscribed: true, Received: 4, Succeeded: 2, Failed: 1}
	got := next.Status()["a"]
	got.Since = time.Time{}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

// TestAClientThatSendsFirst sends all of a long body before it looks for the
// answer, as most clients do.
func TestAClientThatSendsFirst(t *testing.T) {
	server := httptest.NewServer(newHandler(t))
	defer server.Close()
	for _, head := range []string{"Content-Length: 67108864\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n4000000\r\n"} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "POST /functions/text HTTP/1.1\r\nHost: x\r\n"+head); err != nil {
			t.Fatal(err)
		}
		block := make([]byte, 1<<20)
		for range 64 {
			if _, err := conn.Write(block); err != nil {
				t.Fatalf("%s: %v", head, err)
			}
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(conn)
		if err != nil || !bytes.HasPrefix(got, []byte("HTTP/1.1 413 ")) {
			t.Errorf("%s: got %q, %v, want 413", head, got, err)
		}
	}
}

func TestABodyThatDoesNotCome(t *testing.T) {
	server := httptest.NewUnstartedServer(newHandler(t))
	server.Config.ReadTimeout = 50 * time.Millisecond
	server.Start()
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "POST /functions/text HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil || !bytes.HasPrefix(got, []byte("HTTP/1.1 408 ")) {
		t.Errorf("got %q, %v, want 408", got, err)
	}
}

func TestRequestsFromManyGoroutines(t *testing.T) {
	rt := routed(t, true, httptrigger.Channel{
		Trigger: "a", Route: "POST /a/{id}", Function: "text", Gate: gate(t, "partners"), Limit: &rate.Limit{PerSecond: 1e6, Burst: 1e6},
	})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if resp := answer(rt, "POST", "/a/1", "x", "X-API-Key", "geheim"); resp.StatusCode != http.StatusOK {
					t.Errorf("got %d", resp.StatusCode)
				}
			}
		})
	}
	wg.Wait()
	if s := rt.Status()["a"]; s.Succeeded != 400 || s.InFlight != 0 {
		t.Errorf("got %+v", s)
	}
}
