package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// A TokenInfo is what is known of a token; the token itself is known only to who
// has it.
type TokenInfo struct {
	Name      string     `json:"name"`
	Role      Role       `json:"role"`
	Created   time.Time  `json:"created"`
	CreatedBy string     `json:"createdBy"`
	Expires   *time.Time `json:"expires"` // null: never
	Used      *time.Time `json:"used"`    // the last time, to within a minute; null: never
}

// Tokens returns all tokens, sorted by name, those that have expired included.
func (a *Access) Tokens(ctx context.Context) ([]TokenInfo, error) {
	rows, err := list[struct {
		Name, Role    string
		Created       time.Time
		CreatedBy     string
		Expires, Used *time.Time
	}](ctx, a, "list tokens", `select name, role, created_at, created_by, expires_at, used_at from {schema}.token order by name`)
	all := make([]TokenInfo, len(rows))
	for i, r := range rows {
		all[i] = TokenInfo{Name: r.Name, Created: r.Created, CreatedBy: r.CreatedBy, Expires: r.Expires, Used: r.Used}
		if all[i].Role, err = ParseRole(r.Role); err != nil {
			return nil, err
		}
	}
	return all, err
}

// CreateToken creates a token that expires at a time, or never if that is zero,
// and returns it. It cannot be shown again. The error wraps [ErrInvalid] or
// [ErrTaken] if that is what is wrong.
func (a *Access) CreateToken(ctx context.Context, name string, role Role, expires time.Time) (token string, err error) {
	if err := errors.Join(checkName(name), checkRole(role)); err != nil {
		return "", err
	}
	var until *time.Time
	if !expires.IsZero() {
		if until = &expires; expires.Before(time.Now()) {
			return "", fmt.Errorf("%w: expires: found %s, expected a time to come", ErrInvalid, expires.Format(time.RFC3339))
		}
	}
	token = tokenPrefix + newSecret()
	hash := digestOf(token)
	err = a.do(ctx, "create a token", func(ctx context.Context, q query) error {
		_, err := q.exec(ctx, `insert into {schema}.token (name, hash, role, created_by, expires_at) values ($1, $2, $3, $4, $5)`,
			name, hash[:], role.String(), From(ctx).Name, until)
		if err != nil {
			return taken(err, "a token", name)
		}
		return a.note(ctx, q, Change{TokenKind, name, created, "", role.String()})
	})
	if err != nil {
		return "", err
	}
	return token, nil
}

// RevokeToken makes a token useless, here at once and on other replicas within a
// second.
func (a *Access) RevokeToken(ctx context.Context, name string) error {
	defer a.seen.clear()
	return a.do(ctx, "revoke a token", func(ctx context.Context, q query) error {
		var role string
		err := q.row(ctx, `delete from {schema}.token where name = $1 returning role`, name).Scan(&role)
		if err = orAbsent(err, "token", name); err != nil {
			return err
		}
		return a.note(ctx, q, Change{TokenKind, name, removed, role, ""})
	})
}

// findToken returns whose token has a digest. A use is noted once a minute.
func (a *Access) findToken(ctx context.Context, d digest) (id Identity, err error) {
	err = a.do(ctx, "look up a token", func(ctx context.Context, q query) error {
		var role string
		var stale bool
		err := q.row(ctx, `select name, role, used_at is null or used_at < now() - interval '1 minute' from {schema}.token
			where hash = $1 and (expires_at is null or expires_at > now())`, d[:]).Scan(&id.Name, &role, &stale)
		if err != nil {
			return orAbsent(err, "token", "")
		}
		id.Kind = Token
		if id.Role, err = ParseRole(role); err != nil || !stale {
			return err
		}
		_, err = q.exec(ctx, `update {schema}.token set used_at = now() where hash = $1`, d[:])
		return err
	})
	return id, err
}

// orAbsent says that there is no such account or token, if that is what err means.
func orAbsent(err error, what, name string) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("%w: there is no %s %q", ErrNotFound, what, name)
	}
	return err
}
