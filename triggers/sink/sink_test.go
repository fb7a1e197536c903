package sink

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/framework"
)

func order() event.Event {
	ev := event.New()
	ev.SetID("1")
	ev.SetSource("/orders/IN")
	ev.SetType("order.created")
	ev.SetExtension("tenant", "a")
	ev.SetExtension("count", 7)
	if err := ev.SetData("application/json", map[string]int{"total": 5}); err != nil {
		panic(err) // it is JSON
	}
	return ev
}

// fromEnv returns the sink of a server, with more variables of the environment.
func fromEnv(t *testing.T, server *httptest.Server, env map[string]string) *Sink {
	t.Helper()
	s, err := FromEnv(server.URL, "", func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Client.CloseIdleConnections)
	return s
}

func serve(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return server
}

func TestRequest(t *testing.T) {
	var got *http.Request
	var body []byte
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body) // its length is compared
		w.WriteHeader(http.StatusAccepted)
	})
	s := fromEnv(t, server, map[string]string{"K_CE_OVERRIDES": `{"extensions": {"tenant": "b ü", "region": "eu"}}`})
	in := order()
	out, err := s.Post(t.Context(), in)
	if out != nil || err != nil {
		t.Errorf("got %v, %v; want no answer", out, err)
	}
	if got.Method != http.MethodPost || got.ContentLength != int64(len(body)) || string(body) != `{"total":5}` {
		t.Errorf("got %s of %d bytes: %s", got.Method, got.ContentLength, body)
	}
	headers := make(map[string]string)
	for name := range got.Header {
		headers[name] = got.Header.Get(name)
	}
	delete(headers, "Accept-Encoding")
	delete(headers, "Content-Length")
	want := map[string]string{
		"Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Source": "/orders/IN", "Ce-Type": "order.created", "Ce-Count": "7",
		"Ce-Tenant": "b%20%C3%BC", "Ce-Region": "eu", "Content-Type": "application/json", "Prefer": "reply", "User-Agent": "fairlead",
	}
	if diff := cmp.Diff(want, headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if in.Extensions()["tenant"] != "a" {
		t.Error("the event that was received was changed")
	}
}

func TestAnswers(t *testing.T) {
	binary := map[string]string{"Ce-Specversion": "1.0", "Ce-Id": "a", "Ce-Source": "/s", "Ce-Type": "answer", "Content-Type": "text/plain"}
	structured := map[string]string{"Content-Type": "application/cloudevents+json; charset=utf-8"}
	const envelope = `{"specversion":"1.0","id":"a","source":"/s","type":"answer","data":"x"}`
	for name, tt := range map[string]struct {
		status int
		header map[string]string
		body   string
		answer string // the data of the answer
		says   string // or what the terminal error says
	}{
		"none":                {204, nil, "", "", ""},
		"binary":              {200, binary, "hello", "hello", ""},
		"binary, 202":         {202, binary, "hello", "hello", ""},
		"structured":          {200, structured, envelope, `"x"`, ""},
		"no event":            {200, map[string]string{"Content-Type": "text/html"}, "<p>ok", "", ""},
		"a broken event":      {200, structured, "{", "", "the answer is not valid"},
		"half an event":       {200, map[string]string{"Ce-Specversion": "1.0"}, "", "", "the answer is not valid"},
		"a batch":             {200, map[string]string{"Content-Type": "application/cloudevents-batch+json"}, "[" + envelope + "," + envelope + "]", "", "batch of 2 events"},
		"a batch of one":      {200, map[string]string{"Content-Type": "application/cloudevents-batch+json"}, "[" + envelope + "]", `"x"`, ""},
		"another format":      {200, map[string]string{"Content-Type": "application/cloudevents+avro"}, "x", "", "application/cloudevents+avro"},
		"more than is read":   {200, binary, strings.Repeat("x", maxAnswer+1), "", "longer than"},
		"a refusal and event": {400, binary, "hello", "", "the sink answered 400 Bad Request: hello"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				for name, v := range tt.header {
					w.Header().Set(name, v)
				}
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body) // the client may hang up
			})
			out, err := fromEnv(t, server, nil).Post(t.Context(), order())
			switch {
			case tt.says != "":
				if err == nil || !framework.IsTerminal(err) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("got %v, %v; want a terminal error that says %q", out, err, tt.says)
				}
			case err != nil:
				t.Errorf("got %v, want no error", err)
			case tt.answer == "" && out != nil:
				t.Errorf("got %v, want no answer", out)
			case tt.answer != "" && (out == nil || string(out.Data()) != tt.answer || out.Type() != "answer"):
				t.Errorf("got %v, want an event with %q", out, tt.answer)
			}
		})
	}
}

