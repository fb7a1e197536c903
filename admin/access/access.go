// Package access says who may use the management API and the dashboard:
// identities with roles, the token of a local program, tokens and accounts of
// the store, sessions of browsers, and signing in by a one-time link, a password
// or an OpenID provider.
//
// What a secret lets in is never kept, only its digest: SHA-256 of tokens and
// sessions, which are random, and Argon2id of passwords.
//
// A request goes through [Access.Authenticate] (the API) or [Access.Pages] (the
// dashboard), which find out who makes it; what is served says which [Role] it
// needs.
package access

import (
	"context"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/outbox"
	"github.com/fairlead/fairlead/triggers/http/rate"
)

// Options say who is let in.
type Options struct {
	// Token is the one of .fairlead/server.json, whose bearer is an admin named
	// LocalName. Empty: there is none.
	Token string

	// Store returns where accounts, tokens and sessions are kept, without waiting for
	// it; its error wraps ErrNoStore if there is no store. Nil: there is none.
	Store func(context.Context) (*outbox.Store, error)

	// Loopback says that the pages are served on a loopback address, and only to
	// who asks for one: a name of somebody else's that leads here is refused.
	Loopback bool

	// OIDC lets those in whom an OpenID provider knows; nil: there is none.
	OIDC *OIDC

	// Audit writes a change to the audit log, in the transaction that makes it. Tx
	// is nil for an attempt that changed nothing. Nil: there is no such log.
	Audit func(ctx context.Context, tx pgx.Tx, c Change) error

	Log *slog.Logger // default slog.Default()
}

// An Access recognises who makes a request. Its methods may be called from any
// goroutine.
type Access struct {
	Options
	local    digest // of the local token
	hasher   *hasher
	nobody   string        // the hash of no password
	attempts *rate.Limiter // to sign in, by account
	clients  *rate.Limiter // likewise, by address
	asking   chan struct{} // holds those who ask the store who somebody is
	seen     seen
	memory   memory
	logins   logins
	protect  *http.CrossOriginProtection
}

// Bounds of signing in: after so many attempts at once, so many an hour.
var (
	accountLimit = rate.Limit{PerSecond: 60. / 3600, Burst: 10}
	addressLimit = rate.Limit{PerSecond: 360. / 3600, Burst: 50}
)

// busyPause is when to try again if too many sign in at once.
const busyPause = 2 * time.Second

// maxAsking bounds how many connections to the store recognising takes: those who
// guess tokens must not keep functions from theirs.
const maxAsking = 4

// New returns an Access.
func New(o Options) *Access {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Access{
		Options: o, local: digestOf(o.Token), hasher: newHasher(), nobody: hashed{usual, make([]byte, saltLength), make([]byte, hashLength)}.String(),
		attempts: rate.New(accountLimit), clients: rate.New(addressLimit), asking: make(chan struct{}, maxAsking),
		protect: http.NewCrossOriginProtection(),
	}
}

// Authenticate hands each request on, with who makes it as [From] of its
// context: the bearer of a token, or of a session's cookie. It refuses a request
// that another site may have made somebody's browser send (403), and one that it
// cannot check (503), and leaves it to what is served which role is needed.
func (a *Access) Authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.expects(r.Host) {
			problem(w, http.StatusMisdirectedRequest, "this is not "+printable(r.Host))
			return
		}
		known, refused := a.identify(r)
		if refused != nil {
			refused.header(w.Header())
			problem(w, refused.status, refused.text)
			return
		}
		next.ServeHTTP(w, known)
	})
}

// A refusal is a request that goes no further.
type refusal struct {
	status int
	text   string
}

func (f *refusal) header(h http.Header) {
	if f.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "5")
	}
}

// identify returns r with who makes it. A token comes before a cookie.
func (a *Access) identify(r *http.Request) (*http.Request, *refusal) {
	id, err := a.bearer(r)
	if err == nil && id.Role == None && r.Header.Get("Authorization") == "" {
		return a.browser(r)
	}
	if err != nil {
		return nil, a.unchecked(r, err)
	}
	return r.WithContext(With(r.Context(), id)), nil
}

func (a *Access) unchecked(r *http.Request, err error) *refusal {
	a.Log.WarnContext(r.Context(), "it cannot be checked who makes a request", "err", err)
	return &refusal{http.StatusServiceUnavailable, "it cannot be checked who you are: the store is out of reach"}
}

// bearer recognises a token; nobody's is no error. Digests are compared, so that
// the time it takes tells nothing, not even the token's length.
func (a *Access) bearer(r *http.Request) (Identity, error) {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return Identity{}, nil
	}
	d := digestOf(given)
	if a.Token != "" && subtle.ConstantTimeCompare(d[:], a.local[:]) == 1 {
		return Identity{LocalName, Admin, Local}, nil
	}
	if !isToken(given) {
		return Identity{}, nil
	}
	return a.recognise(r.Context(), d, a.findToken)
}

// recognise returns whose secret has a digest; nobody's is no error. While the
// store is out of reach, who was recognised a short time ago still is.
func (a *Access) recognise(ctx context.Context, d digest, find func(context.Context, digest) (Identity, error)) (Identity, error) {
	known, age, ok := a.seen.get(d)
	if ok && age < seenFresh {
		return known, nil
	}
	id, err := a.ask(ctx, d, find)
	switch {
	case err == nil:
		a.seen.put(d, id)
		return id, nil
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrNoStore):
		a.seen.drop(d)
		return Identity{}, nil
	case ok && age < seenUsable:
		return known, nil
	}
	return Identity{}, err
}

// ask asks the store, which does not take long if it answers at all.
func (a *Access) ask(ctx context.Context, d digest, find func(context.Context, digest) (Identity, error)) (Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	select {
	case a.asking <- struct{}{}:
		defer func() { <-a.asking }()
		return find(ctx, d)
	case <-ctx.Done():
		return Identity{}, ctx.Err()
	}
}
