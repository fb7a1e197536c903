package peers

import (
	"context"
	"testing"
	"time"
)

// Events are stored in a transaction of the caller that does nothing else, from
// eight goroutines. "raw" notifies outside and debounced, "raw-notify" inside.
func BenchmarkEnqueue(b *testing.B) {
	db := newDatabase(b)
	raw, river, watermill := newRaw(b, db), newRiver(b, db), newWatermill(b, db)
	enter := func(name string, table string, do func(context.Context) error) contestant {
		return contestant{name, func() float64 {
			db.exec(b, "truncate "+table)
			db.settle(b)
			return perSecond(b, 8, 250*time.Millisecond, do)
		}}
	}
	r := contest(b, 36,
		enter("raw", "raw", raw.insertHint),
		enter("raw-notify", "raw", raw.insertNotify),
		enter("fairlead", "fairlead.delivery", func(ctx context.Context) error { return publish(ctx, db.Pool, "bench") }),
		enter("river", "river_job", river.insert),
		enter("watermill", "watermill_bench", watermill.insert),
	)
	atLeast(b, "enqueue/raw", r.of("fairlead", "raw"), 0.9)
	atLeast(b, "enqueue/river", r.of("fairlead", "river"), 1.6)
	b.ReportMetric(r.of("watermill", "river"), "watermill/river")
	b.ReportMetric(r.of("raw", "river"), "raw/river")
	b.ReportMetric(r.of("raw-notify", "river"), "raw-notify/river")
}
