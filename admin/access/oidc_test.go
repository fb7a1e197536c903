package access_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/fairlead/fairlead/admin/access"
	"github.com/fairlead/fairlead/test/services"
)

// A double is an OpenID provider that lets everybody in whom it is told to. It
// checks what a real one checks: the client, its secret, the redirect URI, that a
// code is used once, and PKCE.
type double struct {
	*httptest.Server
	key    *ecdsa.PrivateKey
	signer jose.Signer
	post   bool // the secret is taken in the form only

	mu     sync.Mutex
	codes  map[string]url.Values // the requests that they were given for
	claims map[string]any        // of the next ID token, beside the usual ones
	issuer string                // that it says it is; empty: its URL
}

func newDouble(t *testing.T) *double {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &double{key: key, signer: signer, codes: make(map[string]url.Values)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", d.configuration)
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("GET /authorize", d.authorize)
	mux.HandleFunc("POST /token", d.token)
	d.Server = httptest.NewServer(mux)
	t.Cleanup(d.Close)
	return d
}

func (d *double) configuration(w http.ResponseWriter, _ *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	issuer := d.issuer
	if issuer == "" {
		issuer = d.URL
	}
	doc := map[string]any{
		"issuer": issuer, "authorization_endpoint": d.URL + "/authorize?tenant=1", "token_endpoint": d.URL + "/token", "jwks_uri": d.URL + "/keys",
		"id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"},
	}
	if d.post {
		doc["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"}
	}
	json.NewEncoder(w).Encode(doc)
}