// The classes are those of Knative's dispatcher; test/knative compares them with
// the dispatcher itself.
func TestClasses(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var status int
		fmt.Sscan(strings.TrimPrefix(r.URL.Path, "/"), &status)
		w.Header().Set("Location", "/204") // is not followed
		w.WriteHeader(status)
		fmt.Fprintf(w, "because of %d", status)
	})
	retryable := map[int]bool{404: true, 408: true, 409: true, 429: true}
	for status := 300; status < 600; status++ {
		s := fromEnv(t, server, nil)
		s.URL += fmt.Sprint("/", status)
		_, err := s.Post(t.Context(), order())
		refusal, ok := errors.AsType[*Refusal](err)
		if !ok || refusal.Code != status || status != 304 && string(refusal.Body) != fmt.Sprint("because of ", status) {
			t.Fatalf("%d: got %v", status, err)
		}
		if want := !retryable[status] && status < 500; framework.IsTerminal(err) != want {
			t.Errorf("%d: got terminal %v, want %v", status, !want, want)
		}
		s.Client.CloseIdleConnections()
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		status int
		text   string
		want   time.Duration
	}{
		{503, "7", 7 * time.Second}, {429, "7", 7 * time.Second}, {500, "7", 0}, {503, "", 0}, {503, "soon", 0}, {503, "-3", -3 * time.Second},
		{503, "99999999", maxRetryAfter}, {503, now.Add(9 * time.Second).Format(http.TimeFormat), 9 * time.Second}, {503, now.Add(-time.Hour).Format(http.TimeFormat), -time.Hour},
	} {
		resp := &http.Response{StatusCode: tt.status, Header: http.Header{"Retry-After": {tt.text}}}
		if got := retryAfter(resp, now); got != tt.want {
			t.Errorf("%d %q: got %v, want %v", tt.status, tt.text, got, tt.want)
		}
		err := (&Sink{}).refused(&http.Response{StatusCode: 503, Header: http.Header{"Retry-After": {"3600"}}}, nil)
		if d, ok := framework.Delay(err); !ok || d != maxRetryAfter {
			t.Errorf("an hour: got %v, %v; want the bound %v", d, ok, maxRetryAfter)
		}
	}
}

// An event that nobody got is not to blame; one that somebody got and did not
// answer may be.
func TestNoAnswer(t *testing.T) {
	var s *Sink
	call := func(ctx context.Context) (error, error) {
		inv := new(framework.Invocation)
		_, err := s.Post(framework.NewContext(ctx, inv), order())
		return err, inv.Fault()
	}
	gone := serve(t, http.NotFound)
	s = fromEnv(t, gone, nil)
	gone.Close()
	if err, fault := call(t.Context()); !errors.Is(err, framework.ErrUnavailable) || fault == nil {
		t.Errorf("nobody listens: got %v, fault %v; want one that is unavailable", err, fault)
	}
	stranger := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(stranger.Close)
	stranger.Config.ErrorLog = log.New(io.Discard, "", 0) // it says that we do not trust it
	s = fromEnv(t, stranger, nil)
	if err, fault := call(t.Context()); !errors.Is(err, framework.ErrUnavailable) || fault == nil {
		t.Errorf("a certificate of nobody: got %v, fault %v; want one that is unavailable", err, fault)
	}
	s = fromEnv(t, serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), nil)
	err, fault := call(t.Context())
	if refusal, ok := errors.AsType[*Refusal](err); !ok || refusal.Code != 0 || fault != nil || framework.IsTerminal(err) {
		t.Errorf("it hangs up: got %v, fault %v; want a refusal without a status", err, fault)
	}
	release := make(chan struct{})
	slow := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-release })
	s = fromEnv(t, slow, map[string]string{"K_SINK_TIMEOUT": "1"})
	err, fault = call(t.Context())
	close(release)
	if _, ok := errors.AsType[*Refusal](err); !ok || fault != nil || framework.IsTerminal(err) {
		t.Errorf("it is too slow: got %v, fault %v; want a refusal", err, fault)
	}
}

