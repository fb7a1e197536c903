package peers

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/outbox"
)

// drained is how many events a round of a drain has.
const drained = 30_000

// Events that wait are handled, by a function that does nothing, until they are
// durably done.
func BenchmarkDrain(b *testing.B) {
	db := newDatabase(b)
	raw, river, watermill := newRaw(b, db), newRiver(b, db), newWatermill(b, db)
	s, _ := db.store(b, "")
	enter := func(name string, fill func(*testing.B, int), drain func(*testing.B, int) time.Duration) contestant {
		return contestant{name, func() float64 {
			fill(b, drained)
			db.settle(b)
			return drained / drain(b, drained).Seconds()
		}}
	}
	r := contest(b, 5,
		enter("raw", raw.fill, raw.drain),
		enter("fairlead", func(b *testing.B, n int) { db.fill(b, outbox.DefaultSchema, n, 0) }, func(b *testing.B, n int) time.Duration { return drain(b, s, n) }),
		enter("keyed", func(b *testing.B, n int) { db.fill(b, outbox.DefaultSchema, n, 1000) }, func(b *testing.B, n int) time.Duration { return drain(b, s, n) }),
		enter("river", river.fill, river.drain),
		enter("watermill", watermill.fill, watermill.drain),
	)
	atLeast(b, "drain/river", r.of("fairlead", "river"), 4)
	atLeast(b, "drain/watermill", r.of("fairlead", "watermill"), 0.9)
	b.ReportMetric(r.of("raw", "river"), "raw/river")
	b.ReportMetric(r.of("watermill", "river"), "watermill/river")
	b.ReportMetric(r.of("keyed", "river"), "keyed/river")
}

// fill publishes n events for the function "bench": one as everybody does, and
// copies of it. With keys they have as many.
func (db *database) fill(b *testing.B, schema string, n, keys int) {
	b.Helper()
	p := outbox.Publisher{Schema: schema}
	if err := pgx.BeginFunc(b.Context(), db.Pool, func(tx pgx.Tx) error { return p.Publish(b.Context(), tx, "bench", payload) }); err != nil {
		b.Fatal(err)
	}
	db.copies(b, schema, n-1, keys)
}

// copies copies the newest row n times.
func (db *database) copies(b *testing.B, schema string, n, keys int) {
	b.Helper()
	db.exec(b, `with one as (select * from `+schema+`.delivery order by seq desc limit 1)
		insert into `+schema+`.delivery (queue, rank, key, event_id, header, data)
		select queue, rank, case when $2 > 0 then 'key' || i % $2 end, event_id || i, header, data from one, generate_series(1, $1) i`, n, keys)
}

// drain returns how long it takes until n events are done.
func drain(b *testing.B, s *outbox.Store, n int) time.Duration {
	b.Helper()
	start := time.Now()
	handle, all := countdown(n)
	stop := subscribe(b, s, "bench", handle)
	<-all
	stop()
	return time.Since(start)
}
