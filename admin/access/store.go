package access

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/outbox"
)

// do runs f in a transaction on the store. The error wraps ErrNoStore if there is
// none, and ErrUnavailable if it is out of reach.
func (a *Access) do(ctx context.Context, what string, f func(context.Context, query) error) error {
	if a.Store == nil {
		return ErrNoStore
	}
	store, err := a.Store(ctx)
	if err != nil {
		return err
	}
	err = store.Tx(ctx, what, pgx.TxOptions{}, func(tx pgx.Tx) error {
		err := f(ctx, query{tx, store})
		for _, class := range []error{ErrNotFound, ErrTaken, ErrInvalid, ErrRefused} {
			if errors.Is(err, class) {
				return err
			}
		}
		return outbox.DatabaseError(what, err)
	})
	if errors.Is(err, framework.ErrUnavailable) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// A query runs statements of a transaction, with the schema filled in.
type query struct {
	pgx.Tx
	store *outbox.Store
}

func (q query) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	tag, err := q.Exec(ctx, q.store.InSchema(sql), args...)
	return tag.RowsAffected(), err
}

func (q query) row(ctx context.Context, sql string, args ...any) pgx.Row {
	return q.QueryRow(ctx, q.store.InSchema(sql), args...)
}

// one runs a statement that is about one account or token.
func (q query) one(ctx context.Context, what, name, sql string, args ...any) error {
	n, err := q.exec(ctx, sql, args...)
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: there is no %s %q", ErrNotFound, what, name)
	}
	return err
}

// list reads the rows of a question into structs, by the names of their columns.
func list[T any](ctx context.Context, a *Access, what, sql string) (all []T, err error) {
	err = a.do(ctx, what, func(ctx context.Context, q query) error {
		rows, err := q.Query(ctx, q.store.InSchema(sql))
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[T])
		return err
	})
	return all, err
}

// taken says that a name has somebody, if that is what err means.
func taken(err error, what, name string) error {
	const uniqueViolation = "23505"
	if p, ok := errors.AsType[*pgconn.PgError](err); ok && p.Code == uniqueViolation {
		return fmt.Errorf("%w: there is already %s %q", ErrTaken, what, name)
	}
	return err
}

// maxName is the longest name of an account or a token.
const maxName = 100

// checkName says what is wrong with the name of an account or a token.
func checkName(name string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@+-"
	if name == "" || len(name) > maxName || strings.Trim(name, allowed) != "" {
		return fmt.Errorf("%w: name: found %.120q, expected at most %d letters, digits and . _ @ + -", ErrInvalid, name, maxName)
	}
	if name == LocalName {
		return fmt.Errorf("%w: name: found %q, expected another: that is who uses the token of .fairlead/server.json", ErrInvalid, name)
	}
	return nil
}

func checkRole(role Role) error {
	if role.String() == "" {
		return fmt.Errorf("%w: role: found none, expected viewer, operator or admin", ErrInvalid)
	}
	return nil
}