func TestAuthorities(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	t.Cleanup(server.Close)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if _, err := fromEnv(t, server, map[string]string{"K_CA_CERTS": string(text)}).Post(t.Context(), order()); err != nil {
		t.Errorf("got %v, want none: K_CA_CERTS has its authority", err)
	}
}

// A cluster's trust bundles count as K_CA_CERTS does, and without them.
func TestTrustBundles(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	folder := t.TempDir()
	if pool, err := readAuthorities("", folder); pool != nil || err != nil {
		t.Errorf("nothing: got %v, %v; want none, for the system's", pool, err)
	}
	if err := os.Mkdir(filepath.Join(folder, "..2026"), 0o700); err != nil {
		t.Fatal(err)
	}
	save(t, filepath.Join(folder, "empty.pem"), "none")
	save(t, filepath.Join(folder, "ca.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	pool, err := readAuthorities("", folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.Certificate().Verify(x509.VerifyOptions{Roots: pool}); err != nil {
		t.Errorf("got %v, want the server's certificate to be trusted", err)
	}
	if _, err := readAuthorities("x", folder); err == nil || !strings.Contains(err.Error(), "K_CA_CERTS") {
		t.Errorf("got %v, want K_CA_CERTS to be refused", err)
	}
}

func save(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The token is read for each request, and an event that comes with an old one, or
// without one, is not to blame.
func TestToken(t *testing.T) {
	var wanted string
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+wanted {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	file := filepath.Join(t.TempDir(), "token")
	if _, err := FromEnv(server.URL, file, func(string) string { return "" }); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a token that is not there: got %v, want an error that names it", err)
	}
	save(t, file, "first.token\n")
	s, err := FromEnv(server.URL, file, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	post := func(want error) {
		t.Helper()
		_, err := s.Post(t.Context(), order())
		if !errors.Is(err, want) || err != nil && strings.Contains(err.Error(), "first.token") {
			t.Errorf("got %v, want %v and no token", err, want)
		}
	}
	wanted = "first.token"
	post(nil)
	wanted = "two"
	post(framework.ErrUnavailable)
	save(t, file, "two")
	post(nil)
	for _, text := range []string{"", "two\r\nX: first.token"} {
		save(t, file, text)
		post(framework.ErrUnavailable)
	}
	s.TokenFile = ""
	if _, err := s.Post(t.Context(), order()); !framework.IsTerminal(err) {
		t.Errorf("401 without a token: got %v, want what Knative makes of it", err)
	}
}

// Knative's token is for Knative's sink.
func TestFindToken(t *testing.T) {
	own, knatives := filepath.Join(t.TempDir(), "own"), filepath.Join(t.TempDir(), "knatives")
	check := func(named string, override bool, want string) {
		t.Helper()
		if got, err := findToken(named, knatives, override); got != want || err != nil {
			t.Errorf("%q, another sink %v: got %q, %v; want %q", named, override, got, err, want)
		}
	}
	check("", false, "")
	save(t, own, "a")
	save(t, knatives, "b")
	check("", false, knatives)
	check("", true, "")
	check(own, false, own)
	check(own, true, own)
	save(t, knatives, "\n")
	if _, err := findToken("", knatives, false); err == nil {
		t.Error("a token that is none: got no error")
	}
}

func TestAttributes(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for name, tt := range map[string]struct {
		refusal Refusal
		want    map[string]any
	}{
		"an answer":           {Refusal{URL: "http://s/", Code: 400, Body: []byte("no")}, map[string]any{"knativeerrordest": "http://s/", "knativeerrorcode": int32(400), "knativeerrordata": "bm8="}},
		"one without words":   {Refusal{URL: "http://s/", Code: 503}, map[string]any{"knativeerrordest": "http://s/", "knativeerrorcode": int32(503)}},
		"one with many words": {Refusal{URL: "http://s/", Code: 500, Body: []byte(long)}, map[string]any{"knativeerrordest": "http://s/", "knativeerrorcode": int32(500), "knativeerrordata": base64.StdEncoding.EncodeToString([]byte(long[:768]))}},
		"none": {Refusal{URL: "http://s/", err: io.ErrUnexpectedEOF}, map[string]any{
			"knativeerrordest": "http://s/", "knativeerrorcode": int32(500), "knativeerrordata": base64.StdEncoding.EncodeToString([]byte("dispatch error: post to the sink: unexpected EOF")),
		}},
	} {
		got := tt.refusal.Attributes()
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if data, ok := got["knativeerrordata"].(string); ok && len(data) > maxErrorData {
			t.Errorf("%s: got %d bytes, want at most %d", name, len(data), maxErrorData)
		}
	}
}

func TestFromEnv(t *testing.T) {
	for name, tt := range map[string]struct {
		flag string
		env  map[string]string
		says string
	}{
		"all":                      {"", map[string]string{"K_SINK": "http://s.default.svc", "K_CE_OVERRIDES": `{}`, "K_SINK_TIMEOUT": "5"}, ""},
		"nothing to override":      {"", map[string]string{"K_SINK": "http://s", "K_CE_OVERRIDES": `{"extensions":null}`, "K_SINK_TIMEOUT": "-1", "K_CA_CERTS": "\n"}, ""},
		"the flag wins":            {"https://s:8443/x", map[string]string{"K_SINK": "nonsense"}, ""},
		"no sink":                  {"", nil, "K_SINK"},
		"no URL":                   {"", map[string]string{"K_SINK": "s.default.svc"}, "K_SINK: expected a URL"},
		"a bad flag":               {"tcp://s", nil, "--sink: expected a URL"},
		"a password":               {"http://u:secret@s", nil, "and no user"},
		"overrides in no JSON":     {"http://s", map[string]string{"K_CE_OVERRIDES": "extensions"}, "K_CE_OVERRIDES: expected"},
		"two overrides":            {"http://s", map[string]string{"K_CE_OVERRIDES": "{} {}"}, "nothing after it"},
		"a name that is illegal":   {"http://s", map[string]string{"K_CE_OVERRIDES": `{"extensions":{"myTenant":"x"}}`}, `"myTenant"`},
		"a name that is taken":     {"http://s", map[string]string{"K_CE_OVERRIDES": `{"extensions":{"type":"x"}}`}, `"type"`},
		"certificates that are no": {"http://s", map[string]string{"K_CA_CERTS": "x"}, "K_CA_CERTS: found no certificate"},
		"a timeout of nothing":     {"http://s", map[string]string{"K_SINK_TIMEOUT": "0"}, "K_SINK_TIMEOUT"},
		"all of them":              {"x", map[string]string{"K_SINK_TIMEOUT": "5s"}, "--sink: expected a URL that begins with http:// or https:// and names a host, and no user\nK_SINK_TIMEOUT"},
	} {
		_, err := FromEnv(tt.flag, "", func(name string) string { return tt.env[name] })
		if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: got %v, want %q", name, err, tt.says)
		}
	}
}
