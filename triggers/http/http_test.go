package http_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/frameworktest"
	httptrigger "github.com/fairlead/fairlead/triggers/http"
)

const maxBody = 1 << 10

type greeting struct{ Name string }

var functions = framework.Functions{
	"text":  framework.Func(func(_ context.Context, in string) (string, error) { return "got " + in, nil }),
	"bytes": framework.Func(func(context.Context, []byte) ([]byte, error) { return []byte{0xff, 0}, nil }),
	"json":  framework.Func(func(_ context.Context, in greeting) (greeting, error) { return greeting{"Hello " + in.Name}, nil }),
	"echo":  framework.Func(func(_ context.Context, in event.Event) (event.Event, error) { return in, nil }),
	"sink":  framework.Sink(func(context.Context, event.Event) error { return nil }),
	"bare": framework.Func(func(context.Context, []byte) (event.Event, error) {
		return event.Event{Context: &event.EventContextV1{Type: "t"}}, nil // no id, no source
	}),
	"terminal": fails(framework.Terminal(errors.New("no such customer"))),
	"later":    fails(framework.RetryAfter(1500*time.Millisecond, errors.New("not now"))),
	"away":     fails(fmt.Errorf("send: %w", framework.ErrUnavailable)),
	"broken":   fails(errors.New("boom")),
	"slow": framework.Sink(func(ctx context.Context, _ []byte) error {
		<-ctx.Done()
		return errors.New("gave up")
	}),
	"panic": framework.Sink(func(context.Context, []byte) error { panic("the password is geheim") }),
}

func fails(err error) framework.Handler {
	return framework.Sink(func(context.Context, []byte) error { return err })
}

func newHandler(t testing.TB) *httptrigger.Handler {
	return &httptrigger.Handler{
		Functions: functions, Default: "text", Runtime: frameworktest.New(t), MaxBody: maxBody,
		Timeout: func(function string) time.Duration {
			if function == "slow" {
				return time.Millisecond
			}
			return 0
		},
	}
}

