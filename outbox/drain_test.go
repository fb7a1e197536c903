package outbox

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fairlead/fairlead/test/services"
)

func fill(t testing.TB, pool *pgxpool.Pool, queue int64, n int, keys int) {
	t.Helper()
	key := "null"
	if keys > 0 {
		key = "'k' || i % $3"
	} else {
		key = "case when $3 > 0 then '' end"
	}
	_, err := pool.Exec(t.Context(), `insert into fairlead.delivery (queue, rank, key, event_id, header, data)
		select $1, 5, `+key+`, 'event' || i, '{"source":"/a/b","type":"fairlead.message","time":"2026-11-21T10:24:31.092682862Z"}', $4
		from generate_series(1, $2) i`, queue, n, keys, bytes.Repeat([]byte("x"), 256))
	if err != nil {
		t.Fatal(err)
	}
}

func drain(t testing.TB, s *Store, target string, concurrency, n int) time.Duration {
	t.Helper()
	var count atomic.Int64
	all := make(chan struct{})
	c, err := s.Subscribe(Subscription{Target: target, Concurrency: concurrency, Retry: DefaultRetry(), Handle: func(ctx context.Context, d *Delivery) error {
		if count.Add(1) == int64(n) {
			close(all)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	start := time.Now()
	wg.Go(func() { c.Run(ctx) })
	<-all
	stop()
	wg.Wait()
	return time.Since(start)
}

func BenchmarkDrain(b *testing.B) {
	s := start(b, services.Postgres(b))
	pool, err := s.work(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	q, err := s.subscription(b.Context(), kindFunction, "d", "d")
	if err != nil {
		b.Fatal(err)
	}
	const n = 50000
	for b.Loop() {
		fill(b, pool, q, n, 0)
		d := drain(b, s, "d", 8, n)
		b.ReportMetric(n/d.Seconds(), "drain/s")
		fill(b, pool, q, n, 0)
		start := time.Now()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					var got int
					err := pgx.BeginFunc(b.Context(), pool, func(tx pgx.Tx) error {
						rows, _ := tx.Query(b.Context(), `select ctid, event_id, header, data from fairlead.delivery where queue = $1 and rank = 5 order by seq limit 100 for update skip locked`, q)
						var ids []string
						for rows.Next() {
							var a, e string
							var h, d []byte
							if err := rows.Scan(&a, &e, &h, &d); err != nil {
								return err
							}
							ids = append(ids, a)
						}
						got = len(ids)
						_, err := tx.Exec(b.Context(), `delete from fairlead.delivery where ctid = any($1::text[]::tid[])`, ids)
						return err
					})
					if err != nil {
						b.Error(err)
						return
					}
					if got == 0 {
						return
					}
				}
			})
		}
		wg.Wait()
		b.ReportMetric(n/time.Since(start).Seconds(), "raw/s")
		fill(b, pool, q, n, 1000)
		d = drain(b, s, "d", 8, n)
		b.ReportMetric(n/d.Seconds(), "keyed/s")
	}
}
