package outbox

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
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

// lockSQL takes the lock under which deliveries of a queue are taken and removed.
const lockSQL = `select pg_advisory_xact_lock($1::int, $2::int)`

// alone executes a statement under the lock of a queue, and returns how many rows
// it changed, or selected.
func (s *Store) alone(ctx context.Context, queue int64, sql string, args ...any) (n int64, err error) {
	b := s.newBatch()
	b.queue(lockSQL, s.lockClass, int32(queue))
	b.queue(sql, args...).Exec(func(tag pgconn.CommandTag) error {
		n = tag.RowsAffected()
		return nil
	})
	return n, b.run(ctx)
}
