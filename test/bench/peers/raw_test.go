package peers

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// rawQueue is the least that can be called a queue: one table, one statement to
// put in, batches under SKIP LOCKED to take out. It knows no attempts, no keys and
// no dead letters.
type rawQueue struct {
	db       *database
	notified atomic.Int64 // when it last notified outside, in Unix nanoseconds
}

func newRaw(b *testing.B, db *database) *rawQueue {
	b.Helper()
	db.exec(b, `create table raw (id bigint generated always as identity primary key, queue text not null,
		header jsonb not null, body bytea not null, created_at timestamptz not null default now())`)
	return &rawQueue{db: db}
}

const (
	rawHeader = `{"type":"fairlead.message","source":"/fairlead/function/bench","time":"2026-11-21T10:24:31.092682862Z"}`
	rawInsert = `insert into raw (queue, header, body) values ('bench', $1::text::jsonb, $2)`
)

func (r *rawQueue) insert(ctx context.Context) error {
	return pgx.BeginFunc(ctx, r.db.Pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, rawInsert, rawHeader, payload)
		return err
	})
}

// insertHint notifies after the transaction, in one of its own, and as seldom as
// the outbox does about a queue that is busy.
func (r *rawQueue) insertHint(ctx context.Context) error {
	if err := r.insert(ctx); err != nil {
		return err
	}
	last, now := r.notified.Load(), time.Now().UnixNano()
	if now-last < int64(50*time.Millisecond) || !r.notified.CompareAndSwap(last, now) {
		return nil
	}
	_, err := r.db.Exec(ctx, "select pg_notify('raw', 'bench')")
	return err
}

// insertNotify notifies in the transaction of each event, as triggers on tables do.
func (r *rawQueue) insertNotify(ctx context.Context) error {
	return pgx.BeginFunc(ctx, r.db.Pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `with i as (insert into raw (queue, header, body) values ('bench', $1::text::jsonb, $2) returning id)
			select pg_notify('raw', 'bench') from i`, rawHeader, payload)
		return err
	})
}

func (r *rawQueue) fill(b *testing.B, n int) {
	b.Helper()
	r.db.exec(b, "truncate raw")
	r.db.exec(b, `insert into raw (queue, header, body) select 'bench', $1::text::jsonb, $2 from generate_series(1, $3::int)`, rawHeader, payload, n)
}

// drain returns how long it takes until all is done.
func (r *rawQueue) drain(b *testing.B, n int) time.Duration {
	b.Helper()
	var done atomic.Int64
	start := time.Now()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				got, err := r.batch(b.Context(), 100, nothing, nothing)
				if err != nil {
					b.Error(err)
				}
				if got == 0 {
					return
				}
				done.Add(int64(got))
			}
		})
	}
	wg.Wait()
	d := time.Since(start)
	if int(done.Load()) != n {
		b.Errorf("raw: %d done, want %d", done.Load(), n)
	}
	return d
}

// batch does up to n events in a transaction, and returns how many. It calls
// handle for each and finish for all of them.
func (r *rawQueue) batch(ctx context.Context, n int, handle, finish func()) (got int, err error) {
	err = pgx.BeginFunc(ctx, r.db.Pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `select id, header, body from raw order by id limit $1 for update skip locked`, n)
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (id int64, err error) {
			var header, body []byte
			err = row.Scan(&id, &header, &body)
			handle()
			return id, err
		})
		if got = len(ids); err != nil || got == 0 {
			return err
		}
		finish()
		_, err = tx.Exec(ctx, `delete from raw where id = any($1)`, ids)
		return err
	})
	return got, err
}

// work does what is notified, or comes up at a poll, until stop is called.
func (r *rawQueue) work(b *testing.B, handle func()) (stop func()) {
	return background(b, func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, r.db.url)
		if err != nil {
			return err
		}
		defer conn.Close(context.Background())
		if _, err := conn.Exec(ctx, "listen raw"); err != nil {
			return err
		}
		for ctx.Err() == nil {
			if err := await(ctx, conn); err != nil && !pgconn.Timeout(err) {
				return err
			}
			if _, err := r.batch(context.WithoutCancel(ctx), 100, handle, nothing); err != nil {
				return err
			}
		}
		return nil
	})
}

func await(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	_, err := conn.WaitForNotification(ctx)
	return err
}

// countdown returns a function to call n times, and a channel that is closed
// when that was done.
func countdown(n int) (one func(), all <-chan struct{}) {
	var left atomic.Int64
	left.Store(int64(n))
	c := make(chan struct{})
	return func() {
		if left.Add(-1) == 0 {
			close(c)
		}
	}, c
}

func nothing() {}
