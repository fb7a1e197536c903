package access_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/admin/access"
	"github.com/fairlead/fairlead/test/services"
)

func TestRoles(t *testing.T) {
	for _, r := range []access.Role{access.Viewer, access.Operator, access.Admin} {
		if got, err := access.ParseRole(r.String()); err != nil || got != r {
			t.Errorf("%s: got %v, %v", r, got, err)
		}
	}
	for _, text := range []string{"", "Admin", "root", "none"} {
		if got, err := access.ParseRole(text); err == nil || got != access.None {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
	if !(access.None < access.Viewer && access.Viewer < access.Operator && access.Operator < access.Admin) {
		t.Error("the roles are not in order")
	}
}

func TestTheLocalTokenNeedsNoStore(t *testing.T) {
	r := newRig(t, access.Options{})
	if got := r.asks(localToken); got != "local admin local" {
		t.Errorf("got %q", got)
	}
	if got := r.asks("other"); got != "" {
		t.Errorf("got %q for another token", got)
	}
	if _, err := r.Accounts(t.Context()); !errors.Is(err, access.ErrNoStore) {
		t.Errorf("got %v, want that there is no store", err)
	}
	if got := r.browser().signIn("jane", password); got != http.StatusNotImplemented {
		t.Errorf("got %d, want 501: there are no accounts", got)
	}
}

func TestAccounts(t *testing.T) {
	r := withStore(t)
	ctx := t.Context()
	for name, tt := range map[string]struct {
		do   func() error
		want error
	}{
		"taken":            {func() error { return r.CreateAccount(ctx, "viewer", access.Admin, password) }, access.ErrTaken},
		"local":            {func() error { return r.CreateAccount(ctx, "local", access.Admin, password) }, access.ErrInvalid},
		"no name":          {func() error { return r.CreateAccount(ctx, "", access.Admin, password) }, access.ErrInvalid},
		"a name in HTML":   {func() error { return r.CreateAccount(ctx, "<b>", access.Admin, password) }, access.ErrInvalid},
		"no role":          {func() error { return r.CreateAccount(ctx, "jane", access.None, password) }, access.ErrInvalid},
		"short":            {func() error { return r.CreateAccount(ctx, "jane", access.Admin, "short") }, access.ErrInvalid},
		"long":             {func() error { return r.CreateAccount(ctx, "jane", access.Admin, strings.Repeat("abcdefg", 40)) }, access.ErrInvalid},
		"one letter":       {func() error { return r.CreateAccount(ctx, "jane", access.Admin, strings.Repeat("ab", 10)) }, access.ErrInvalid},
		"the name in it":   {func() error { return r.CreateAccount(ctx, "jane", access.Admin, "my name is Jane") }, access.ErrInvalid},
		"a sequence":       {func() error { return r.CreateAccount(ctx, "jane", access.Admin, "qwertyuiopasdf") }, access.ErrInvalid},
		"a control":        {func() error { return r.SetPassword(ctx, "viewer", "correct horse\x00 battery") }, access.ErrInvalid},
		"delete nobody":    {func() error { return r.DeleteAccount(ctx, "nobody") }, access.ErrNotFound},
		"role of nobody":   {func() error { return r.SetRole(ctx, "nobody", access.Admin) }, access.ErrNotFound},
		"nobody's new one": {func() error { return r.SetPassword(ctx, "nobody", password) }, access.ErrNotFound},
	} {
		if err := tt.do(); !errors.Is(err, tt.want) || strings.Contains(err.Error(), password) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
	b := r.browser()
	b.signIn("viewer", password)
	all, err := r.Accounts(ctx)
	if err != nil || len(all) != 3 {
		t.Fatalf("got %v, %v", all, err)
	}
	if v := all[2]; v.Name != "viewer" || v.Role != access.Viewer || v.SignedIn == nil || v.Sessions != 1 || time.Since(v.Created) > time.Hour {
		t.Errorf("got %+v", v)
	}
}

func TestSigningIn(t *testing.T) {
	r := withStore(t)
	b := r.browser()
	for _, wrong := range [][2]string{{"viewer", "wrong"}, {"viewer", ""}, {"nobody", password}, {"", ""}, {"viewer", password + " "}} {
		resp, body := b.do("POST", "/signin", url.Values{"name": {wrong[0]}, "password": {wrong[1]}})
		if resp.StatusCode != http.StatusForbidden || !strings.Contains(body, "The name or the password is wrong.") || len(resp.Cookies()) != 0 {
			t.Errorf("%q: got %s with cookies %v", wrong, resp.Status, resp.Cookies())
		}
	}
	if got := b.signIn("viewer", password); got != http.StatusSeeOther {
		t.Fatalf("got %d", got)
	}
	name, csrf := b.who()
	if name != "viewer viewer account" || csrf == "" {
		t.Errorf("got %q with token %q", name, csrf)
	}
	if resp, _ := b.do("POST", "/signout", url.Values{}); resp.StatusCode != http.StatusForbidden {
		t.Errorf("got %s for a form without its token, want 403", resp.Status)
	}
	cookies := b.client.Jar.Cookies(must(url.Parse(b.URL)))
	if resp, _ := b.do("POST", "/signout", url.Values{"csrf": {csrf}}); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("got %s for signing out", resp.Status)
	}
	if name, _ := b.who(); name != "" {
		t.Errorf("got %q after signing out", name)
	}
	b.client.Jar.SetCookies(must(url.Parse(b.URL)), cookies) // replayed
	if name, _ := b.who(); name != "" {
		t.Errorf("got %q with a cookie of a session that has ended", name)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestWhatEndsSessions(t *testing.T) {
	const other = "another horse battery"
	for name, tt := range map[string]struct {
		do   func(context.Context, *rig) error
		then string // the password that lets in
	}{
		"password":     {func(ctx context.Context, r *rig) error { return r.SetPassword(ctx, "viewer", other) }, other},
		"role":         {func(ctx context.Context, r *rig) error { return r.SetRole(ctx, "viewer", access.Admin) }, password},
		"deletion":     {func(ctx context.Context, r *rig) error { return r.DeleteAccount(ctx, "viewer") }, ""},
		"own password": {func(ctx context.Context, r *rig) error { return r.ChangePassword(ctx, "here", password, other) }, other},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := services.Postgres(t)
			one, _ := openStore(t, url)
			two, _ := openStore(t, url)
			r, replica := newRig(t, access.Options{Store: stored(one)}), newRig(t, access.Options{Store: stored(two)})
			if err := r.CreateAccount(t.Context(), "viewer", access.Viewer, password); err != nil {
				t.Fatal(err)
			}
			b, elsewhere := r.browser(), replica.browser()
			b.signIn("viewer", password)
			elsewhere.signIn("viewer", password)
			ctx := access.With(t.Context(), access.Identity{Name: "viewer", Role: access.Viewer, Kind: access.Account})
			if err := r.ChangePassword(ctx, "here", "wrong", other); !errors.Is(err, access.ErrRefused) {
				t.Errorf("got %v for a wrong present password", err)
			}
			if err := tt.do(ctx, r); err != nil {
				t.Fatal(err)
			}
			if name, _ := b.who(); name != "" {
				t.Errorf("got %q, want that its session has ended at once", name)
			}
			eventually(t, "a session on another replica goes on", func() bool { name, _ := elsewhere.who(); return name == "" })
			if tt.then != password && b.signIn("viewer", password) != http.StatusForbidden {
				t.Error("the old password lets in")
			}
			if tt.then != "" && b.signIn("viewer", tt.then) != http.StatusSeeOther {
				t.Error("the password does not let in")
			}
		})
	}
}

func TestTokens(t *testing.T) {
	r := withStore(t)
	ctx := access.With(t.Context(), access.Identity{Name: "jane", Role: access.Admin, Kind: access.Account})
	token, err := r.CreateToken(ctx, "ci", access.Operator, time.Time{})
	if err != nil || !strings.HasPrefix(token, "fl_") || len(token) != 46 {
		t.Fatalf("got %q, %v", token, err)
	}
	if got := r.asks(token); got != "ci operator token" {
		t.Errorf("got %q", got)
	}
	if got := r.asks(token[:45] + "A"); got != "" && token[45] != 'A' {
		t.Errorf("got %q for another token", got)
	}
	if _, err := r.CreateToken(ctx, "ci", access.Admin, time.Time{}); !errors.Is(err, access.ErrTaken) {
		t.Errorf("got %v for a name that is taken", err)
	}
	if _, err := r.CreateToken(ctx, "old", access.Admin, time.Now().Add(-time.Hour)); !errors.Is(err, access.ErrInvalid) {
		t.Errorf("got %v for a token that has expired", err)
	}
	short, err := r.CreateToken(ctx, "short", access.Viewer, time.Now().Add(2*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	all, err := r.Tokens(ctx)
	if err != nil || len(all) != 2 || all[0].Name != "ci" || all[0].CreatedBy != "jane" || all[0].Used == nil || all[0].Expires != nil || all[1].Expires == nil {
		t.Errorf("got %+v, %v", all, err)
	}
	eventually(t, "a token does not expire", func() bool { return r.asks(short) == "" })
	if err := r.RevokeToken(ctx, "ci"); err != nil {
		t.Fatal(err)
	}
	if got := r.asks(token); got != "" {
		t.Errorf("got %q after it was revoked", got)
	}
	if err := r.RevokeToken(ctx, "ci"); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestOneTimeLinks(t *testing.T) {
	for name, o := range map[string]func(t *testing.T) access.Options{
		"in the store": func(t *testing.T) access.Options {
			store, _ := openStore(t, services.Postgres(t))
			return access.Options{Store: stored(store)}
		},
		"in memory": func(*testing.T) access.Options { return access.Options{} },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, o(t))
			local := access.With(t.Context(), access.Identity{Name: "local", Role: access.Admin, Kind: access.Local})
			path, err := r.Link(local)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Link(access.With(t.Context(), access.Identity{Name: "ci", Role: access.Admin, Kind: access.Token})); err == nil {
				t.Error("got a link for somebody without the local token")
			}
			once := must(url.Parse(path)).Query().Get("once")
			b := r.browser()
			for range 3 { // looking at it does not use it up
				if resp, body := b.do("GET", path, nil); resp.StatusCode != http.StatusOK || !strings.Contains(body, once) || len(resp.Cookies()) != 0 {
					t.Fatalf("got %s", resp.Status)
				}
			}
			b.client.Jar.SetCookies(must(url.Parse(b.URL)), []*http.Cookie{{Name: "fairlead-" + must(url.Parse(b.URL)).Port(), Value: once}})
			if name, _ := b.who(); name != "" {
				t.Errorf("a link's secret is a session of %s", name)
			}
			if resp, _ := b.do("POST", "/signin", url.Values{"once": {once}}, "Sec-Fetch-Site", "cross-site"); resp.StatusCode != http.StatusForbidden {
				t.Errorf("got %s for another site's form", resp.Status)
			}
			if resp, _ := b.do("POST", "/signin", url.Values{"once": {once}, "next": {"https://example.com/"}}); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/" {
				t.Errorf("got %s to %s", resp.Status, resp.Header.Get("Location"))
			}
			if name, _ := b.who(); name != "local admin local" {
				t.Errorf("got %q", name)
			}
			other := r.browser()
			for _, again := range []string{once, strings.Repeat("A", 43), "short", "<script>"} {
				if resp, body := other.do("POST", "/signin", url.Values{"once": {again}}); resp.StatusCode != http.StatusForbidden || !strings.Contains(body, "used already") {
					t.Errorf("%s: got %s", again, resp.Status)
				}
			}
		})
	}
}

func TestSigningInIsLimited(t *testing.T) {
	r := withStore(t)
	b := r.browser()
	refused := 0
	for range 12 {
		resp, _ := b.do("POST", "/signin", url.Values{"name": {"viewer"}, "password": {"wrong"}})
		if resp.StatusCode == http.StatusTooManyRequests {
			refused++
			if resp.Header.Get("Retry-After") == "" {
				t.Error("got no Retry-After")
			}
		}
	}
	if refused == 0 {
		t.Error("got 12 attempts at one account, want fewer")
	}
	if got := b.signIn("viewer", password); got != http.StatusTooManyRequests {
		t.Errorf("got %d for the right password after too many wrong ones, want 429", got)
	}
	if got := b.signIn("operator", password); got != http.StatusSeeOther {
		t.Errorf("got %d for another account, want to be let in", got)
	}
}

func TestWhatAnotherSiteMakesABrowserSend(t *testing.T) {
	r := withStore(t)
	b := r.browser()
	b.signIn("admin", password)
	_, csrf := b.who()
	cookie := b.client.Jar.Cookies(must(url.Parse(b.URL)))[0].String()
	for name, tt := range map[string]struct {
		path    string
		form    url.Values
		headers []string
		want    int
	}{
		"form":                   {"/pages/x", url.Values{"csrf": {csrf}}, nil, 200},
		"without token":          {"/pages/x", url.Values{}, nil, 403},
		"wrong token":            {"/pages/x", url.Values{"csrf": {csrf[1:]}}, nil, 403},
		"script":                 {"/api/v1/x", nil, []string{"X-CSRF-Token", csrf}, 200},
		"script without token":   {"/api/v1/x", nil, nil, 403},
		"token in the query":     {"/pages/x?csrf=" + csrf, url.Values{}, nil, 403},
		"same origin":            {"/pages/x", url.Values{"csrf": {csrf}}, []string{"Sec-Fetch-Site", "same-origin", "Origin", b.URL}, 200},
		"other site":             {"/pages/x", url.Values{"csrf": {csrf}}, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"other site, old":        {"/pages/x", url.Values{"csrf": {csrf}}, []string{"Origin", "https://example.com"}, 403},
		"other port of the host": {"/pages/x", url.Values{"csrf": {csrf}}, []string{"Sec-Fetch-Site", "same-site"}, 403},
		"other host name":        {"/pages/x", url.Values{"csrf": {csrf}}, []string{"Host", "fairlead.example.com"}, 421},
		"other host name, API":   {"/api/v1/x", nil, []string{"Host", "fairlead.example.com", "X-CSRF-Token", csrf}, 421},
		"localhost":              {"/pages/x", url.Values{"csrf": {csrf}}, []string{"Host", "localhost:8183"}, 200},
		"IPv6":                   {"/pages/x", url.Values{"csrf": {csrf}}, []string{"Host", "[::1]:8183"}, 200},
		"not loopback":           {"/pages/x", url.Values{"csrf": {csrf}}, []string{"Host", "192.0.2.1"}, 421},
		"a form that is none":    {"/pages/x", nil, []string{"Content-Type", "multipart/form-data; boundary="}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			if resp, body := b.do("POST", tt.path, tt.form, append(tt.headers, "Cookie", cookie)...); resp.StatusCode != tt.want {
				t.Errorf("got %s %s, want %d", resp.Status, body, tt.want)
			}
		})
	}
	if resp, _ := r.browser().do("POST", "/api/v1/x", nil, "Authorization", "Bearer "+localToken, "Sec-Fetch-Site", "cross-site"); resp.StatusCode != 200 {
		t.Errorf("got %s for a token, which no browser sends by itself", resp.Status)
	}
}

func TestHeadersOfPages(t *testing.T) {
	r := newRig(t, access.Options{})
	resp, _ := r.browser().do("GET", "/signin", nil)
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		"Cross-Origin-Opener-Policy": "same-origin", "Strict-Transport-Security": "",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	policy := resp.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("got policy %q without %s", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("got policy %q", policy)
	}
	resp, _ = r.browser().do("GET", "/topics/x?a=b&c=%3C", nil)
	if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || got != "/signin?next=%2Ftopics%2Fx%3Fa%3Db%26c%3D%253C" {
		t.Errorf("got %s to %q", resp.Status, got)
	}
	if resp, _ := r.browser().do("GET", "/static/app.css", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("got %s for a style sheet", resp.Status)
	}
	if resp, _ := r.browser().do("DELETE", "/topics", nil); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %s for a change by nobody", resp.Status)
	}
}

