// Package security tells who calls by HTTP: by an API key, a name and a
// password, a signed token (JWT) or a client's certificate.
//
// A [Set] holds the definitions of a configuration, and a [Gate] lets in who one
// of several recognises. What is secret is kept as a hash, compared in constant
// time, and never part of an error.
package security

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
)

// A Set is the security definitions of one configuration. Its methods may be
// called from any goroutine.
type Set struct{ definitions map[string]*definition }

// A definition is one way to recognise callers.
type definition struct {
	name    string
	desired config.Security
	checker
}

// A checker looks for one kind of credentials.
type checker interface {
	// check returns who calls. The error is errAbsent if the request has no such
	// credentials, wraps errUnchecked if they cannot be checked now, and is
	// another if they are wrong.
	check(r *http.Request) (framework.Caller, error)

	// challenge is what WWW-Authenticate says to a caller who is not recognised
	// for the given reason.
	challenge(name string, err error) string

	// headers are those that hold credentials.
	headers() []string
}

var (
	errAbsent    = errors.New("no credentials")
	errWrong     = errors.New("wrong credentials")
	errUnchecked = errors.New("the credentials cannot be checked now")
)

// New returns the set of definitions, which config.Load has checked. Those that
// are as in old, which may be nil, are taken over with what they know. An error
// says which file cannot be read.
func New(definitions map[string]config.Security, old *Set) (*Set, error) {
	s := &Set{definitions: make(map[string]*definition, len(definitions))}
	var errs []error
	for name, c := range definitions {
		d, err := newDefinition(name, c, old)
		if err != nil {
			errs = append(errs, fmt.Errorf("security.%s: %w", name, err))
			continue
		}
		s.definitions[name] = d
	}
	return s, errors.Join(errs...)
}

func newDefinition(name string, c config.Security, old *Set) (*definition, error) {
	if same := old.same(name, c); same != nil {
		return same, nil
	}
	d := &definition{name: name, desired: c}
	var err error
	switch settings := c.Settings.(type) {
	case *config.APIKey:
		d.checker = newAPIKey(settings)
	case *config.Basic:
		d.checker = newBasic(settings)
	case *config.MTLS:
		d.checker, err = newMTLS(settings.CA)
	case *config.JWT:
		d.checker = newJWT(settings)
	default:
		err = fmt.Errorf("found type %q", c.Type)
	}
	return d, err
}

// same returns the definition of that name if it is the same, else nil.
func (s *Set) same(name string, c config.Security) *definition {
	if s == nil || s.definitions[name] == nil || !reflect.DeepEqual(s.definitions[name].desired, c) {
		return nil
	}
	return s.definitions[name]
}

// WantsCertificates reports whether a definition looks at client certificates, so
// that a server's TLS must ask for them.
func (s *Set) WantsCertificates() bool {
	for _, d := range s.definitions {
		if _, ok := d.checker.(*mtls); ok {
			return true
		}
	}
	return false
}

// Gate returns a gate that lets in who any of the named definitions recognises.
// Without names it is nil, which lets everybody in.
func (s *Set) Gate(names []string) *Gate {
	if len(names) == 0 {
		return nil
	}
	g := &Gate{}
	for _, name := range slices.Sorted(maps.Keys(s.definitions)) {
		if d := s.definitions[name]; slices.Contains(names, name) {
			g.admits = append(g.admits, d)
		} else {
			g.others = append(g.others, d)
		}
	}
	for _, d := range s.definitions {
		g.credentials = append(g.credentials, d.headers()...)
	}
	return g
}

// A Gate decides who may call.
type Gate struct {
	admits      []*definition // any of them lets in
	others      []*definition // whoever they recognise is known, and not allowed
	credentials []string      // headers
}

// Credentials are the headers that hold secrets, as net/http spells them.
func (g *Gate) Credentials() []string { return g.credentials }

// A Refusal says why somebody is not let in.
type Refusal struct {
	Status     int      // 401, 403, or 503 if the credentials cannot be checked now
	Challenges []string // values of WWW-Authenticate, with 401
	Detail     string   // for the caller; holds no secret
	Err        error    // for the log, with 503
}

// Admit returns who calls, or why they may not.
func (g *Gate) Admit(r *http.Request) (*framework.Caller, *Refusal) {
	refusal := &Refusal{Status: http.StatusUnauthorized, Detail: "no credentials were found that are accepted here"}
	for _, d := range g.admits {
		caller, err := d.check(r)
		switch {
		case err == nil:
			caller.Security = d.name
			return &caller, nil
		case errors.Is(err, errUnchecked):
			refusal.Err = fmt.Errorf("security.%s: %w", d.name, err)
		case !errors.Is(err, errAbsent):
			refusal.Detail = err.Error()
		}
		refusal.Challenges = append(refusal.Challenges, d.challenge(d.name, err))
	}
	if g.known(r) {
		return nil, &Refusal{Status: http.StatusForbidden, Detail: "these credentials are not accepted here"}
	}
	if refusal.Err != nil {
		return nil, &Refusal{Status: http.StatusServiceUnavailable, Detail: errUnchecked.Error(), Err: refusal.Err}
	}
	return nil, refusal
}

// known reports whether a definition recognises the caller that does not let in
// here.
func (g *Gate) known(r *http.Request) bool {
	return slices.ContainsFunc(g.others, func(d *definition) bool {
		_, err := d.check(r)
		return err == nil
	})
}
