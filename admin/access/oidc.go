package access

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/triggers/http/rate"
	"github.com/fairlead/fairlead/triggers/http/security"
)

// An OIDC is an OpenID provider (OpenID Connect Core 1.0, authorization code flow
// with PKCE), and which roles those have whom it knows. Nothing is asked of it
// before somebody signs in.
type OIDC struct {
	Issuer       string // URL
	ClientID     string
	ClientSecret string   // empty: a public client
	Scopes       []string // beside openid; nil: profile, email
	NameClaim    string   // of the ID token; empty: preferred_username, email or sub, the first there is
	RoleClaim    string   // of the ID token, a text or a list; "a.b" is b in a
	Roles        map[Role][]string

	mu       sync.Mutex
	provider *provider
}

// A provider is what an issuer says of itself.
type provider struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	JWKS          string   `json:"jwks_uri"`
	Algorithms    []string `json:"id_token_signing_alg_values_supported"`
	Methods       []string `json:"token_endpoint_auth_methods_supported"`

	verifier *security.Verifier
	until    time.Time // then it is asked again
}

// Bounds of what a provider is asked.
const (
	providerTimeout = 10 * time.Second
	providerFresh   = time.Hour
	maxProvider     = 1 << 20 // bytes of an answer
)

var (
	// errProvider is wrapped by errors of the provider.
	errProvider = errors.New("OpenID provider")

	// errNoRole says that somebody is known and has no role.
	errNoRole = errors.New("no role")
)

var providerClient = &http.Client{Timeout: providerTimeout, CheckRedirect: func(*http.Request, []*http.Request) error {
	return errors.New("found a redirect, expected an answer")
}}

// name is the issuer's host, for people.
func (o *OIDC) name() string {
	u, err := url.Parse(o.Issuer)
	if err != nil {
		return o.Issuer
	}
	return u.Host
}

// discover asks the issuer what it is, at most once an hour.
func (o *OIDC) discover(ctx context.Context) (*provider, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.provider != nil && time.Now().Before(o.provider.until) {
		return o.provider, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(o.Issuer, "/")+"/.well-known/openid-configuration", nil)
	if err != nil {
		return nil, err
	}
	p := &provider{until: time.Now().Add(providerFresh)}
	if err := exchange(req, p); err != nil {
		return nil, fmt.Errorf("%w: discovery: %w", errProvider, err)
	}
	if p.Issuer != o.Issuer {
		return nil, fmt.Errorf("%w: discovery: found issuer %q, expected %q", errProvider, p.Issuer, o.Issuer)
	}
	for _, address := range []string{p.Authorization, p.Token, p.JWKS} {
		if !config.Fetchable(address) {
			return nil, fmt.Errorf("%w: discovery: found %q, expected a URL that begins with https://, or http:// on this machine", errProvider, address)
		}
	}
	p.verifier = security.NewVerifier(&config.JWT{Issuer: o.Issuer, Audience: o.ClientID, JWKS: p.JWKS, Algorithms: p.algorithms()})
	o.provider = p
	return p, nil
}

// algorithms are the signatures that the provider makes and that can be checked
// with a public key.
func (p *provider) algorithms() []string {
	known := []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
	return slices.DeleteFunc(slices.Clone(p.Algorithms), func(a string) bool { return !slices.Contains(known, a) })
}

// exchange sends a request and decodes the answer.
func exchange(req *http.Request, out any) error {
	req.Header.Set("Accept", "application/json")
	resp, err := providerClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxProvider))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		var said struct{ Error string } // RFC 6749, section 5.2
		if json.Unmarshal(data, &said) != nil || said.Error == "" {
			said.Error = "nothing"
		}
		return fmt.Errorf("found status %s, which says %s, expected 200", resp.Status, printable(said.Error))
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("found an answer that is not understood: %w", err)
	}
	return nil
}

