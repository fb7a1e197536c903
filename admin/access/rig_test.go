package access_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/admin/access"
	"github.com/fairlead/fairlead/outbox"
	"github.com/fairlead/fairlead/test/services"
)

const localToken = "the local token"

const password = "correct horse battery"

// openStore returns a store of its own that runs until the test ends, or stop is
// called.
func openStore(t testing.TB, url string) (store *outbox.Store, stop func()) {
	t.Helper()
	store, err := outbox.Open(outbox.Config{URL: url, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { store.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return store, stop
}

func stored(s *outbox.Store) func(context.Context) (*outbox.Store, error) {
	return func(context.Context) (*outbox.Store, error) { return s, nil }
}

// A rig is an Access that guards an API and pages, both of which say who asks.
type rig struct {
	*access.Access
	*httptest.Server
	t testing.TB
}

func newRig(t testing.TB, o access.Options) *rig { return newRigOn(t, o, httptest.NewServer) }

func newRigOn(t testing.TB, o access.Options, serve func(http.Handler) *httptest.Server) *rig {
	t.Helper()
	o.Token, o.Loopback = localToken, true
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := access.New(o)
	mux := http.NewServeMux()
	mux.Handle("/api/", a.Authenticate(http.HandlerFunc(who)))
	mux.Handle("/", a.Pages(http.HandlerFunc(who)))
	r := &rig{a, serve(mux), t}
	t.Cleanup(r.Close)
	return r
}

// who answers with who asks, and the token for forms.
func who(w http.ResponseWriter, r *http.Request) {
	id := access.From(r.Context())
	fmt.Fprintf(w, "%s %s %s\n%s", id.Name, id.Role, id.Kind, access.CSRF(r.Context()))
}

// withStore returns a rig with a store that has an account of each role, named
// after it.
func withStore(t testing.TB) *rig {
	t.Helper()
	store, _ := openStore(t, services.Postgres(t))
	r := newRig(t, access.Options{Store: stored(store)})
	for _, role := range []access.Role{access.Viewer, access.Operator, access.Admin} {
		if err := r.CreateAccount(t.Context(), role.String(), role, password); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// A browser keeps cookies, and follows no redirects.
type browser struct {
	*rig
	client *http.Client
}

func (r *rig) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	c := r.Client()
	return &browser{r, &http.Client{Transport: c.Transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// do makes a request and returns the answer with its body.
func (b *browser) do(method, path string, form url.Values, headers ...string) (*http.Response, string) {
	b.t.Helper()
	req, err := http.NewRequest(method, b.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp, string(body)
}

// signIn signs in and returns the status of the answer.
func (b *browser) signIn(name, password string) int {
	b.t.Helper()
	resp, _ := b.do("POST", "/signin", url.Values{"name": {name}, "password": {password}, "next": {"/topics?a=b"}})
	if resp.StatusCode == http.StatusSeeOther && resp.Header.Get("Location") != "/topics?a=b" {
		b.t.Errorf("got sent to %q, want the page that was asked for", resp.Header.Get("Location"))
	}
	return resp.StatusCode
}

// who returns who the browser is for the pages, and the token for forms; nobody if
// it is to sign in.
func (b *browser) who() (name, csrf string) {
	b.t.Helper()
	resp, body := b.do("GET", "/", nil)
	if resp.StatusCode == http.StatusSeeOther && strings.HasPrefix(resp.Header.Get("Location"), "/signin?") {
		return "", ""
	}
	if resp.StatusCode != http.StatusOK {
		b.t.Fatalf("got %s %s", resp.Status, body)
	}
	name, csrf, _ = strings.Cut(body, "\n")
	return name, csrf
}

// asks returns who the bearer of a token is for the API.
func (r *rig) asks(token string) string {
	r.t.Helper()
	resp, body := r.browser().do("GET", "/api/v1/x", nil, "Authorization", "Bearer "+token)
	if resp.StatusCode != http.StatusOK {
		r.t.Fatalf("got %s %s", resp.Status, body)
	}
	name, _, _ := strings.Cut(body, "\n")
	return strings.TrimSpace(name)
}

// eventually waits until f reports true.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 30 s: %s", what)
		}
	}
}
