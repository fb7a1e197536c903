package security_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/triggers/http/security"
)

// An issuer signs tokens and publishes its keys.
type issuer struct {
	*httptest.Server
	t     testing.TB
	keys  atomic.Pointer[jose.JSONWebKeySet]
	asked atomic.Int64
	down  atomic.Bool
}

func newIssuer(t testing.TB, keys ...jose.JSONWebKey) *issuer {
	i := &issuer{t: t}
	i.publish(keys...)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.asked.Add(1)
		if i.down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		if err := json.NewEncoder(w).Encode(i.keys.Load()); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) publish(keys ...jose.JSONWebKey) {
	set := new(jose.JSONWebKeySet)
	for _, k := range keys {
		if _, symmetric := k.Key.([]byte); !symmetric {
			k.Key = k.Key.(crypto.Signer).Public()
		}
		set.Keys = append(set.Keys, k)
	}
	i.keys.Store(set)
}

func (i *issuer) definition(algorithms ...string) config.Security {
	return config.Security{Type: "jwt", Settings: &config.JWT{Issuer: "https://id", Audience: "orders", JWKS: i.URL, Algorithms: algorithms}}
}

func ecKey(t testing.TB, id string) jose.JSONWebKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: k, KeyID: id, Use: "sig"}
}

// claims are good ones, with what the arguments change in pairs.
func claims(change ...any) map[string]any {
	c := map[string]any{"iss": "https://id", "aud": []string{"other", "orders"}, "sub": "jane", "exp": time.Now().Add(time.Hour).Unix(), "team": "a"}
	for i := 0; i < len(change); i += 2 {
		if c[change[i].(string)] = change[i+1]; change[i+1] == nil {
			delete(c, change[i].(string))
		}
	}
	return c
}

func sign(t testing.TB, a jose.SignatureAlgorithm, key any, c map[string]any) *http.Request {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: a, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(s).Claims(c).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return request("Authorization", "bearer "+text)
}

func TestTokens(t *testing.T) {
	es, other := ecKey(t, "es"), ecKey(t, "es")
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret := []byte("a secret that is long enough for it")
	rsJWK, edJWK := jose.JSONWebKey{Key: rs, KeyID: "rs", Algorithm: "RS256"}, jose.JSONWebKey{Key: ed, KeyID: "ed"}
	forEncryption := ecKey(t, "enc")
	forEncryption.Use = "enc"
	i := newIssuer(t, es, rsJWK, edJWK, forEncryption, jose.JSONWebKey{Key: secret, KeyID: "hs"})
	unsigned := func() *http.Request {
		enc := base64.RawURLEncoding.EncodeToString
		body, err := json.Marshal(claims())
		if err != nil {
			t.Fatal(err)
		}
		return request("Authorization", "Bearer "+enc([]byte(`{"alg":"none","kid":"es"}`))+"."+enc(body)+".")
	}
	public, err := json.Marshal(rsJWK.Public())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for name, tt := range map[string]struct {
		request *http.Request
		status  int
		detail  string
	}{
		"ES256":                    {sign(t, jose.ES256, es, claims()), 0, ""},
		"RS256":                    {sign(t, jose.RS256, rsJWK, claims()), 0, ""},
		"EdDSA":                    {sign(t, jose.EdDSA, edJWK, claims()), 0, ""},
		"one audience":             {sign(t, jose.ES256, es, claims("aud", "orders")), 0, ""},
		"expired within the skew":  {sign(t, jose.ES256, es, claims("exp", now.Add(-10*time.Second).Unix())), 0, ""},
		"expired":                  {sign(t, jose.ES256, es, claims("exp", now.Add(-time.Minute).Unix())), 401, "expired"},
		"never expires":            {sign(t, jose.ES256, es, claims("exp", nil)), 401, "does not expire"},
		"not valid yet":            {sign(t, jose.ES256, es, claims("nbf", now.Add(time.Minute).Unix())), 401, "not valid yet"},
		"issued in the future":     {sign(t, jose.ES256, es, claims("iat", now.Add(time.Minute).Unix())), 401, "not valid yet"},
		"another issuer":           {sign(t, jose.ES256, es, claims("iss", "https://evil")), 401, "another issuer"},
		"no issuer":                {sign(t, jose.ES256, es, claims("iss", nil)), 401, "another issuer"},
		"another audience":         {sign(t, jose.ES256, es, claims("aud", "billing")), 401, "another audience"},
		"no audience":              {sign(t, jose.ES256, es, claims("aud", nil)), 401, "another audience"},
		"a key with the same id":   {sign(t, jose.ES256, other, claims()), 401, "signature is not valid"},
		"a key nobody knows":       {sign(t, jose.ES256, ecKey(t, "new"), claims()), 401, "not one of its issuer's"},
		"no key named":             {sign(t, jose.ES256, es.Key, claims()), 401, "not one of its issuer's"},
		"a key for encryption":     {sign(t, jose.ES256, forEncryption, claims()), 401, "something else"},
		"an algorithm not listed":  {sign(t, jose.RS512, jose.JSONWebKey{Key: rs, KeyID: "rs"}, claims()), 401, "accepted"},
		"another algorithm":        {sign(t, jose.PS256, jose.JSONWebKey{Key: rs, KeyID: "rs"}, claims()), 401, "something else"},
		"no signature":             {unsigned(), 401, "accepted"},
		"a shared secret":          {sign(t, jose.HS256, jose.JSONWebKey{Key: secret, KeyID: "hs"}, claims()), 401, "accepted"},
		"the public key as secret": {sign(t, jose.HS256, jose.JSONWebKey{Key: public, KeyID: "rs"}, claims()), 401, "accepted"},
		"claims of another type":   {sign(t, jose.ES256, es, claims("exp", "tomorrow")), 401, "not valid"},
		"not a token":              {request("Authorization", "Bearer x.y"), 401, "accepted"},
		"endless":                  {request("Authorization", "Bearer "+strings.Repeat("x", 20_000)), 401, "longer"},
		"nothing":                  {request(), 401, "no credentials"},
		"an empty token":           {request("Authorization", "Bearer "), 401, "no credentials"},
	} {
		s := set(t, map[string]config.Security{"company": i.definition("ES256", "RS256", "PS256", "EdDSA")})
		caller, refusal := s.Gate([]string{"company"}).Admit(tt.request)
		switch {
		case refusal == nil && tt.status != 0:
			t.Errorf("%s: %+v was let in", name, caller)
		case refusal == nil && (caller.Name != "jane" || caller.Claims["team"] != "a" || caller.Security != "company"):
			t.Errorf("%s: got %+v", name, caller)
		case refusal != nil && (refusal.Status != tt.status || !strings.Contains(refusal.Detail, tt.detail)):
			t.Errorf("%s: got %+v, want %d with %q", name, refusal, tt.status, tt.detail)
		case refusal != nil && strings.Contains(refusal.Challenges[0], "invalid_token") != (refusal.Detail != "no credentials were found that are accepted here"):
			t.Errorf("%s: got challenge %q", name, refusal.Challenges)
		}
	}
}

