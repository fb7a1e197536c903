package triggers

import (
	"sync"
	"sync/atomic"
	"time"
)

// A State says what a trigger is doing.
type State string

// The states of a trigger.
const (
	Connecting State = "connecting" // not connected, trying
	Running    State = "running"    // subscribed
	Paused     State = "paused"     // waiting for a broker or the store that its function needs
	Standby    State = "standby"    // another holds the subscription
	Down       State = "down"       // not connected, and reconnect is off
	Stopped    State = "stopped"
)

// A Status says how a trigger is doing.
type Status struct {
	State   State
	Err     error     // why it is not running; nil when it is
	Since   time.Time // when State began
	NextTry time.Time // when it connects again; zero if it need not

	Subscribed bool // it was running at least once
	Stuck      bool // no worker will ever take a message again: each is in a call that ignores that its time is over
	InFlight   int  // calls that run
	Waiting    int  // messages that wait for their next attempt

	Received, Succeeded, Failed, Retried, Dead, Reconnects uint64 // counted since the start
}

type counters struct{ received, succeeded, failed, retried, dead, reconnects atomic.Uint64 }

// status holds the part of a Status that changes as a whole.
type status struct {
	mu  sync.Mutex
	now Status
}

// set replaces the state and reports whether it, or its error, is another than before.
func (s *status) set(next Status) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next.Subscribed = s.now.Subscribed || next.State == Running
	next.Since = s.now.Since
	if s.now.State != next.State || next.Since.IsZero() {
		next.Since = time.Now()
	}
	changed = s.now.State != next.State || text(s.now.Err) != text(next.Err)
	s.now = next
	return changed
}

func (s *status) get() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Status returns how the trigger is doing now.
func (t *Trigger) Status() Status {
	s := t.status.get()
	if s.State == Running && t.pause.active() {
		s.State = Paused
	}
	s.Stuck, s.InFlight = t.stuck(), int(t.inFlight.Load())
	for _, l := range t.lanes {
		s.Waiting += l.waiting.len()
	}
	s.Received, s.Succeeded = t.counts.received.Load(), t.counts.succeeded.Load()
	s.Failed, s.Retried = t.counts.failed.Load(), t.counts.retried.Load()
	s.Dead, s.Reconnects = t.counts.dead.Load(), t.counts.reconnects.Load()
	return s
}
