package triggers

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/framework"
)

// An event whose function kills the process is delivered again, and would kill
// for ever. It is a suspect when the ledger says that its call ran when a process
// died, or, where no ledger outlived that, when the broker has delivered it often
// although no call of it has failed. Suspects run alone; one that kills even so
// goes to the dead letters.
const (
	mostKills      = 3 // processes that died while its call ran; the first may have been another's doing
	manyDeliveries = 3 // deliveries before this one, by the broker's count
	mostMarks      = 4 // calls that ran alone, marked in the store, and never ended
)

// guard records that a call for j's event begins. It reports how many processes
// have died in such calls, if they are too many; else call end when it is over.
func (t *Trigger) guard(ctx context.Context, j *job) (kills int, end func()) {
	ev := j.event()
	if j.unstable || ev.Context == nil {
		return 0, func() {}
	}
	if j.delivery.Count >= manyDeliveries && j.attempts == 0 {
		return t.guardAlone(ctx, j, ev.Source(), ev.ID())
	}
	c := t.Ledger.Begin(t.Name, ev.Source(), ev.ID())
	if c.Kills >= mostKills {
		c.End()
		return c.Kills, nil
	}
	return 0, c.End
}

func (t *Trigger) guardAlone(ctx context.Context, j *job, source, id string) (kills int, end func()) {
	c := t.Ledger.BeginAlone(t.Name, source, id)
	if c.Kills >= mostKills {
		c.End()
		return c.Kills, nil
	}
	if t.Store == nil {
		return 0, c.End
	}
	marks, err := t.Store.Mark(ctx, t.Name, source, id)
	if err != nil {
		t.Log.WarnContext(ctx, "a message that was delivered often is not marked in the store", "deliveries", j.delivery.Count, "err", err)
		return 0, c.End
	}
	end = func() {
		if err := t.Store.Unmark(ctx, t.Name, source, id); err != nil {
			t.Log.WarnContext(ctx, "a call has ended, and is still marked in the store", "err", err)
		}
		c.End()
	}
	if marks >= mostMarks {
		end()
		return j.delivery.Count, nil
	}
	return 0, end
}

// condemn is the verdict on an event that killed n processes.
func (j *job) condemn(n int) {
	now := time.Now()
	j.add(now)
	j.attempts = max(j.attempts, n)
	j.cause = framework.Terminal(fmt.Errorf("the process died %d times while the function worked on it", n))
}
