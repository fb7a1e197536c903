package outbox

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// A batch is several statements that go to Postgres in one round trip, as one
// transaction.
type batch struct {
	pgx.Batch
	store *Store
}

func (s *Store) newBatch() *batch { return &batch{store: s} }

// queue adds a statement. Its schema is filled in.
func (b *batch) queue(sql string, args ...any) *pgx.QueuedQuery {
	return b.Queue(b.store.sql(sql), args...)
}

// run executes the statements on one of the store's own connections.
func (b *batch) run(ctx context.Context) error {
	pool, err := b.store.own(ctx)
	if err != nil {
		return err
	}
	return pool.SendBatch(ctx, &b.Batch).Close()
}
