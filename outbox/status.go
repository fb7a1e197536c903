package outbox

import (
	"sync"
	"sync/atomic"
	"time"
)

// A State says what a store or a consumer is doing.
type State string

// The states of a store and of a consumer.
const (
	Waiting State = "waiting" // for Postgres, which is out of reach
	Running State = "running"
	Paused  State = "paused" // a consumer: something that its function needs is out of reach
	Stopped State = "stopped"
)

// A Status says how a store is doing.
type Status struct {
	State   State
	Err     error     // why it waits
	Since   time.Time // when State began
	Replica int       // the id of its lease; 0: it has none
}

// A ConsumerStatus says how a consumer is doing.
type ConsumerStatus struct {
	State    State
	Err      error     // why it waits or is paused
	Since    time.Time // when State began
	InFlight int       // calls that run

	Done, Failed, Dead uint64 // counted since the start
}

// state is the part of a status that changes as a whole.
type state struct {
	mu    sync.Mutex
	state State
	err   error
	since time.Time
}

// set replaces the state and reports whether it is another than before.
func (s *state) set(next State, err error) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed = s.state != next
	if changed {
		s.since = time.Now()
	}
	s.state, s.err = next, err
	return changed
}

func (s *state) get() (now State, since time.Time, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state, s.since, s.err
}

type storeStatus struct{ state }

// Status returns how the store is doing now.
func (s *Store) Status() Status {
	state, since, err := s.status.get()
	return Status{State: state, Err: err, Since: since, Replica: int(s.lease.id())}
}

// Ready reports whether the store has answered since Run began. Later outages
// are its status.
func (s *Store) Ready() bool {
	select {
	case <-s.up:
		return true
	default:
		return false
	}
}

// failed and worked take note of how the store answered.
func (s *Store) failed(err error) { s.status.set(Waiting, err) }
func (s *Store) worked()          { s.status.set(Running, nil) }

type consumerStatus struct {
	state
	inFlight           atomic.Int64
	done, failed, dead atomic.Uint64
}

func (s *consumerStatus) get() ConsumerStatus {
	state, since, err := s.state.get()
	return ConsumerStatus{
		State: state, Err: err, Since: since, InFlight: int(s.inFlight.Load()),
		Done: s.done.Load(), Failed: s.failed.Load(), Dead: s.dead.Load(),
	}
}