func TestCookies(t *testing.T) {
	store, _ := openStore(t, services.Postgres(t))
	for name, tt := range map[string]struct {
		serve  func(http.Handler) *httptest.Server
		secure bool
	}{
		"clear": {httptest.NewServer, false},
		"TLS":   {httptest.NewTLSServer, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRigOn(t, access.Options{Store: stored(store)}, tt.serve)
			if err := r.CreateAccount(t.Context(), "jane-"+name, access.Viewer, password); err != nil {
				t.Fatal(err)
			}
			b := r.browser()
			resp, _ := b.do("POST", "/signin", url.Values{"name": {"jane-" + name}, "password": {password}})
			if len(resp.Cookies()) != 1 {
				t.Fatalf("got cookies %v", resp.Cookies())
			}
			c := resp.Cookies()[0]
			if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || c.Secure != tt.secure || strings.HasPrefix(c.Name, "__Host-") != tt.secure {
				t.Errorf("got %s", c)
			}
			if who, _ := b.who(); who != "jane-"+name+" viewer account" {
				t.Errorf("got %q", who)
			}
			if hsts := resp.Header.Get("Strict-Transport-Security"); (hsts != "") != tt.secure {
				t.Errorf("got Strict-Transport-Security %q", hsts)
			}
			before := c.Value
			resp, _ = b.do("POST", "/signin", url.Values{"name": {"jane-" + name}, "password": {password}})
			if again := resp.Cookies()[0].Value; again == before {
				t.Error("got the same session after signing in again")
			}
			fixed := r.browser()
			fixed.client.Jar.SetCookies(must(url.Parse(b.URL)), []*http.Cookie{{Name: c.Name, Value: before, Secure: tt.secure, Path: "/"}})
			if who, _ := fixed.who(); who != "" {
				t.Errorf("got %q by the session before signing in again", who)
			}
		})
	}
}

