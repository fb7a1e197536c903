package peers

import (
	"testing"

	"github.com/fairlead/fairlead/outbox"
)

const waiting = 1_000_000

// Events are handled out of a queue with a million that wait, and out of one with
// no others.
func BenchmarkBacklog(b *testing.B) {
	db := newDatabase(b)
	const full = "backlog"
	db.migrate(b, full)
	short, _ := db.store(b, outbox.DefaultSchema)
	long, _ := db.store(b, full)
	for range 10 {
		db.fill(b, full, waiting/10, 0)
	}
	db.exec(b, "vacuum analyze "+full+".delivery")
	enter := func(name, schema string, s *outbox.Store) contestant {
		return contestant{name, func() float64 {
			db.fill(b, schema, drained, 0)
			db.settle(b)
			return drained / drain(b, s, drained).Seconds()
		}}
	}
	r := contest(b, 7, enter("empty", outbox.DefaultSchema, short), enter("million", full, long))
	atLeast(b, "million/empty", r.of("million", "empty"), 0.8)
}