// TestKeysAreKeptAndFetchedAgain lets time pass by the clock of a bubble, with an
// issuer that is called without a network.
func TestKeysAreKeptAndFetchedAgain(t *testing.T) {
	first, second := ecKey(t, "1"), ecKey(t, "2")
	i := newIssuer(t, first)
	handler := i.Config.Handler
	synctest.Test(t, func(t *testing.T) {
		s := set(t, map[string]config.Security{"company": i.definition("ES256")})
		s.UseTransport("company", roundTripper(func(r *http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			return w.Result(), nil
		}))
		gate := s.Gate([]string{"company"})
		check := func(what string, key jose.JSONWebKey, status int, asked int64) {
			t.Helper()
			_, refusal := gate.Admit(sign(t, jose.ES256, key, claims("exp", time.Now().Add(time.Hour).Unix())))
			got := 0
			if refusal != nil {
				got = refusal.Status
			}
			if got != status || i.asked.Load() != asked {
				t.Errorf("%s: got status %d after %d fetches, want %d after %d", what, got, i.asked.Load(), status, asked)
			}
		}
		check("the first time", first, 0, 1)
		check("from what is kept", first, 0, 1)
		check("an unknown key, at once", second, 401, 1)
		time.Sleep(10 * time.Second)
		check("an unknown key, later", second, 401, 2)
		i.publish(first, second)
		time.Sleep(10 * time.Second)
		check("a new key", second, 0, 3)
		check("the old one is still there", first, 0, 3)
		i.publish(second)
		time.Sleep(16 * time.Minute)
		check("fetched again: the old one is gone", first, 401, 4)
		i.down.Store(true)
		time.Sleep(16 * time.Minute)
		check("the issuer is down", second, 0, 5)
		check("not asked for each token", second, 0, 5)
		check("nobody knows about another", first, 503, 5)
		time.Sleep(24 * time.Hour)
		check("down for too long", second, 503, 6)
		i.down.Store(false)
		time.Sleep(10 * time.Second)
		check("up again", second, 0, 7)

		same, err := security.New(map[string]config.Security{"company": i.definition("ES256"), "keys": apiKey("")}, s)
		if err != nil {
			t.Fatal(err)
		}
		gate = same.Gate([]string{"company"})
		check("the keys outlive a change of something else", second, 0, 7)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAnIssuerThatDoesNotAnswer(t *testing.T) {
	i := newIssuer(t, ecKey(t, "1"))
	i.Close()
	_, refusal := set(t, map[string]config.Security{"company": i.definition("ES256")}).Gate([]string{"company"}).Admit(sign(t, jose.ES256, ecKey(t, "1"), claims()))
	if refusal == nil || refusal.Status != http.StatusServiceUnavailable || refusal.Err == nil || strings.Contains(refusal.Detail, i.URL) {
		t.Errorf("got %+v, want 503 with the reason for the log alone", refusal)
	}
}

func TestWhatIsNoKeySet(t *testing.T) {
	for name, answer := range map[string]string{
		"HTML": "<html>", "no keys": `{"keys":[]}`, "unknown kinds": `{"keys":[{"kty":"XYZ"},{"kty":"RSA","n":"AQ","e":""}]}`, "a list": `[]`, "too long": strings.Repeat(" ", 2<<20),
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if _, err := w.Write([]byte(answer)); err != nil {
				t.Log(err) // the client reads no more than it must
			}
		}))
		c := config.Security{Type: "jwt", Settings: &config.JWT{Issuer: "https://id", Audience: "orders", JWKS: server.URL, Algorithms: []string{"ES256"}}}
		_, refusal := set(t, map[string]config.Security{"company": c}).Gate([]string{"company"}).Admit(sign(t, jose.ES256, ecKey(t, "1"), claims()))
		if refusal == nil || refusal.Status != http.StatusServiceUnavailable {
			t.Errorf("%s: got %+v, want 503", name, refusal)
		}
		server.Close()
	}
}
