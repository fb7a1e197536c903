package outbox

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// configured is the kind of a notification that the configuration has changed.
const configured = "config"

// ConfiguredSQL notifies all replicas of a store that the configuration in it has
// changed. It is for [Store.InSchema].
const ConfiguredSQL = `select pg_notify('{channel}', '` + configured + ` ')`

// InSchema puts the quoted name of the store's schema wherever sql says {schema},
// and its notification channel wherever it says {channel}.
func (s *Store) InSchema(sql string) string { return s.sql(sql) }

// Tx calls f with a transaction on the tables and commits it, unless f returns an
// error. what is named in errors, which wrap [framework.ErrUnavailable] if
// Postgres, not the statement, is to blame. It waits for the store to answer as
// long as ctx lasts.
func (s *Store) Tx(ctx context.Context, what string, o pgx.TxOptions, f func(tx pgx.Tx) error) error {
	pool, err := s.work(ctx)
	if err != nil {
		return storeError(what, err)
	}
	var own error
	err = pgx.BeginTxFunc(ctx, pool, o, func(tx pgx.Tx) error {
		own = f(tx)
		return own
	})
	if own != nil {
		return own
	}
	return storeError(what, err)
}

// DatabaseError adds what was being done to an error of a statement that ran
// inside [Store.Tx], and marks it with [framework.ErrUnavailable] likewise.
func DatabaseError(what string, err error) error { return storeError(what, err) }
