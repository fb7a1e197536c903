package outbox

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/framework"
)

// A loop is the life of a running consumer. Its goroutine owns all of it:
// workers get rows and give back what became of them, one cycle at a time writes
// that down and claims more.
type loop struct {
	*Consumer
	hard context.Context

	hands    *hands
	water    lowWater
	outcomes []outcome // not yet written
	oldest   time.Time // when the first of them came
	newest   *row      // the last event that is done and was not noted
	noted    time.Time

	cycles  int       // begun so far
	cycling bool      // one is on its way
	tries   int       // failed cycles in a row
	nextTry time.Time // after a failed one
	strays  bool      // a claim's answer may have been lost
	dropped int       // the last cycle begun when rows were given back unstarted

	look  look
	fetch fetch
	timer *time.Timer // to plan again

	pausedUntil time.Time
	pauses      int // in a row

	toWork   chan []*row
	finished chan []finishedRow
	cycled   chan cycleResult
}

type finishedRow struct {
	row *row
	err error
}

func newLoop(c *Consumer, hard context.Context) *loop {
	return &loop{
		Consumer: c, hard: hard, hands: newHands(c.elsewhere),
		look: look{hungry: true}, timer: time.NewTimer(0),
		fetch:  fetch{workers: c.concurrency, least: c.concurrency * c.batch, ahead: c.concurrency * c.batch},
		toWork: make(chan []*row), finished: make(chan []finishedRow, c.concurrency), cycled: make(chan cycleResult, 1),
	}
}

func (l *loop) run(soft context.Context) error {
	var workers sync.WaitGroup
	for range l.concurrency {
		workers.Go(l.worker)
	}
	defer l.timer.Stop()
	for soft.Err() == nil {
		l.step(soft)
	}
	return l.stop(&workers)
}

// step waits for the next thing to happen, and sees to it.
func (l *loop) step(soft context.Context) {
	rows, toWork := l.offer()
	l.timer.Reset(l.plan())
	select {
	case toWork <- rows:
		l.started(rows)
	case rows := <-l.finished:
		l.finish(rows)
		l.finishMore()
	case r := <-l.cycled:
		l.apply(r)
	case <-l.wakeUp:
		l.look.hungry = true
	case <-l.timer.C:
	case <-soft.Done():
	}
}

// finishMore takes in what else the workers have done by now. Where functions are
// fast, that saves a step for each.
func (l *loop) finishMore() {
	for range l.concurrency {
		select {
		case rows := <-l.finished:
			l.finish(rows)
		default:
			return
		}
	}
}

// offer returns the next rows to start, and the channel to send them on; nil if
// nothing may start now.
func (l *loop) offer() ([]*row, chan []*row) {
	if len(l.hands.ready) == 0 || l.paused() || l.pauses > 0 && len(l.hands.running) > 0 {
		return nil, nil
	}
	rows := l.hands.ready[:min(l.batch, len(l.hands.ready))]
	owner := l.store.lease.id()
	if !l.store.lease.valid() || slices.ContainsFunc(rows, func(r *row) bool { return r.owner != owner }) {
		l.giveUp()
		return nil, nil
	}
	return rows, l.toWork
}

func (l *loop) started(rows []*row) {
	l.hands.start(len(rows))
	if time.Since(rows[0].claimed) > longWait {
		l.fetch.slow = true
	}
	l.status.inFlight.Add(int64(len(rows)))
}

func (l *loop) worker() {
	for rows := range l.toWork {
		errs := l.call(rows)
		out := make([]finishedRow, len(rows))
		for i, r := range rows {
			out[i] = finishedRow{r, errs[i]}
		}
		l.finished <- out
	}
}

// call does the work and turns a panic into an error.
func (l *loop) call(rows []*row) (errs []error) {
	defer func() {
		if v := recover(); v != nil {
			err := fmt.Errorf("panic: %v\n%s", v, debug.Stack())
			errs = make([]error, len(rows))
			for i := range errs {
				errs[i] = err
			}
		}
	}()
	return l.work(l.hard, rows)
}

// finish judges what the workers have done.
func (l *loop) finish(rows []finishedRow) {
	l.status.inFlight.Add(-int64(len(rows)))
	for _, f := range rows {
		o := l.judge(f.row, f.err)
		l.outcome(o)
		for _, o := range l.hands.finish(f.row, o.verdict, l.cycles+1) {
			l.outcome(o)
		}
	}
	if l.cycling && len(l.hands.ready) == 0 {
		l.fetch.starved = true
	}
}