func TestOneIsStillKnownWhileTheStoreIsAway(t *testing.T) {
	store, stop := openStore(t, services.Postgres(t))
	r := newRig(t, access.Options{Store: stored(store)})
	if err := r.CreateAccount(t.Context(), "jane", access.Operator, password); err != nil {
		t.Fatal(err)
	}
	token, err := r.CreateToken(t.Context(), "ci", access.Viewer, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	b := r.browser()
	b.signIn("jane", password)
	if name, _ := b.who(); name != "jane operator account" {
		t.Fatalf("got %q", name)
	}
	if got := r.asks(token); got != "ci viewer token" {
		t.Fatalf("got %q", got)
	}
	stop()
	eventually(t, "what is remembered is not forgotten", func() bool {
		resp, _ := b.do("GET", "/api/v1/x", nil, "Authorization", "Bearer fl_"+strings.Repeat("A", 43))
		return resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != ""
	})
	time.Sleep(1100 * time.Millisecond) // longer than one is known without asking
	if name, _ := b.who(); name != "jane operator account" {
		t.Errorf("got %q", name)
	}
	if got := r.asks(token); got != "ci viewer token" {
		t.Errorf("got %q", got)
	}
	if got := r.browser().signIn("jane", password); got != http.StatusServiceUnavailable {
		t.Errorf("got %d for signing in, want 503", got)
	}
	path, err := r.Link(access.With(t.Context(), access.Identity{Name: "local", Role: access.Admin, Kind: access.Local}))
	if err != nil {
		t.Fatal(err)
	}
	other := r.browser()
	if resp, _ := other.do("POST", "/signin", url.Values{"once": {must(url.Parse(path)).Query().Get("once")}}); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("got %s for a link", resp.Status)
	}
	if name, _ := other.who(); name != "local admin local" {
		t.Errorf("got %q", name)
	}
}

