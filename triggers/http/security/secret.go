package security

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
)

// DefaultHeader holds an API key unless a definition says otherwise.
const DefaultHeader = "X-API-Key"

// A hash stands for a secret. Hashes are compared, so that the time it takes
// tells nothing, not even the secret's length.
type hash = [sha256.Size]byte

type apiKey struct {
	header string
	keys   []hash
}

func newAPIKey(c *config.APIKey) *apiKey {
	a := &apiKey{header: http.CanonicalHeaderKey(cmp.Or(c.Header, DefaultHeader))}
	for _, key := range c.Keys {
		if key != "" { // of a variable that is not set: no key at all
			a.keys = append(a.keys, sha256.Sum256([]byte(key)))
		}
	}
	return a
}

func (a *apiKey) check(r *http.Request) (framework.Caller, error) {
	given := r.Header[a.header]
	if len(given) != 1 || given[0] == "" {
		return framework.Caller{}, errAbsent
	}
	got := sha256.Sum256([]byte(given[0]))
	found := 0
	for _, key := range a.keys { // all of them, whichever it is
		found |= subtle.ConstantTimeCompare(got[:], key[:])
	}
	if found == 0 {
		return framework.Caller{}, fmt.Errorf("%w: the key in %s is not valid", errWrong, a.header)
	}
	return framework.Caller{}, nil
}

func (a *apiKey) challenge(name string, _ error) string {
	return fmt.Sprintf("ApiKey realm=%q, header=%q", name, a.header)
}

func (a *apiKey) headers() []string { return []string{a.header} }

type basic struct{ users map[string]hash }

func newBasic(c *config.Basic) *basic {
	b := &basic{users: make(map[string]hash, len(c.Users))}
	for user, password := range c.Users {
		if password != "" {
			b.users[user] = sha256.Sum256([]byte(password))
		}
	}
	return b
}

func (b *basic) check(r *http.Request) (framework.Caller, error) {
	user, password, ok := r.BasicAuth()
	if !ok {
		return framework.Caller{}, errAbsent
	}
	got := sha256.Sum256([]byte(password))
	want, known := b.users[user] // of an unknown user: a hash that no password has
	if subtle.ConstantTimeCompare(got[:], want[:]) != 1 || !known {
		return framework.Caller{}, fmt.Errorf("%w: no such user, or another password", errWrong)
	}
	return framework.Caller{Name: user}, nil
}

func (b *basic) challenge(name string, _ error) string {
	return fmt.Sprintf("Basic realm=%q, charset=\"UTF-8\"", name)
}

func (b *basic) headers() []string { return []string{"Authorization"} }