func (d *double) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || q.Get("client_id") != "fairlead" || q.Get("response_type") != "code" || !strings.Contains(q.Get("scope"), "openid") || q.Get("code_challenge_method") != "S256" || q.Get("nonce") == "" {
		http.Error(w, "a request that is not understood: "+q.Encode(), http.StatusBadRequest)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	code := rand.Text()
	d.codes[code] = q
	back.RawQuery = url.Values{"code": {code}, "state": {q.Get("state")}}.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func (d *double) token(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	user, secret, _ := r.BasicAuth()
	if d.post {
		user, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	secret, _ = url.QueryUnescape(secret)
	asked, ok := d.codes[r.PostFormValue("code")]
	delete(d.codes, r.PostFormValue("code"))
	challenge := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if user != "fairlead" || secret != "a secret: ü&" || !ok || asked.Get("redirect_uri") != r.PostFormValue("redirect_uri") ||
		asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(challenge[:]) {
		w.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(w).Encode(map[string]string{"error": "invalid_grant"})
		return
	}
	now := time.Now()
	claims := map[string]any{"iss": d.URL, "aud": "fairlead", "sub": "248289761001", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "nonce": asked.Get("nonce")}
	maps.Copy(claims, d.claims)
	text, err := jwt.Signed(d.signer).Claims(claims).Serialize()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	json.NewEncoder(w).Encode(map[string]string{"id_token": text, "access_token": "x", "token_type": "Bearer"})
}

func (d *double) will(claims map[string]any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.claims = claims
}

func (d *double) oidc() *access.OIDC {
	return &access.OIDC{
		Issuer: d.URL, ClientID: "fairlead", ClientSecret: "a secret: ü&", RoleClaim: "realm_access.roles",
		Roles: map[access.Role][]string{access.Viewer: {"staff"}, access.Operator: {"ops"}, access.Admin: {"root", "boss"}},
	}
}

// roles is the claim that the roles are read from.
func roles(names ...any) map[string]any {
	return map[string]any{"preferred_username": "jane", "realm_access": map[string]any{"roles": names}}
}

// visit goes where signing in leads to, until the provider has sent the browser
// back, and returns the last answer.
func (b *browser) visit() (*http.Response, string) {
	b.t.Helper()
	path := "/signin/oidc?next=/topics"
	resp, body := b.do("GET", path, nil)
	for range 2 {
		if resp.StatusCode != http.StatusSeeOther && resp.StatusCode != http.StatusFound {
			return resp, body
		}
		to := resp.Header.Get("Location")
		if inner, ok := strings.CutPrefix(to, b.URL); ok {
			resp, body = b.do("GET", inner, nil)
			continue
		}
		req, err := http.NewRequest("GET", to, nil)
		if err != nil {
			b.t.Fatal(err)
		}
		if resp, err = b.client.Do(req); err != nil {
			b.t.Fatal(err)
		}
		resp.Body.Close()
	}
	return resp, body
}

func TestSigningInWithAProvider(t *testing.T) {
	for name, post := range map[string]bool{"basic": false, "post": true} {
		t.Run(name, func(t *testing.T) {
			d := newDouble(t)
			d.post = post
			store, _ := openStore(t, services.Postgres(t))
			r := newRig(t, access.Options{Store: stored(store), OIDC: d.oidc()})
			for role, want := range map[string]string{"boss": "jane admin oidc", "ops": "jane operator oidc", "staff": "jane viewer oidc"} {
				d.will(roles("other", role, 7))
				b := r.browser()
				resp, body := b.visit()
				if resp.StatusCode != http.StatusOK || !strings.Contains(body, `url=/topics`) {
					t.Fatalf("%s: got %s %s", role, resp.Status, body)
				}
				if got, csrf := b.who(); got != want || csrf == "" {
					t.Errorf("%s: got %q, want %q", role, got, want)
				}
			}
		})
	}
}

func TestWhomTheProviderDoesNotLetIn(t *testing.T) {
	d := newDouble(t)
	r := newRig(t, access.Options{OIDC: d.oidc()})
	with := func(name string, value any) map[string]any {
		c := roles("boss")
		c[name] = value
		return c
	}
	for name, tt := range map[string]struct {
		claims map[string]any
		want   int
	}{
		"no role":         {roles("other"), 403},
		"no claim":        {map[string]any{"preferred_username": "jane"}, 403},
		"another type":    {map[string]any{"realm_access": 5}, 403},
		"another nonce":   {with("nonce", "x"), 502},
		"no nonce":        {with("nonce", nil), 502},
		"another client":  {with("aud", "other"), 502},
		"another party":   {with("azp", "other"), 502},
		"another issuer":  {with("iss", "https://example.com"), 502},
		"expired":         {with("exp", time.Now().Add(-time.Hour).Unix()), 502},
		"without an end":  {with("exp", nil), 502},
		"not yet":         {with("nbf", time.Now().Add(time.Hour).Unix()), 502},
		"a good one then": {roles("boss"), 200},
	} {
		d.will(tt.claims)
		b := r.browser()
		resp, body := b.visit()
		if resp.StatusCode != tt.want {
			t.Errorf("%s: got %s %s, want %d", name, resp.Status, body, tt.want)
		}
		if got, _ := b.who(); (got != "") != (tt.want == 200) {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestALoginBelongsToItsBrowser(t *testing.T) {
	d := newDouble(t)
	d.will(roles("boss"))
	r := newRig(t, access.Options{OIDC: d.oidc()})
	attacker, victim := r.browser(), r.browser()
	resp, _ := attacker.do("GET", "/signin/oidc", nil)
	to, err := http.NewRequest("GET", resp.Header.Get("Location"), nil)
	if err != nil {
		t.Fatal(err)
	}
	back, err := attacker.client.Do(to)
	if err != nil {
		t.Fatal(err)
	}
	back.Body.Close()
	path := strings.TrimPrefix(back.Header.Get("Location"), r.URL)
	if resp, _ := victim.do("GET", path, nil); resp.StatusCode != http.StatusBadGateway || len(resp.Cookies()) != 0 {
		t.Errorf("got %s for a login that began in another browser", resp.Status)
	}
	if resp, _ := attacker.do("GET", path, nil); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("got %s for a state that was used", resp.Status)
	}
	for _, path := range []string{"/signin/oidc/callback", "/signin/oidc/callback?state=x&code=y", "/signin/oidc/callback?error=access_denied"} {
		if resp, _ := attacker.do("GET", path, nil); resp.StatusCode != http.StatusBadGateway {
			t.Errorf("%s: got %s", path, resp.Status)
		}
	}
}

func TestAProviderThatIsWrong(t *testing.T) {
	d := newDouble(t)
	d.issuer = "https://example.com"
	r := newRig(t, access.Options{OIDC: d.oidc()})
	if resp, body := r.browser().visit(); resp.StatusCode != http.StatusBadGateway || !strings.Contains(body, "Signing in with the provider did not work") {
		t.Errorf("got %s for another issuer", resp.Status)
	}
	d.Close()
	if resp, _ := r.browser().visit(); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("got %s for a provider that is away", resp.Status)
	}
	if resp, body := r.browser().do("GET", "/signin", nil); resp.StatusCode != http.StatusOK || !strings.Contains(body, "/signin/oidc?next=") {
		t.Errorf("got %s without a link to the provider", resp.Status)
	}
}