// judge decides what becomes of a row.
func (l *loop) judge(r *row, err error) outcome {
	o := outcome{row: r}
	if b, ok := errors.AsType[*buriedError](err); ok {
		r.attempts++
		o.verdict = done
		l.pauses = 0
		l.status.failed.Add(1)
		l.died(r, b.Error())
		return o
	}
	switch {
	case err == nil:
		o.verdict = done
		l.pauses = 0
		l.status.done.Add(1)
		return o
	case l.hard.Err() != nil: // the grace period is over: no failure
		return o
	case errors.Is(err, framework.ErrUnavailable):
		l.pause(err)
		return o
	}
	if err == errExpired { // in hand: nothing was called
		o.verdict, o.cause = bury, err.Error()
		return o
	}
	r.attempts++
	l.status.failed.Add(1)
	o.cause = err.Error()
	if l.stack != nil {
		o.stack = l.stack(err)
	}
	if framework.IsTerminal(err) || l.retry.Exhausted(r.attempts) {
		o.verdict = bury
		return o
	}
	o.verdict = again
	var asked bool
	if o.delay, asked = framework.Delay(err); !asked {
		o.delay = l.retry.Wait(r.attempts)
	}
	if l.kind == kindBinding && r.attempts == 1 { // of a function, whoever calls it tells
		l.log.Warn("the message was refused, and will be sent again", "id", r.id, "err", err)
	}
	return o
}

// died records that a row is a dead letter, wherever that is.
func (l *loop) died(r *row, cause string) {
	l.status.dead.Add(1)
	l.log.Error("dead-lettered", "id", r.id, "attempts", r.attempts, "err", cause)
}

func (l *loop) outcome(o outcome) {
	if len(l.outcomes) == 0 {
		l.oldest = time.Now()
	}
	l.outcomes = append(l.outcomes, o)
	if o.verdict == bury {
		l.died(o.row, o.cause)
	}
	if o.verdict != release && (l.newest == nil || o.row.created.After(l.newest.created)) {
		l.newest = o.row
	}
	if o.verdict == again {
		l.look.retry(time.Now().Add(o.delay))
	}
}

// pause stops the work for a while, because something that it needs is out of
// reach. What was not begun is freed for others.
func (l *loop) pause(err error) {
	if l.paused() {
		return
	}
	l.pauses++
	l.pausedUntil = time.Now().Add(backOff(l.pauses))
	if l.pauses == 1 {
		l.log.Warn("paused: something that it needs is out of reach", "err", err)
	}
	l.status.set(Paused, err)
	l.look.hungry = true
	l.free()
}

func (l *loop) paused() bool { return !l.pausedUntil.IsZero() && time.Now().Before(l.pausedUntil) }

// free gives back what was not begun, and what a cycle on its way will bring:
// that may come after the former in the order of a key.
func (l *loop) free() {
	l.dropped = l.cycles
	l.giveBack(l.hands.drop())
}

func (l *loop) giveBack(rows []*row) {
	for _, r := range rows {
		l.outcome(outcome{row: r, verdict: release})
	}
}

// giveUp forgets what was not begun, because it may belong to others by now. The
// next cycle frees what does not.
func (l *loop) giveUp() {
	l.dropped = l.cycles
	l.hands.drop()
	l.strays = true
}

// stop frees what was not begun and waits for the rest, but not much longer
// than hard.
func (l *loop) stop(workers *sync.WaitGroup) error {
	close(l.toWork)
	ended := make(chan struct{})
	go func() {
		workers.Wait()
		close(ended)
	}()
	l.free()
	var late <-chan time.Time
	hard := l.hard.Done()
	for len(l.hands.running) > 0 || l.cycling || len(l.outcomes) > 0 {
		if !l.cycling && len(l.outcomes) > 0 && l.tries < 3 {
			l.begin(false)
		}
		if !l.cycling && len(l.hands.running) == 0 {
			break // the store is gone; the lease will end
		}
		select {
		case rows := <-l.finished:
			l.finish(rows)
		case r := <-l.cycled:
			l.apply(r)
		case <-hard:
			hard, late = nil, time.After(lastWait)
		case <-late:
			return fmt.Errorf("%s: %d calls did not end within %v", l.Consumer, len(l.hands.running), l.grace)
		}
	}
	<-ended
	return nil
}

// lastWait is how long a function may go on after its ctx has ended.
const lastWait = time.Second
