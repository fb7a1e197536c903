package peers

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"
)

const (
	latencyBlocks = 4
	latencyEvents = 100 // of a block
)

// One event at a time on an idle system: the time from before the transaction
// that publishes it begins to the call of the function.
func BenchmarkLatency(b *testing.B) {
	db := newDatabase(b)
	raw, river, watermill := newRaw(b, db), newRiver(b, db), newWatermill(b, db)
	s, _ := db.store(b, "")
	contestants := []struct {
		name    string
		publish func(context.Context) error
		work    func(handle func()) (stop func())
	}{
		{"raw", raw.insertNotify, func(handle func()) func() { return raw.work(b, handle) }},
		{"fairlead", func(ctx context.Context) error { return publish(ctx, db.Pool, "bench") },
			func(handle func()) func() { return subscribe(b, s, "bench", handle) }},
		{"river", river.insert, func(handle func()) func() { _, stop := river.work(b, handle); return stop }},
		{"watermill", watermill.insert, func(handle func()) func() { return watermill.work(b, handle) }},
	}
	took := make(map[string][]time.Duration)
	for range latencyBlocks {
		for _, c := range contestants {
			called := make(chan time.Time, 1)
			stop := c.work(func() { called <- time.Now() })
			for i := range latencyEvents + 3 {
				idle(b)
				start := time.Now()
				if err := c.publish(b.Context()); err != nil {
					b.Fatal(err)
				}
				if d := (<-called).Sub(start); i >= 3 { // the first ones find it starting
					took[c.name] = append(took[c.name], d)
				}
			}
			stop()
		}
	}
	for _, c := range contestants {
		b.ReportMetric(milliseconds(took[c.name], 0.5), c.name+"-p50-ms")
		b.ReportMetric(milliseconds(took[c.name], 0.99), c.name+"-p99-ms")
	}
	b.ReportMetric(0, "ns/op")
	atMost(b, "latency/p50-ms", milliseconds(took["fairlead"], 0.5), 3)
	atMost(b, "latency/p99-ms", milliseconds(took["fairlead"], 0.99), 10)
}

// idle lets the system come to rest, for a time that is no multiple of anybody's
// interval.
func idle(b *testing.B) {
	select {
	case <-time.After(20*time.Millisecond + time.Duration(rand.Int64N(int64(80*time.Millisecond)))):
	case <-b.Context().Done():
	}
}

func milliseconds(d []time.Duration, q float64) float64 {
	return float64(quantile(d, q)) / float64(time.Millisecond)
}