func TestNothingSecretIsLoggedOrAudited(t *testing.T) {
	var log bytes.Buffer
	var changes []access.Change
	store, _ := openStore(t, services.Postgres(t))
	r := newRig(t, access.Options{
		Store: stored(store), Log: slog.New(slog.NewJSONHandler(&log, nil)),
		Audit: func(_ context.Context, _ pgx.Tx, c access.Change) error { changes = append(changes, c); return nil },
	})
	ctx := access.With(t.Context(), access.Identity{Name: "boss", Role: access.Admin, Kind: access.Account})
	if err := r.CreateAccount(ctx, "jane", access.Operator, password); err != nil {
		t.Fatal(err)
	}
	token, err := r.CreateToken(ctx, "ci", access.Viewer, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	b := r.browser()
	b.signIn("jane", password)
	b.signIn("jane", "not the password")
	b.signIn("nobody\n\x1b[31m", "not the password")
	cookie := b.client.Jar.Cookies(must(url.Parse(b.URL)))[0].Value
	if err := r.SetRole(ctx, "jane", access.Admin); err != nil {
		t.Fatal(err)
	}
	r.Close() // the handlers have written all they have
	for _, secret := range []string{password, "not the password", token, cookie, "argon2"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	for _, want := range []string{`"signed in"`, `"not signed in"`, `"accounts created"`, `"tokens created"`, `"by":"boss"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %s:\n%s", want, &log)
		}
	}
	want := []access.Change{
		{Kind: "accounts", Name: "jane", Action: "created", After: "operator"},
		{Kind: "tokens", Name: "ci", Action: "created", After: "viewer"},
		{Kind: "sessions", Name: "jane", Action: "refused", After: "127.0.0.1"},
		{Kind: "sessions", Name: "nobody��[31m", Action: "refused", After: "127.0.0.1"},
		{Kind: "accounts", Name: "jane", Action: "changed", Before: "operator", After: "admin"},
	}
	if len(changes) != len(want) {
		t.Fatalf("got %v, want %v", changes, want)
	}
	for i := range want {
		if changes[i] != want[i] {
			t.Errorf("got %+v, want %+v", changes[i], want[i])
		}
	}
}
