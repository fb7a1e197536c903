package access

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// How long a session lasts.
const (
	SessionIdle = time.Hour      // after the last request
	SessionMax  = 12 * time.Hour // after signing in
)

// LinkLife is how long a one-time link can be used.
const LinkLife = 15 * time.Minute

// link is the kind of what a one-time link stands for until it is used.
const link Kind = "link"

// A session is what a secret in a cookie or a link stands for.
type session struct {
	Identity
	hash          string // of the password that opened it, for an account
	seen, expires time.Time
}

func newSession(id Identity, life time.Duration) session {
	return session{Identity: id, seen: time.Now(), expires: time.Now().Add(life)}
}

func (s session) valid(now time.Time) bool {
	return now.Before(s.expires) && (s.Kind == link || now.Before(s.seen.Add(SessionIdle)))
}

// open begins a session and returns its secret. Where the store is not there, or
// does not answer, those that need no account are kept in memory.
func (a *Access) open(ctx context.Context, s session) (secret string, err error) {
	secret = newSecret()
	short, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	err = a.keepSession(short, digestOf(secret), s)
	if s.Kind != Account && (errors.Is(err, ErrNoStore) || errors.Is(err, ErrUnavailable)) {
		a.memory.put(digestOf(secret), s)
		return secret, nil
	}
	return secret, err
}

// storePatience is how long a session waits for the store.
const storePatience = 5 * time.Second

func (a *Access) keepSession(ctx context.Context, d digest, s session) error {
	return a.do(ctx, "open a session", func(ctx context.Context, q query) error {
		if _, err := q.exec(ctx, `delete from {schema}.session where expires_at < now() or kind <> 'link' and seen_at < now() - $1::interval`, SessionIdle); err != nil {
			return err
		}
		left := time.Until(s.expires)
		if s.Kind != Account {
			_, err := q.exec(ctx, `insert into {schema}.session (hash, kind, name, role, expires_at) values ($1, $2, $3, $4, now() + $5::interval)`,
				d[:], string(s.Kind), s.Name, s.Role.String(), left)
			return err
		}
		// The password may have changed since it was checked: then it opens nothing.
		n, err := q.exec(ctx, `insert into {schema}.session (hash, kind, name, account, role, expires_at)
			select $1, 'account', name, name, role, now() + $4::interval from {schema}.account where name = $2 and password = $3 for share`,
			d[:], s.Name, s.hash, left)
		if err == nil && n == 0 {
			err = ErrRefused
		}
		if err != nil {
			return err
		}
		_, err = q.exec(ctx, `update {schema}.account set signed_in_at = now() where name = $1`, s.Name)
		return err
	})
}

// findSession returns whose session has a digest, and notes once a minute that it
// is used.
func (a *Access) findSession(ctx context.Context, d digest) (Identity, error) {
	if s, ok := a.memory.use(d); ok {
		return s.Identity, nil
	}
	var id Identity
	err := a.do(ctx, "look up a session", func(ctx context.Context, q query) error {
		var kind, role string
		var stale bool
		err := q.row(ctx, `select s.kind, s.name, coalesce(a.role, s.role), s.seen_at < now() - interval '1 minute'
			from {schema}.session s left join {schema}.account a on a.name = s.account
			where s.hash = $1 and s.kind <> 'link' and s.expires_at > now() and s.seen_at > now() - $2::interval`, d[:], SessionIdle).Scan(&kind, &id.Name, &role, &stale)
		if err != nil {
			return orAbsent(err, "session", "")
		}
		id.Kind = Kind(kind)
		if id.Role, err = ParseRole(role); err != nil || !stale {
			return err
		}
		_, err = q.exec(ctx, `update {schema}.session set seen_at = now() where hash = $1`, d[:])
		return err
	})
	return id, err
}

// end ends a session.
func (a *Access) end(ctx context.Context, secret string) error {
	d := digestOf(secret)
	defer a.seen.clear()
	if _, ok := a.memory.take(d); ok {
		return nil
	}
	return a.do(ctx, "end a session", func(ctx context.Context, q query) error {
		_, err := q.exec(ctx, `delete from {schema}.session where hash = $1`, d[:])
		return err
	})
}

// Link returns the path and query of a page that signs somebody in as who asks,
// once, within [LinkLife]. Only the bearer of the local token can ask.
func (a *Access) Link(ctx context.Context) (string, error) {
	id := From(ctx)
	if id.Kind != Local {
		return "", fmt.Errorf("%w: a link for signing in is only for who has the token of .fairlead/server.json", ErrInvalid)
	}
	return a.newLink(ctx)
}

func (a *Access) newLink(ctx context.Context) (string, error) {
	secret, err := a.open(ctx, newSession(Identity{LocalName, Admin, link}, LinkLife))
	if err != nil {
		return "", err
	}
	return "/signin?once=" + secret, nil
}

// useLink makes a session of a link, which is of no more use then. The error of
// one that is wrong, used or too old is [ErrRefused].
func (a *Access) useLink(ctx context.Context, secret string) (id Identity, cookie string, err error) {
	if !isSecret(secret) {
		return id, "", ErrRefused
	}
	d := digestOf(secret)
	s, ok := a.memory.take(d)
	if !ok || s.Kind != link {
		err := a.do(ctx, "use a link", func(ctx context.Context, q query) error {
			var n int
			return q.row(ctx, `delete from {schema}.session where hash = $1 and kind = 'link' and expires_at > now() returning 1`, d[:]).Scan(&n)
		})
		switch {
		case errors.Is(err, pgx.ErrNoRows) || errors.Is(err, ErrNoStore):
			return id, "", ErrRefused
		case err != nil:
			return id, "", err
		}
	}
	id = Identity{LocalName, Admin, Local}
	cookie, err = a.open(ctx, newSession(id, SessionMax))
	return id, cookie, err
}

// maxSessions is how many sessions and links are kept in memory; the one that is
// used the least recently makes way.
const maxSessions = 200

// A memory keeps sessions in this process. The zero value is ready to use.
type memory struct {
	mu       sync.Mutex
	sessions map[digest]session
}

func (m *memory) put(d digest, s session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sessions == nil {
		m.sessions = make(map[digest]session)
	}
	m.sessions[d] = s
	oldest := d
	for k, v := range m.sessions {
		if !v.valid(time.Now()) {
			delete(m.sessions, k)
		} else if v.seen.Before(m.sessions[oldest].seen) {
			oldest = k
		}
	}
	if len(m.sessions) > maxSessions {
		delete(m.sessions, oldest)
	}
}

// use returns a session, which is in use.
func (m *memory) use(d digest) (session, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.sessions[d]
	if !ok || s.Kind == link || !s.valid(time.Now()) {
		return session{}, false
	}
	s.seen = time.Now()
	m.sessions[d] = s
	return s, true
}

// take removes a session or a link.
func (m *memory) take(d digest) (session, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.sessions[d]
	delete(m.sessions, d)
	return s, ok && s.valid(time.Now())
}