func post(path, body string, header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

// binary is the headers of a whole CloudEvent, and more.
func binary(more ...string) []string {
	return append([]string{"ce-specversion", "1.0", "ce-id", "1", "ce-source", "/s", "ce-type", "t"}, more...)
}

// without returns headers without one of them.
func without(name string, header []string) []string {
	i := slices.Index(header, name)
	return slices.Concat(header[:i], header[i+2:])
}

func serve(t testing.TB, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	newHandler(t).ServeHTTP(w, r)
	return w.Result()
}

func body(t testing.TB, resp *http.Response) string {
	t.Helper()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

const structuredType = "application/cloudevents+json"
const batchType = "application/cloudevents-batch+json"

func TestStatus(t *testing.T) {
	whole := `{"specversion":"1.0","id":"1","source":"/s","type":"t","data":"x"}`
	for name, tt := range map[string]struct {
		request *http.Request
		want    int
		detail  string // that the problem says, for anything but success
	}{
		"a reply":                       {post("/functions/text", "x"), 200, ""},
		"the default function":          {post("/", "x"), 200, ""},
		"no body":                       {post("/functions/text", ""), 200, ""},
		"no reply":                      {post("/functions/sink", "x"), 204, ""},
		"a body of the longest length":  {post("/functions/text", strings.Repeat("x", maxBody)), 200, ""},
		"an empty batch":                {post("/functions/text", "[]", "Content-Type", batchType), 204, ""},
		"undecodable JSON":              {post("/functions/json", "{", "Content-Type", "application/json"), 400, "decode data"},
		"data of the wrong shape":       {post("/functions/json", `{"Name":1}`), 400, "decode data"},
		"an unknown media type":         {post("/functions/json", "x", "Content-Type", "image/png"), 400, "neither JSON nor XML"},
		"binary without an id":          {post("/functions/text", "x", without("ce-id", binary())...), 400, "id:"},
		"binary without a source":       {post("/functions/text", "x", without("ce-source", binary())...), 400, "source:"},
		"binary without a type":         {post("/functions/text", "x", without("ce-type", binary())...), 400, "type:"},
		"binary of another version":     {post("/functions/text", "x", "ce-specversion", "0.3"), 400, `"0.3"`},
		"binary with a wrong time":      {post("/functions/text", "x", binary("ce-time", "today")...), 400, "RFC 3339"},
		"binary with two ids":           {post("/functions/text", "x", binary("ce-id", "2")...), 400, "2 values"},
		"binary with a bad media type":  {post("/functions/text", "x", binary("Content-Type", "x y")...), 400, "datacontenttype:"},
		"binary with a bad name":        {post("/functions/text", "x", binary("ce-a_b", "2")...), 400, "Ce-A_b"},
		"binary with a bad escape":      {post("/functions/text", "x", binary("ce-subject", "%zz")...), 400, "%zz"},
		"binary with overlong UTF-8":    {post("/functions/text", "x", binary("ce-subject", "%C0%A0")...), 400, "UTF-8"},
		"binary with an open quote":     {post("/functions/text", "x", binary("ce-subject", `"abc`)...), 400, "closing quote"},
		"structured":                    {post("/functions/text", whole, "Content-Type", structuredType), 200, ""},
		"structured without an id":      {post("/functions/text", `{"specversion":"1.0","source":"/s","type":"t"}`, "Content-Type", structuredType), 400, "id"},
		"structured that is no JSON":    {post("/functions/text", "x", "Content-Type", structuredType), 400, "structured CloudEvent"},
		"a batch with a broken event":   {post("/functions/text", "["+whole+",{}]", "Content-Type", batchType), 400, "event 2 of 2"},
		"a batch that is none":          {post("/functions/text", whole, "Content-Type", batchType), 400, "batch"},
		"CloudEvents in another format": {post("/functions/text", "<x/>", "Content-Type", "application/cloudevents+xml"), 400, "application/cloudevents+xml"},
		"an unknown function":           {post("/functions/other", "x"), 404, `"other"`},
		"another path":                  {post("/other", "x"), 404, "/other"},
		"GET":                           {httptest.NewRequest(http.MethodGet, "/functions/text", nil), 405, "POST"},
		"a body that is too long":       {post("/functions/text", strings.Repeat("x", maxBody+1)), 413, "1024 bytes"},
		"a terminal error":              {post("/functions/terminal", ""), 422, "no such customer"},
		"RetryAfter":                    {post("/functions/later", ""), 503, "not now"},
		"a broker out of reach":         {post("/functions/away", ""), 503, "unavailable"},
		"a timeout":                     {post("/functions/slow", ""), 504, "gave up"},
		"any other error":               {post("/functions/broken", ""), 500, "boom"},
		"a panic":                       {post("/functions/panic", ""), 500, "the function panicked"},
		"a reply that is no CloudEvent": {post("/functions/bare", "", binary()...), 500, "the reply is not valid: CloudEvent:"},
	} {
		t.Run(name, func(t *testing.T) {
			resp := serve(t, tt.request)
			if resp.StatusCode != tt.want {
				t.Fatalf("got %d %s, want %d", resp.StatusCode, body(t, resp), tt.want)
			}
			if tt.want >= 400 {
				checkProblem(t, resp, tt.detail)
			}
		})
	}
}

// checkProblem checks that resp is an RFC 9457 document that says detail.
func checkProblem(t *testing.T, resp *http.Response, detail string) {
	t.Helper()
	if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("got Content-Type %q, want application/problem+json", got)
	}
	var p map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
		t.Fatal(err)
	}
	if got, _ := p["detail"].(string); !strings.Contains(got, detail) {
		t.Errorf("got detail %q, want one that says %q", got, detail)
	}
	delete(p, "detail")
	want := map[string]any{"type": "about:blank", "title": http.StatusText(resp.StatusCode), "status": float64(resp.StatusCode)}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("the rest of the problem (-want +got):\n%s", diff)
	}
}

func TestNoDefault(t *testing.T) {
	h := newHandler(t)
	h.Default = ""
	w := httptest.NewRecorder()
	h.ServeHTTP(w, post("/", "x"))
	if w.Code != 404 {
		t.Errorf("got %d, want 404", w.Code)
	}
}

func TestHeadersThatSayWhatToDo(t *testing.T) {
	for _, tt := range []struct {
		request *http.Request
		header  string
		want    string
	}{
		{post("/functions/later", ""), "Retry-After", "2"}, // 1.5 s, rounded up
		{post("/functions/away", ""), "Retry-After", "1"},
		{httptest.NewRequest(http.MethodGet, "/functions/text", nil), "Allow", "POST"},
	} {
		if got := serve(t, tt.request).Header.Get(tt.header); got != tt.want {
			t.Errorf("%s %s: got %s %q, want %q", tt.request.Method, tt.request.URL, tt.header, got, tt.want)
		}
	}
}

