package peers

import (
	"context"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/outbox"
)

func setting[T any](b *testing.B, name string, usual T, parse func(string) (T, error)) T {
	b.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	v, err := parse(text)
	if err != nil {
		b.Fatalf("%s: %v", name, err)
	}
	return v
}

// traffic publishes events, a hundred in a transaction, and handles them at the
// same time, with a few thousand on their way at most.
type traffic struct {
	handled atomic.Int64
	stops   []func()
}

const (
	atOnce = 100
	onWay  = 4000
)

// startTraffic goes on until stop, or until limit events were published if it is
// not 0.
func startTraffic(b *testing.B, db *database, limit int64) *traffic {
	b.Helper()
	t := new(traffic)
	s, stopStore := db.store(b, "")
	stopWork := subscribe(b, s, "bench", func() { t.handled.Add(1) })
	var published atomic.Int64
	publisher := func(ctx context.Context) error {
		for ctx.Err() == nil {
			if published.Load()-t.handled.Load() > onWay {
				wait(ctx, time.Millisecond)
				continue
			}
			if n := published.Add(atOnce); limit != 0 && n > limit {
				return nil
			}
			err := pgx.BeginFunc(ctx, db.Pool, func(tx pgx.Tx) error {
				for range atOnce {
					if err := outbox.Publish(ctx, tx, "bench", payload); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil && ctx.Err() == nil {
				return err
			}
		}
		return nil
	}
	t.stops = []func(){background(b, publisher), background(b, publisher), stopWork, stopStore}
	return t
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (t *traffic) stop() {
	for _, stop := range t.stops {
		stop()
	}
}

// rate is how many events per second are handled during d.
func (t *traffic) rate(b *testing.B, d time.Duration) float64 {
	start, before := time.Now(), t.handled.Load()
	wait(b.Context(), d)
	return float64(t.handled.Load()-before) / time.Since(start).Seconds()
}

// tableSize is how many bytes the tables and indexes of the outbox take.
func (db *database) tableSize(b *testing.B) (n int64) {
	b.Helper()
	err := db.QueryRow(b.Context(), `select sum(pg_total_relation_size(c.oid))::bigint from pg_class c
		where relnamespace = 'fairlead'::regnamespace and relkind = 'r'`).Scan(&n)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// Many events pass through. The tables must not grow with them, and the rate must
// not fall.
func BenchmarkSoak(b *testing.B) {
	events := setting(b, "FAIRLEAD_BENCH_EVENTS", 200_000, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
	db := newDatabase(b)
	if events < 1_000_000 { // let a short run see as many rounds of autovacuum as a long one
		db.exec(b, "alter system set autovacuum_naptime = '3s'")
		db.exec(b, "select pg_reload_conf()")
	}
	t := startTraffic(b, db, events)
	const parts = 10
	var sizes, speeds []float64
	last := time.Now()
	for part := range int64(parts) {
		for t.handled.Load() < events*(part+1)/parts {
			wait(b.Context(), 5*time.Millisecond)
		}
		now := time.Now()
		sizes = append(sizes, float64(db.tableSize(b))/(1<<20))
		speeds = append(speeds, float64(events)/parts/now.Sub(last).Seconds())
		b.Logf("%3d %%: %7.0f events/s, tables and indexes %6.1f MiB", (part+1)*100/parts, speeds[part], sizes[part])
		last = now
	}
	t.stop()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(speeds), "events/s")
	b.ReportMetric(sizes[parts-1], "MiB")
	atMost(b, "soak/size-growth", sizes[parts-1]/max(sizes[1], sizes[2]), 1.5)
	atLeast(b, "soak/rate-last/first", median(speeds[parts-3:])/median(speeds[:3]), 0.8)
	var left int
	if err := db.QueryRow(b.Context(), "select count(*) from fairlead.delivery").Scan(&left); err != nil || left != 0 {
		b.Errorf("got %d rows left, %v; want none", left, err)
	}
}

// A transaction is held open, so that Postgres can remove nothing that was
// deleted, while events come and go.
func BenchmarkHeldTransaction(b *testing.B) {
	held := setting(b, "FAIRLEAD_BENCH_HELD", 20*time.Second, time.ParseDuration)
	db := newDatabase(b)
	t := startTraffic(b, db, 0)
	defer t.stop()
	t.rate(b, 3*time.Second) // it finds its pace
	before := t.rate(b, 8*time.Second)
	tx, err := db.BeginTx(b.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		b.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(b.Context()))
	if _, err := tx.Exec(b.Context(), "create table held ()"); err != nil { // it has an id and a snapshot
		b.Fatal(err)
	}
	start, handled := time.Now(), t.handled.Load()
	var last float64
	for time.Since(start) < held {
		last = t.rate(b, min(held/5, time.Minute))
		b.Logf("held for %4.0f s: %7.0f events/s, tables and indexes %6.1f MiB", time.Since(start).Seconds(), last, float64(db.tableSize(b))/(1<<20))
	}
	during := float64(t.handled.Load()-handled) / time.Since(start).Seconds()
	if err := tx.Rollback(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(before, "before/s")
	b.ReportMetric(during, "during/s")
	atLeast(b, "held/during", during/before, 0.5)
	atLeast(b, "held/at-its-end", last/before, 0.5)
	atMost(b, "held/recovered-after-s", recovered(b, t, before), 60)
}

// recovered returns how many seconds it takes until the rate is nine tenths of
// what it was, 90 at most.
func recovered(b *testing.B, t *traffic, before float64) float64 {
	start := time.Now()
	for {
		begin := time.Since(start)
		if rate := t.rate(b, 2*time.Second); rate >= 0.9*before || begin > 90*time.Second {
			b.Logf("recovered to %.0f events/s", rate)
			return begin.Seconds()
		}
	}
}
