package triggers

import (
	"context"
	"fmt"

	"github.com/fairlead/fairlead/framework"
)

// tryManual calls a function that settles by itself. Whatever it returns, what
// it has not settled is given back, after the wait that a failure has, so that a
// function that settles nothing does not turn in a circle.
func (t *Trigger) tryManual(soft, hard context.Context, j *job) {
	inv := j.call(t)
	ctx := framework.NewContext(hard, inv)
	kills, end := t.guard(ctx, j)
	if kills > 0 {
		j.condemn(kills)
		if t.bury(hard, j) {
			t.settle(hard, j)
		}
		return
	}
	err := t.call(ctx, j, inv.Event)
	end()
	if err == nil {
		t.counts.succeeded.Add(1)
	} else {
		t.counts.failed.Add(1)
		t.Log.WarnContext(ctx, "function failed", "err", err, stack(err))
	}
	if fault := inv.Fault(); fault != nil {
		t.suspend(ctx, fault)
	}
	if !inv.Source.Settled() {
		_ = Sleep(soft, t.Retry.Wait(1)) // cut short when it stops
	}
	j.over.Store(true)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWait)
	defer cancel()
	_ = inv.Source.Settle(ctx, framework.Release) // an error says that the function has, or that the session is lost
}

// settleManually is what a function that settles by itself calls.
func (j *job) settleManually(ctx context.Context, o framework.Outcome) error {
	if err := j.session.lost.Load(); err != nil {
		return fmt.Errorf("settle: %w", *err)
	}
	err := j.delivery.Settle(ctx, o)
	if err != nil {
		j.session.fail(fmt.Errorf("settle: %w", err))
	}
	return err
}