func TestPanicIsLoggedAndNotAnswered(t *testing.T) {
	var log strings.Builder
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	if answer := body(t, serve(t, post("/functions/panic", ""))); strings.Contains(answer, "geheim") {
		t.Errorf("the answer shows what the panic said: %s", answer)
	}
	for _, want := range []string{"the password is geheim", "http_test.go"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q: %s", want, log.String())
		}
	}
}

func TestPlainReplies(t *testing.T) {
	for _, tt := range []struct{ function, in, contentType, want string }{
		{"text", "x", "text/plain", "got x"},
		{"bytes", "x", "application/octet-stream", "\xff\x00"},
		{"json", `{"Name":"World"}`, "application/json", `{"Name":"Hello World"}`},
		{"echo", "x", "text/csv", "x"}, // an event goes out as data where none came in
	} {
		resp := serve(t, post("/functions/"+tt.function, tt.in, "Content-Type", "text/csv"))
		if tt.function == "json" {
			resp = serve(t, post("/functions/json", tt.in))
		}
		if got := body(t, resp); got != tt.want || resp.Header.Get("Content-Type") != tt.contentType {
			t.Errorf("%s: got %q as %s, want %q as %s", tt.function, got, resp.Header.Get("Content-Type"), tt.want, tt.contentType)
		}
		for name := range resp.Header {
			if strings.HasPrefix(name, "Ce-") {
				t.Errorf("%s: the plain answer has header %s", tt.function, name)
			}
		}
	}
}

func TestBatchStopsAtAnError(t *testing.T) {
	calls := 0
	h := newHandler(t)
	h.Functions = framework.Functions{"f": framework.Sink(func(context.Context, []byte) error {
		calls++
		return framework.Terminal(errors.New("boom"))
	})}
	one := `{"specversion":"1.0","id":"1","source":"/s","type":"t"}`
	w := httptest.NewRecorder()
	h.ServeHTTP(w, post("/functions/f", "["+one+","+one+"]", "Content-Type", batchType))
	if w.Code != 422 || calls != 1 {
		t.Errorf("got %d after %d calls, want 422 after 1", w.Code, calls)
	}
}

func TestWhatSourceShows(t *testing.T) {
	var got *framework.Origin
	var inv *framework.Invocation
	h := newHandler(t)
	h.Functions = framework.Functions{"f": framework.Sink(func(ctx context.Context, _ event.Event) error {
		got, inv = framework.Source(ctx), framework.FromContext(ctx)
		return nil
	})}
	r := post("/functions/f", "x", binary("X-One", "1", "X-Two", "a", "X-Two", "b")...)
	h.ServeHTTP(httptest.NewRecorder(), r)
	if got == nil {
		t.Fatal("the function was not called")
	}
	want := map[string]any{"X-One": "1", "X-Two": []string{"a", "b"}}
	if diff := cmp.Diff(want, got.Header); diff != "" {
		t.Errorf("Header (-want +got):\n%s", diff)
	}
	if got.Destination != "/functions/f" || got.Attempt != 1 || got.Connection != "" || got.Trigger != "" {
		t.Errorf("got %+v, want destination /functions/f, attempt 1, no connection, no trigger", got)
	}
	if inv.Function != "f" || inv.Event.ID() != "1" || inv.Runtime == nil {
		t.Errorf("got %+v, want function f, event 1 and a runtime", inv)
	}
}

func TestPlainRequestBecomesAnEvent(t *testing.T) {
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	var got event.Event
	h := newHandler(t)
	h.Functions = framework.Functions{"f": framework.Sink(func(_ context.Context, ev event.Event) error { got = ev; return nil })}
	h.ServeHTTP(httptest.NewRecorder(), post("/functions/f", "x", "Content-Type", "text/csv", "Traceparent", parent, "Tracestate", "a=b"))
	if err := got.Validate(); err != nil {
		t.Fatal(err)
	}
	if got.Type() != "fairlead.message" || got.Source() != "/http/functions/f" || got.DataContentType() != "text/csv" || string(got.Data()) != "x" {
		t.Errorf("got %v", got)
	}
	if diff := cmp.Diff(map[string]any{"traceparent": parent, "tracestate": "a=b"}, got.Extensions()); diff != "" {
		t.Errorf("extensions (-want +got):\n%s", diff)
	}
}