// A login is one that has begun at the provider.
type login struct {
	browser  digest // of the secret in the browser's cookie
	nonce    string
	verifier string // PKCE
	redirect string
	next     string
	until    time.Time
}

// logins are those that have begun, by their state. The zero value is ready to use.
type logins struct {
	mu    sync.Mutex
	begun map[string]login
}

// Bounds of logins.
const (
	loginLife = 10 * time.Minute
	maxLogins = 1000
)

func (l *logins) put(state string, n login) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for k, v := range l.begun {
		if now.After(v.until) {
			delete(l.begun, k)
		}
	}
	if len(l.begun) >= maxLogins {
		return &WaitError{busyPause}
	}
	if l.begun == nil {
		l.begun = make(map[string]login)
	}
	l.begun[state] = n
	return nil
}

func (l *logins) take(state string) (login, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, ok := l.begun[state]
	delete(l.begun, state)
	return n, ok && time.Now().Before(n.until)
}

// The cookie that ties a login to its browser comes back with a request that the
// provider's page leads to, so that it cannot be SameSite=Strict.
func loginCookie(r *http.Request) *http.Cookie {
	return &http.Cookie{Name: cookieName(r) + "-login", Path: "/", Secure: r.TLS != nil, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// beginOIDC sends a browser to the provider.
func (a *Access) beginOIDC(w http.ResponseWriter, r *http.Request) {
	p := a.page(r.URL.Query().Get("next"))
	if !a.clients.Allow("oidc " + rate.Address(r)) {
		a.refuse(w, r, p, &WaitError{a.clients.Pause()})
		return
	}
	provider, err := a.OIDC.discover(r.Context())
	if err != nil {
		a.refuse(w, r, p, err)
		return
	}
	state, secret := newSecret(), newSecret()
	n := login{browser: digestOf(secret), nonce: newSecret(), verifier: newSecret(), redirect: callback(r), next: p.Next, until: time.Now().Add(loginLife)}
	if err := a.logins.put(state, n); err != nil {
		a.refuse(w, r, p, err)
		return
	}
	c := loginCookie(r)
	c.Value, c.MaxAge = secret, int(loginLife.Seconds())
	http.SetCookie(w, c)
	http.Redirect(w, r, a.OIDC.authorization(provider, state, n), http.StatusSeeOther)
}

// callback is the address that the provider sends browsers back to.
func callback(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + callbackPath
}

func (o *OIDC) authorization(p *provider, state string, n login) string {
	challenge := sha256.Sum256([]byte(n.verifier))
	scopes := o.Scopes
	if scopes == nil {
		scopes = []string{"profile", "email"}
	}
	q := url.Values{
		"response_type": {"code"}, "client_id": {o.ClientID}, "redirect_uri": {n.redirect}, "state": {state}, "nonce": {n.nonce},
		"scope":                 {strings.Join(append([]string{"openid"}, scopes...), " ")},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(challenge[:])},
		"code_challenge_method": {"S256"},
	}
	separator := "?"
	if strings.Contains(p.Authorization, "?") {
		separator = "&"
	}
	return p.Authorization + separator + q.Encode()
}

// endOIDC takes what the provider sends a browser back with.
func (a *Access) endOIDC(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p := a.page("")
	n, ok := a.logins.take(q.Get("state"))
	if c, err := r.Cookie(loginCookie(r).Name); !ok || err != nil || digestOf(c.Value) != n.browser {
		a.refuse(w, r, p, fmt.Errorf("%w: a login that did not begin here, or too long ago", errProvider))
		return
	}
	gone := loginCookie(r)
	gone.MaxAge = -1
	http.SetCookie(w, gone)
	p = a.page(n.next)
	if q.Get("code") == "" {
		a.refuse(w, r, p, fmt.Errorf("%w: it says %s", errProvider, printable(q.Get("error"))))
		return
	}
	id, err := a.OIDC.redeem(r.Context(), q.Get("code"), n)
	if err != nil {
		p.Name = id.Name
		a.refuse(w, r, p, err)
		return
	}
	secret, err := a.open(r.Context(), newSession(id, SessionMax))
	if err != nil {
		a.refuse(w, r, p, err)
		return
	}
	a.admit(w, r, id, secret)
	// The browser sends the new cookie only with what this page asks for: this
	// request, and what a redirect of it leads to, began on another site.
	p.Done = true
	a.show(w, r, http.StatusOK, p)
}

// redeem returns whom a code speaks of.
func (o *OIDC) redeem(ctx context.Context, code string, n login) (Identity, error) {
	p, err := o.discover(ctx)
	if err != nil {
		return Identity{}, err
	}
	req, err := o.tokenRequest(ctx, p, code, n)
	if err != nil {
		return Identity{}, err
	}
	var answer struct {
		IDToken string `json:"id_token"`
	}
	if err := exchange(req, &answer); err != nil {
		return Identity{}, fmt.Errorf("%w: token: %w", errProvider, err)
	}
	caller, err := p.verifier.Verify(ctx, answer.IDToken)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: ID token: %w", errProvider, err)
	}
	nonce, _ := caller.Claims["nonce"].(string)
	if subtle.ConstantTimeCompare([]byte(nonce), []byte(n.nonce)) != 1 {
		return Identity{}, fmt.Errorf("%w: ID token: found another nonce than was asked for", errProvider)
	}
	if azp, ok := caller.Claims["azp"].(string); ok && azp != o.ClientID {
		return Identity{}, fmt.Errorf("%w: ID token: found that it was issued to another client", errProvider)
	}
	id := Identity{Name: o.who(caller.Name, caller.Claims), Role: o.role(caller.Claims), Kind: OpenID}
	if id.Name == "" {
		return id, fmt.Errorf("%w: ID token: found no name of whom it speaks", errProvider)
	}
	if id.Role == None {
		return id, errNoRole
	}
	return id, nil
}

