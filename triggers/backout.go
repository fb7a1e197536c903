package triggers

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// A backout is what a source itself says of messages that cannot be processed.
type backout struct {
	able  bool   // settling with Reject moves a message to where those go
	limit int    // deliveries; 0: the source does not say
	queue string // empty: the broker's own queue of dead letters
}

func backoutOf(r connections.Receiver) (b backout) {
	if source, ok := r.(connections.Backouter); ok {
		b.able = true
		b.limit, b.queue = source.Backout()
	}
	return b
}

// overrun returns why j's message is not processed at all: the broker has
// delivered it as often as its source allows.
func (j *job) overrun() error {
	if limit := j.session.backout.limit; limit > 0 && j.delivery.Count >= limit {
		return j.delivery.Bad
	}
	return nil
}

// exhausted reports whether j was tried often enough: what the configuration
// says comes before what the source says.
func (t *Trigger) exhausted(j *job) bool {
	p := t.Retry
	if limit := j.session.backout.limit; limit > 0 && !t.AttemptsSet {
		p.Attempts = limit
	}
	return p.Exhausted(j.attempts)
}

// rejects reports whether j's message becomes a dead letter by being settled so,
// because its source or its broker has a queue for them. What is configured
// comes before that, and the store before the broker's general queue.
func (t *Trigger) rejects(j *job) bool {
	b := j.session.backout
	return b.able && !t.DeadLettersSet && len(j.events) <= 1 && (b.queue != "" || t.Store == nil)
}

// reject moves j's message to the source's queue for what cannot be processed.
func (t *Trigger) reject(ctx context.Context, j *job) {
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	j.over.Store(true)
	err := j.delivery.Settle(ctx, framework.Reject)
	if err == nil {
		t.buried(ctx, j)
		return
	}
	t.memory.keep(j, false) // it was given back
	t.suspend(ctx, fmt.Errorf("dead letter: %w", err))
}

// handBack gives j's message back to the broker after a failed attempt, and lets
// the worker rest. The failures are remembered until it comes again. It serves
// messages that hold a unit of work, which must not last long.
func (t *Trigger) handBack(soft context.Context, j *job, d time.Duration) {
	j.over.Store(true)
	t.memory.keep(j, false)
	if j.session.lost.Load() == nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(soft), lastWait)
		defer cancel()
		if err := j.delivery.Settle(ctx, framework.Modify); err != nil {
			j.session.fail(fmt.Errorf("give back: %w", err))
			return
		}
	}
	_ = Sleep(soft, d) // whoever called sees that soft has ended
}
