package access

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Kinds and actions of a [Change], as the audit log has them.
const (
	AccountKind = "accounts"
	TokenKind   = "tokens"
	SessionKind = "sessions"

	created = "created"
	changed = "changed"
	removed = "removed"
	refused = "refused"
)

// A Change is what was done to an account or a token, or a session that was
// refused, without any secret.
type Change struct {
	Kind          string
	Name          string
	Action        string // created, changed, removed, refused
	Before, After string // the role; "password" for another one; where from, for what was refused
}

// note writes a change to the log, and, in its own transaction, to the audit log.
func (a *Access) note(ctx context.Context, q query, c Change) error {
	id := From(ctx)
	a.Log.InfoContext(ctx, c.Kind+" "+c.Action, "name", c.Name, "before", c.Before, "after", c.After, "by", id.Name)
	return a.audit(ctx, q.Tx, c)
}

func (a *Access) audit(ctx context.Context, tx pgx.Tx, c Change) error {
	if a.Audit == nil {
		return nil
	}
	return a.Audit(ctx, tx, c)
}
