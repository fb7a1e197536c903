package security

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
)

// DefaultSkew is how far clocks may be apart unless a definition says otherwise.
const DefaultSkew = 30 * time.Second

// maxToken is the longest token that is looked at.
const maxToken = 16 << 10

// token recognises callers by a JWT in Authorization: Bearer.
type token struct{ *Verifier }

func newJWT(c *config.JWT) *token { return &token{NewVerifier(c)} }

// A Verifier checks the tokens of one issuer. It fetches the issuer's keys when
// they are needed. Its methods may be called from any goroutine.
type Verifier struct {
	issuer, audience string
	algorithms       []jose.SignatureAlgorithm
	skew             time.Duration
	keys             *keySet
}

// NewVerifier returns a Verifier for what c describes.
func NewVerifier(c *config.JWT) *Verifier {
	t := &Verifier{issuer: c.Issuer, audience: c.Audience, skew: cmp.Or(c.Skew, DefaultSkew), keys: newKeySet(c.JWKS)}
	for _, a := range c.Algorithms {
		t.algorithms = append(t.algorithms, jose.SignatureAlgorithm(a))
	}
	if len(t.algorithms) == 0 {
		t.algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.ES256}
	}
	return t
}

func (t *token) check(r *http.Request) (framework.Caller, error) {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || text == "" {
		return framework.Caller{}, errAbsent
	}
	return t.Verify(r.Context(), text)
}

// Verify returns whom a token speaks of, by its subject and with all claims. The
// error does not repeat the token.
func (t *Verifier) Verify(ctx context.Context, text string) (framework.Caller, error) {
	if len(text) > maxToken {
		return framework.Caller{}, fmt.Errorf("%w: the token is longer than %d bytes", errWrong, maxToken)
	}
	parsed, err := jwt.ParseSigned(strings.TrimSpace(text), t.algorithms)
	if err != nil {
		return framework.Caller{}, fmt.Errorf("%w: no token with a signature that is accepted", errWrong)
	}
	key, err := t.key(ctx, parsed.Headers[0])
	if err != nil {
		return framework.Caller{}, err
	}
	var claims jwt.Claims
	var all map[string]any
	if err := parsed.Claims(key, &claims, &all); err != nil {
		return framework.Caller{}, fmt.Errorf("%w: the token's signature is not valid", errWrong)
	}
	if err := t.validate(claims); err != nil {
		return framework.Caller{}, err
	}
	return framework.Caller{Name: claims.Subject, Claims: all}, nil
}

// key returns the issuer's key that a token names.
func (t *Verifier) key(ctx context.Context, h jose.Header) (any, error) {
	k, err := t.keys.find(ctx, h.KeyID)
	if err != nil {
		return nil, err
	}
	if k.Algorithm != "" && k.Algorithm != h.Algorithm || k.Use != "" && k.Use != "sig" {
		return nil, fmt.Errorf("%w: the token's key is for something else", errWrong)
	}
	if !k.IsPublic() { // a shared secret: whoever checks with it could sign as well
		return nil, fmt.Errorf("%w: the token's key is not a public one", errWrong)
	}
	return k.Key, nil
}

func (t *Verifier) validate(c jwt.Claims) error {
	if c.Expiry == nil {
		return fmt.Errorf("%w: the token does not expire", errWrong)
	}
	err := c.ValidateWithLeeway(jwt.Expected{Issuer: t.issuer, AnyAudience: jwt.Audience{t.audience}, Time: time.Now()}, t.skew)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jwt.ErrExpired):
		return fmt.Errorf("%w: the token has expired", errWrong)
	case errors.Is(err, jwt.ErrNotValidYet), errors.Is(err, jwt.ErrIssuedInTheFuture):
		return fmt.Errorf("%w: the token is not valid yet", errWrong)
	}
	return fmt.Errorf("%w: the token is from another issuer or for another audience", errWrong)
}

// challenge follows RFC 6750, section 3.
func (t *token) challenge(name string, err error) string {
	s := fmt.Sprintf("Bearer realm=%q", name)
	if errors.Is(err, errWrong) {
		s += `, error="invalid_token"`
	}
	return s
}

func (t *token) headers() []string { return []string{"Authorization"} }