// tokenRequest asks for the tokens of a code, with the secret where the provider
// takes it.
func (o *OIDC) tokenRequest(ctx context.Context, p *provider, code string, n login) (*http.Request, error) {
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {n.redirect},
		"client_id": {o.ClientID}, "code_verifier": {n.verifier},
	}
	inForm := len(p.Methods) > 0 && !slices.Contains(p.Methods, "client_secret_basic")
	if o.ClientSecret != "" && inForm {
		form.Set("client_secret", o.ClientSecret)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Token, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if o.ClientSecret != "" && !inForm { // both are form-encoded first: RFC 6749, section 2.3.1
		req.SetBasicAuth(url.QueryEscape(o.ClientID), url.QueryEscape(o.ClientSecret))
	}
	return req, nil
}

func (o *OIDC) who(subject string, claims map[string]any) string {
	if o.NameClaim != "" {
		name, _ := claim(claims, o.NameClaim).(string)
		return printable(name)
	}
	name, _ := claims["preferred_username"].(string)
	email, _ := claims["email"].(string)
	return printable(cmp.Or(name, email, subject))
}

// role returns the highest role that the claim leads to.
func (o *OIDC) role(claims map[string]any) Role {
	var has []string
	switch v := claim(claims, o.RoleClaim).(type) {
	case string:
		has = []string{v}
	case []any:
		for _, item := range v {
			if s, ok := item.(string); ok {
				has = append(has, s)
			}
		}
	}
	for _, role := range []Role{Admin, Operator, Viewer} {
		if slices.ContainsFunc(o.Roles[role], func(s string) bool { return slices.Contains(has, s) }) {
			return role
		}
	}
	return None
}

// claim returns a claim by its name, or by the names of those that it is in.
func claim(claims map[string]any, name string) any {
	if v, ok := claims[name]; ok {
		return v
	}
	first, rest, ok := strings.Cut(name, ".")
	inner, isMap := claims[first].(map[string]any)
	if !ok || !isMap {
		return nil
	}
	return claim(inner, rest)
}
