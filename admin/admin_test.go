package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/admin/access"
)

const token = "geheim"

// A fake answers as its fields say and remembers what it was asked. A method
// whose field is nil must not be called.
type fake struct {
	admin.QueueViewer
	admin.ConfigOperator
	admin.ConfigEditor
	admin.TopicStore
	admin.LetterStore

	status  func() admin.Status
	ping    func(connection string) (time.Duration, error)
	send    func(binding string, m admin.Message) (string, error)
	receive func(ctx context.Context, connection, destination string, count int, f func(admin.Message) error) error
	invoke  func(function string, m admin.Message) (*admin.Message, error)
}

func (f *fake) Status() admin.Status { return f.status() }

func (f *fake) Ping(_ context.Context, connection string) (time.Duration, error) {
	return f.ping(connection)
}

func (f *fake) Send(_ context.Context, binding string, m admin.Message) (string, error) {
	return f.send(binding, m)
}

func (f *fake) Receive(ctx context.Context, connection, destination string, count int, each func(admin.Message) error) error {
	return f.receive(ctx, connection, destination, count, each)
}

func (f *fake) Invoke(_ context.Context, function string, m admin.Message) (*admin.Message, error) {
	return f.invoke(function, m)
}

func serve(t *testing.T, b admin.Backend) *admin.Client {
	t.Helper()
	server := httptest.NewServer(admin.Handler(b, access.New(access.Options{Token: token})))
	t.Cleanup(server.Close)
	return &admin.Client{URL: server.URL, Token: token}
}

func text(s string) *string { return &s }

// whole is a Message with all that JSON keeps as it is.
var whole = admin.Message{
	Destination: "orders/of today?", ID: "1", ContentType: "text/plain", CorrelationID: "2", ReplyTo: "answers",
	Header: map[string]any{"a": "b", "n": 1.5, "ok": true}, Text: text("Grüße"),
}

func TestToken(t *testing.T) {
	for _, tt := range []struct {
		token, authorization string
		want                 int
	}{
		{token, "Bearer geheim", 200},
		{token, "bearer geheim", 200}, // the scheme has no case (RFC 9110)
		{token, "", 401},
		{token, "Bearer", 401},
		{token, "Bearer ", 401},
		{token, "Bearer other", 401},
		{token, "Bearer geheim2", 401},
		{token, "Basic geheim", 401},
		{token, "geheim", 401},
		{"", "", 401},
		{"", "Bearer ", 401},
	} {
		t.Run(fmt.Sprintf("%q %q", tt.token, tt.authorization), func(t *testing.T) {
			h := admin.Handler(&fake{status: func() admin.Status { return admin.Status{} }}, access.New(access.Options{Token: tt.token}))
			for _, path := range []string{"/api/v1/status", "/other"} {
				r := httptest.NewRequest(http.MethodGet, path, nil)
				r.Header.Set("Authorization", tt.authorization)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				want := tt.want
				if want == 200 && path == "/other" {
					want = 404
				}
				if w.Code != want {
					t.Errorf("%s: got %d, want %d", path, w.Code, want)
				}
				if want == 401 && w.Header().Get("WWW-Authenticate") != "Bearer" {
					t.Errorf("%s: got WWW-Authenticate %q, want Bearer", path, w.Header().Get("WWW-Authenticate"))
				}
			}
		})
	}
}

