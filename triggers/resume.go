package triggers

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/outbox/ledger"
)

// A Store keeps messages apart from their broker.
type Store interface {
	// Park keeps a message whose next attempt is after delay; then it comes back
	// by [Trigger.Resume]. Once Park has returned nil, the message is the store's.
	Park(ctx context.Context, l Letter, delay time.Duration) error

	ledger.Marks
}

// longWait is the longest wait for which a message stays with its broker where
// there is a store.
const longWait = time.Second

// parkTimeout bounds the handing over of one message.
const parkTimeout = 5 * time.Second

// park hands the event to the store, which brings it back after delay. It
// reports false if the store cannot take it now.
func (t *Trigger) park(ctx context.Context, j *job, cause error, delay time.Duration) bool {
	if t.Store == nil || t.Ordered || j.delivery.Key != "" || delay <= longWait { // order would be lost
		return false
	}
	l := t.letter(j)
	l.Cause = cause
	ctx, cancel := context.WithTimeout(ctx, parkTimeout)
	defer cancel()
	if err := t.Store.Park(ctx, l, delay); err != nil {
		t.Log.WarnContext(ctx, "the message waits for its next attempt at the broker, because the store cannot take it", "err", err)
		return false
	}
	j.advance()
	return true
}

// Resume calls the function with a message that was parked, or that is replayed
// from the dead letters, and sends its reply. The error is the function's; one
// that wraps [framework.ErrUnavailable] is no failed attempt.
//
// A batch that became a dead letter as a whole, because its broker had delivered
// it too often, is worked on event by event. When one fails, those before it are
// called again with the next attempt.
func (t *Trigger) Resume(ctx context.Context, l Letter) error {
	j := &job{decoded: true, delivery: connections.Delivery{Message: l.Message}, replayed: l.Replayed}
	if err := t.reopen(j, l); err != nil {
		return framework.Terminal(fmt.Errorf("message not understood: %w", err))
	}
	t.inFlight.Add(1)
	defer t.inFlight.Add(-1)
	for !j.done() {
		j.attempts, j.first, j.last = l.Attempts, l.First, l.Last
		if err := t.resume(ctx, j); err != nil {
			return err
		}
		j.advance()
	}
	return nil
}

// resume calls the function with the event that j is at.
func (t *Trigger) resume(ctx context.Context, j *job) error {
	inv := j.call(t)
	ctx = framework.NewContext(ctx, inv)
	err := t.call(ctx, j, inv.Event)
	if err == nil {
		t.counts.succeeded.Add(1)
		return nil
	}
	if fault := inv.Fault(); fault != nil {
		return fmt.Errorf("%w: %w", framework.ErrUnavailable, fault)
	}
	t.counts.failed.Add(1)
	t.Log.WarnContext(ctx, "function failed", "err", err, stack(err))
	return err
}

// reopen reads the event of l, or of a batch all, from its message. It is the same
// event as before: what the driver's own form of the message told of its identity
// is in l, unless the message was never read.
func (t *Trigger) reopen(j *job, l Letter) error {
	var err error
	if j.events, j.unstable, err = t.codec.Decode(&j.delivery.Message); err != nil {
		return err
	}
	switch {
	case l.Event.Context == nil && t.EventID == "":
		return nil
	case l.Event.Context == nil:
		return t.setID(j)
	case len(j.events) != 1:
		return fmt.Errorf("found %d events, expected one", len(j.events))
	}
	j.events[0].SetID(l.Event.ID())
	j.events[0].SetSource(l.Event.Source())
	j.unstable = l.Unstable
	return nil
}
