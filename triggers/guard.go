package triggers

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/outbox/ledger"
)

// manyDeliveries is how many deliveries before this one, by the broker's count,
// make an event of which no call has failed a suspect of killing its process.
const manyDeliveries = 3

// guard records that a call for j's event begins. It reports how many processes
// have died in such calls, if they are too many; else call end when it is over.
func (t *Trigger) guard(ctx context.Context, j *job) (kills int, end func()) {
	ev := j.event()
	if j.unstable || ev.Context == nil {
		return 0, func() {}
	}
	g := ledger.Guard{Ledger: t.Ledger, Often: manyDeliveries, Log: t.Log}
	if t.Store != nil {
		g.Marks = t.Store
	}
	back := j.delivery.Count
	if j.attempts > 0 { // somebody said what became of it
		back = 0
	}
	kills, end, err := g.Begin(ctx, t.Name, t.codec.Source(ev), ev.ID(), back)
	if err != nil {
		t.Log.WarnContext(ctx, "a message that was delivered often is not marked in the store", "deliveries", j.delivery.Count, "err", err)
	}
	return kills, end
}

// condemn is the verdict on an event that killed n processes.
func (j *job) condemn(n int) {
	now := time.Now()
	j.add(now)
	j.attempts = max(j.attempts, n)
	j.cause = framework.Terminal(fmt.Errorf("the process died %d times while the function worked on it", n))
}