func TestStatus(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	want := admin.Status{
		Version: "v1", Started: at, Missing: []string{"trigger t: connecting"}, Functions: []string{"f"},
		Triggers:    []admin.TriggerStatus{{Name: "t", State: "connecting", Since: at, Error: "refused", NextTry: &at, Received: 1 << 60}},
		Connections: []admin.ConnectionStatus{{Name: "c", Type: "stomp", Connected: true}},
	}
	got, err := serve(t, &fake{status: func() admin.Status { return want }}).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPing(t *testing.T) {
	c := serve(t, &fake{ping: func(connection string) (time.Duration, error) {
		if connection != "a/b c" {
			return 0, fmt.Errorf("got connection %q", connection)
		}
		return 1500 * time.Microsecond, nil
	}})
	got, err := c.Ping(t.Context(), "a/b c")
	if err != nil || got != 1500*time.Microsecond {
		t.Errorf("got %v, %v; want 1.5ms", got, err)
	}
}

func TestSend(t *testing.T) {
	var got admin.Message
	c := serve(t, &fake{send: func(binding string, m admin.Message) (string, error) {
		got = m
		return "id of " + binding, nil
	}})
	id, err := c.Send(t.Context(), "b/1", whole)
	if err != nil || id != "id of b/1" {
		t.Errorf("got %q, %v; want the id", id, err)
	}
	if diff := cmp.Diff(whole, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBodies(t *testing.T) {
	c := serve(t, &fake{invoke: func(_ string, m admin.Message) (*admin.Message, error) { return &m, nil }})
	for _, want := range [][]byte{[]byte("text"), {}, {0xff, 0, '"'}, []byte("a\x00b")} {
		var m admin.Message
		m.SetBody(want)
		got, err := c.Invoke(t.Context(), "f", m)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Body(), want) {
			t.Errorf("got %q, want %q", got.Body(), want)
		}
	}
}

func TestInvoke(t *testing.T) {
	c := serve(t, &fake{invoke: func(function string, m admin.Message) (*admin.Message, error) {
		if function == "sink" {
			return nil, nil
		}
		return &m, nil
	}})
	got, err := c.Invoke(t.Context(), "echo", whole)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&whole, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, err := c.Invoke(t.Context(), "sink", whole); got != nil || err != nil {
		t.Errorf("got %v, %v; want no reply", got, err)
	}
}

func TestErrorsBecomeStatuses(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want int
	}{
		{fmt.Errorf("%w: there is no x", admin.ErrNotFound), 404},
		{fmt.Errorf("%w: nonsense", admin.ErrBadRequest), 400},
		{errors.New("the broker says no"), 502},
		{context.DeadlineExceeded, 502},
	} {
		c := serve(t, &fake{
			ping:   func(string) (time.Duration, error) { return 0, tt.err },
			send:   func(string, admin.Message) (string, error) { return "", tt.err },
			invoke: func(string, admin.Message) (*admin.Message, error) { return nil, tt.err },
			receive: func(context.Context, string, string, int, func(admin.Message) error) error {
				return tt.err
			},
		})
		_, ping := c.Ping(t.Context(), "x")
		_, send := c.Send(t.Context(), "x", whole)
		_, invoke := c.Invoke(t.Context(), "x", whole)
		receive := c.Receive(t.Context(), "x", "q", 1, nil)
		for name, err := range map[string]error{"ping": ping, "send": send, "invoke": invoke, "receive": receive} {
			p, ok := errors.AsType[*admin.Problem](err)
			if !ok || p.Status != tt.want || p.Detail != tt.err.Error() || err.Error() != tt.err.Error() {
				t.Errorf("%s: got %v (%+v), want a problem with status %d that says %q", name, err, p, tt.want, tt.err)
			}
		}
	}
}

// post sends a body as it is and returns the answer's status and text.
func post(t *testing.T, c *admin.Client, path string, body io.Reader) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); resp.StatusCode >= 400 && got != "application/problem+json" {
		t.Errorf("got Content-Type %q with %s, want a problem", got, resp.Status)
	}
	return resp.StatusCode, string(data)
}

func TestBadRequests(t *testing.T) {
	c := serve(t, &fake{}) // which nothing may reach
	for _, tt := range []struct {
		name, path, body string
		want             int
		says             string
	}{
		{"no body", "/api/v1/bindings/b/send", "", 400, "body"},
		{"no JSON", "/api/v1/bindings/b/send", "x", 400, "body"},
		{"an unknown field", "/api/v1/bindings/b/send", `{"txt":"x"}`, 400, "txt"},
		{"a wrong type", "/api/v1/functions/f/invoke", `{"text":1}`, 400, "text"},
		{"bad base64", "/api/v1/functions/f/invoke", `{"data":"!"}`, 400, "base64"},
		{"two messages", "/api/v1/bindings/b/send", `{"text":"a"} {"text":"b"}`, 400, "more after"},
		{"a body that is too long", "/api/v1/bindings/b/send", `{"text":"` + strings.Repeat("x", 17<<20) + `"}`, 413, "too large"},
		{"no count", "/api/v1/connections/c/receive?destination=q", "", 400, "count"},
		{"a count that is none", "/api/v1/connections/c/receive?destination=q&count=x", "", 400, `"x"`},
		{"a negative count", "/api/v1/connections/c/receive?destination=q&count=-1", "", 400, `"-1"`},
		{"no destination", "/api/v1/connections/c/receive?count=1", "", 400, "destination"},
		{"no such endpoint", "/api/v1/other", "", 404, "POST /api/v1/other"},
		{"another method", "/api/v1/status", "", 405, "expected GET or HEAD"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, body := post(t, c, tt.path, strings.NewReader(tt.body))
			if status != tt.want || !strings.Contains(body, strings.ReplaceAll(tt.says, `"`, `\"`)) {
				t.Errorf("got %d %s, want %d and %q", status, body, tt.want, tt.says)
			}
		})
	}
}

