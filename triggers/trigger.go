// Package triggers is the engine that turns deliveries into function calls. One
// goroutine per worker walks the whole line, from receiving a message to
// settling it, so that one breakpoint in it sees everything:
//
//	receive ─► decode ─► call the function ─► reply ─► settle
//	                          │ error
//	                          ├─ retryable ─► wait, unsettled ─► call again
//	                          └─ terminal, or attempts used up ─► dead letter ─► settle
//
// What it promises: a delivery is settled once, and only after its function
// returned nil and its reply was confirmed, or after it was confirmed as a dead
// letter. Stopping and losing a connection are not failures: no attempt is used
// up. When a broker or the store that a function needs is out of reach, the
// trigger pauses; it never fills the dead letters with what is not to blame.
package triggers

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/outbox/ledger"
)

// A Spec is everything that one trigger on a broker needs. Two equal Specs run
// the same trigger.
type Spec struct {
	Name        string           // the trigger's name
	Connection  string           // the connection's name
	Destination string           // the queue or topic, as configured
	Dial        connections.Dial // dials a Conn of the trigger's own
	Source      any              // what the driver's Receiver takes
	Serial      bool             // dial one Conn for each worker (connections.Driver.Serial)
	Reconnect   connections.Reconnect

	Function string // the function's name
	Handler  framework.Handler
	Runtime  framework.Runtime
	Format   string        // "json" or "xml" to override the media type
	EventID  string        // header that holds the event's id; empty: the message's own identity
	Timeout  time.Duration // of one call; 0: none
	Retry    framework.RetryPolicy

	// AttemptsSet says that the configuration names Retry.Attempts; else a source
	// that says how often a message may be delivered wins over the default.
	AttemptsSet bool

	Concurrency int // calls at once, from 1
	Prefetch    int // unsettled deliveries at once, at least Concurrency
	Ordered     bool

	// Manual says that only the function settles a message, by
	// framework.Source(ctx).Settle; one that it leaves is given back.
	Manual bool

	// Reply sends an answer to a destination on the trigger's connection, in
	// the broker's own words if native.
	Reply       func(ctx context.Context, destination string, native bool, m connections.Message) error
	ReplyTo     string // where answers go to messages that do not say
	DeadLetters DeadLetters

	// DeadLettersSet says that the configuration names DeadLetters; else a source's
	// own queue for what cannot be processed comes first.
	DeadLettersSet bool

	Store  Store          // parks long waits; nil: messages wait at the broker
	Ledger *ledger.Ledger // of running calls; nil: none is kept

	Grace time.Duration // how long stopping waits for running calls
	Log   *slog.Logger
}

// A Trigger feeds one function from one source of one broker.
type Trigger struct {
	Spec
	codec  connections.Codec
	lanes  []*lane
	memory memory
	pause  pause
	status status

	inFlight atomic.Int64
	calling  []atomic.Int64 // since when each worker's call runs, in Unix nanoseconds; 0: none does
	counts   counters
}

// New returns a Trigger that does nothing before Run.
func New(spec Spec) *Trigger {
	t := &Trigger{Spec: spec, codec: connections.NewCodec(spec.Connection, spec.Destination)}
	t.status.set(Status{State: Connecting})
	t.calling = make([]atomic.Int64, t.Concurrency)
	n := 1
	if t.Serial {
		n = t.Concurrency
	}
	for range n {
		t.lanes = append(t.lanes, newLane(t))
	}
	return t
}

// Run works until ctx ends. Then it receives nothing more and waits, up to the
// grace period, for the calls that run; what is left goes back to the broker.
// An error means that a function did not end within it.
func (t *Trigger) Run(ctx context.Context) error {
	hard, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(t.Grace, kill) })()

	var workers sync.WaitGroup
	for i := range t.Concurrency {
		l := t.lanes[i%len(t.lanes)]
		workers.Go(func() { t.work(ctx, hard, l, &t.calling[i]) })
	}
	err := t.await(hard, &workers)
	for _, l := range t.lanes {
		l.close()
	}
	t.status.set(Status{State: Stopped, Err: err})
	return err
}

// lastWait is how long a function may go on after its ctx has ended.
const lastWait = time.Second

// await waits for the workers, but not much longer than hard.
func (t *Trigger) await(hard context.Context, workers *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() {
		workers.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-hard.Done():
	}
	select {
	case <-done:
		return nil
	case <-time.After(lastWait):
		return fmt.Errorf("trigger %s: function %s did not end within %v; its messages were given back", t.Name, t.Function, t.Grace)
	}
}

// work is the life of one worker.
func (t *Trigger) work(soft, hard context.Context, l *lane, calling *atomic.Int64) {
	for {
		j, err := l.next(soft)
		if err != nil {
			return
		}
		for j != nil {
			j.calling = calling
			t.inFlight.Add(1)
			t.process(soft, hard, j)
			t.inFlight.Add(-1)
			j = t.following(soft, j)
		}
	}
}

// overdue is how much longer than its timeout a call may run before its worker
// counts as stuck.
const overdue = 30 * time.Second

func (t *Trigger) stuck() bool {
	if t.Timeout <= 0 {
		return false
	}
	latest := time.Now().Add(-t.Timeout - overdue).UnixNano()
	for i := range t.calling {
		if since := t.calling[i].Load(); since == 0 || since > latest {
			return false
		}
	}
	return true
}

// following returns the message of j's group that may be worked on after j, if j
// is over. The worker that has put j off and the one that has ended it since may
// both see that; one of them goes on with the group.
func (t *Trigger) following(soft context.Context, j *job) *job {
	if !j.over.Load() || j.left.Swap(true) {
		return nil
	}
	next := j.session.groups.leave(j)
	if next == nil || soft.Err() == nil && j.session.lost.Load() == nil {
		return next
	}
	for ; next != nil; next = j.session.groups.leave(next) { // it stops, or they come again
		next.lane.giveBack(next)
	}
	return nil
}
