package mq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/mq/mqi"
)

// A verb of the MQI cannot be interrupted, and where the network is a black hole
// it returns only when IBM's client has noticed that (after two heart-beats of
// the channel). What opens, asks and closes runs aside ([run]) and is given up
// when its context has ended. Getting, putting and committing, which is nearly
// all of the time, stay on the goroutine that asks ([stay]): to hand each of them
// to another one and back costs more than the verb.

// patience is how long a verb that runs aside may go on after its context has
// ended, and how long closing waits for any verb.
const patience = 2 * time.Second

// A handle is a connection handle, on which one verb runs at a time.
type handle struct {
	qm   queueManager
	turn chan struct{} // held while a verb runs
	gone chan struct{} // closed when the handle is of no use any more

	giveUp sync.Once
	why    error // what closed gone
	tell   func(why error)

	finished sync.Once // by whoever has the turn
}

// newHandle returns a handle that tells when it is lost.
func newHandle(qm queueManager, tell func(why error)) *handle {
	return &handle{qm: qm, turn: make(chan struct{}, 1), gone: make(chan struct{}), tell: tell}
}

var errClosed = errors.New("closed")

// lose marks the handle as gone.
func (h *handle) lose(why error) {
	h.giveUp.Do(func() {
		h.why = fmt.Errorf("%w: %w", connections.ErrConnLost, why)
		close(h.gone)
		h.tell(h.why)
	})
}

// lost returns why the handle is gone, or nil.
func (h *handle) lost() error {
	select {
	case <-h.gone:
		return h.why
	default:
		return nil
	}
}

// run runs a verb when it is its turn. Errors that end the handle are
// ErrConnLost. What a verb that hangs returns in the end is dropped.
func run[T any](ctx context.Context, h *handle, verb func() (T, error)) (T, error) {
	var none T
	if err := h.take(ctx); err != nil {
		return none, err
	}
	done := make(chan result[T], 1)
	go func() {
		v, err := verb()
		done <- result[T]{v, err}
	}()
	r, finished := await(ctx, done)
	if !finished {
		h.lose(fmt.Errorf("a call of the client hangs: %w", context.Cause(ctx)))
		go func() {
			<-done
			h.finish()
			<-h.turn
		}()
		return none, h.why
	}
	<-h.turn
	return r.value, h.note(r.err)
}

type result[T any] struct {
	value T
	err   error
}

// do is run for a verb that returns nothing else.
func (h *handle) do(ctx context.Context, verb func() error) error {
	_, err := run(ctx, h, func() (struct{}, error) { return struct{}{}, verb() })
	return err
}

// stay is run on this goroutine: it returns when the verb does, however long that
// takes.
func stay[T any](ctx context.Context, h *handle, verb func() (T, error)) (T, error) {
	if err := h.take(ctx); err != nil {
		var none T
		return none, err
	}
	v, err := verb()
	<-h.turn
	return v, h.note(err)
}

// take waits for its turn.
func (h *handle) take(ctx context.Context) error {
	if err := h.lost(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case h.turn <- struct{}{}: // most often nobody has it, and to ask all three takes longer
	default:
		select {
		case h.turn <- struct{}{}:
		case <-h.gone:
			return h.why
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := h.lost(); err != nil {
		<-h.turn
		return err
	}
	return nil
}

// await waits for what comes from done, and some time longer than ctx lasts.
func await[T any](ctx context.Context, done <-chan T) (v T, finished bool) {
	select {
	case v = <-done:
		return v, true
	case <-ctx.Done():
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v = <-done:
		return v, true
	case <-timer.C:
		return v, false
	}
}

// note gives the handle up if err says so.
func (h *handle) note(err error) error {
	if err == nil || classify(reasonOf(err)) != lost {
		return err
	}
	h.lose(err)
	return h.why
}

// check asks the queue manager for something that changes nothing, so that a
// handle that nobody uses is not thought to be alive when it is not.
func (h *handle) check(ctx context.Context) error {
	err := h.do(ctx, func() error {
		o, err := h.qm.open(opening{options: mqi.MQOO_INQUIRE})
		if err != nil {
			return err
		}
		return o.close()
	})
	if declined(err) {
		return nil // he who may not ask has his answer, too
	}
	return err
}

// finish backs out what is not committed, because MQDISC would commit it, and
// disconnects. Errors are no news: without a connection both happen by
// themselves.
func (h *handle) finish() {
	h.finished.Do(func() {
		_ = h.qm.back()
		_ = h.qm.disconnect()
	})
}

// close gives everything back. It waits for a verb that runs, but not for one
// that hangs.
func (h *handle) close() {
	h.lose(errClosed)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case h.turn <- struct{}{}:
		h.finish()
	case <-timer.C:
		go func() {
			h.turn <- struct{}{}
			h.finish()
		}()
	}
}