func TestReceive(t *testing.T) {
	c := serve(t, &fake{receive: func(_ context.Context, connection, destination string, count int, f func(admin.Message) error) error {
		if connection != "c" || destination != "topic:a&b" {
			return fmt.Errorf("got %s, %s", connection, destination)
		}
		for range count {
			if err := f(whole); err != nil {
				return err
			}
		}
		return nil
	}})
	n := 0
	err := c.Receive(t.Context(), "c", "topic:a&b", 3, func(m admin.Message) error {
		n++
		if diff := cmp.Diff(whole, m); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		return nil
	})
	if err != nil || n != 3 {
		t.Errorf("got %d messages and %v, want 3", n, err)
	}
}

// TestReceiveShowsMessagesAsTheyCome fails, by not ending, if a message is held
// back until there are more.
func TestReceiveShowsMessagesAsTheyCome(t *testing.T) {
	seen := make(chan struct{})
	c := serve(t, &fake{receive: func(ctx context.Context, _, _ string, _ int, f func(admin.Message) error) error {
		if err := f(whole); err != nil {
			return err
		}
		select {
		case <-seen:
			return f(whole)
		case <-ctx.Done():
			return ctx.Err()
		}
	}})
	n := 0
	err := c.Receive(t.Context(), "c", "q", 0, func(admin.Message) error {
		if n++; n == 1 {
			close(seen)
		}
		return nil
	})
	if err != nil || n != 2 {
		t.Errorf("got %d messages and %v, want 2", n, err)
	}
}

func TestReceiveBreaks(t *testing.T) {
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	t.Cleanup(func() { slog.SetDefault(before) })
	c := serve(t, &fake{receive: func(_ context.Context, _, _ string, _ int, f func(admin.Message) error) error {
		return errors.Join(f(whole), errors.New("connection lost"))
	}})
	n := 0
	err := c.Receive(t.Context(), "c", "q", 0, func(admin.Message) error { n++; return nil })
	if err == nil || !strings.Contains(err.Error(), "the server ended the stream") || n != 1 {
		t.Errorf("got %d messages and %v, want 1 and an error", n, err)
	}
}

func TestReceiveEndsWithItsClient(t *testing.T) {
	ended := make(chan error, 1)
	c := serve(t, &fake{receive: func(ctx context.Context, _, _ string, _ int, f func(admin.Message) error) error {
		if err := f(whole); err != nil {
			return err
		}
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	err := c.Receive(ctx, "c", "q", 0, func(admin.Message) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	<-ended // else the test never ends

	stop := errors.New("seen enough")
	if err := c.Receive(t.Context(), "c", "q", 0, func(admin.Message) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want the error of the callback", err)
	}
	<-ended
}

func TestClientOfSomethingElse(t *testing.T) {
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		says    string
	}{
		"an error page": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", 500) }, "the server answered 500"},
		"no JSON":       {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }, "not understood"},
		"an empty problem": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(404)
			json.NewEncoder(w).Encode(struct{}{})
		}, "404 Not Found"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tt.handler)
			t.Cleanup(server.Close)
			_, err := (&admin.Client{URL: server.URL}).Status(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want an error that says %q", err, tt.says)
			}
		})
	}
}

func FuzzSend(f *testing.F) {
	f.Add([]byte(`{"text":"x","header":{"a":1}}`))
	f.Add([]byte(`{"data":"/w=="}`))
	f.Add([]byte(`{}{}`))
	h := admin.Handler(&fake{send: func(string, admin.Message) (string, error) { return "1", nil }}, access.New(access.Options{Token: token}))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/api/v1/bindings/b/send", bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 400 && (w.Code != 200 || !json.Valid(body)) {
			t.Errorf("got %d %s for %q", w.Code, w.Body, body)
		}
	})
}
