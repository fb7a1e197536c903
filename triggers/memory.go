package triggers

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// memory keeps what happened to events whose connection was lost before they
// were settled, until they are delivered again: how often they failed, and why
// for good, so that a lost connection gives a poison message no new attempts; and
// which are done, so that they need not run again. It is bounded, lives in RAM, and knows events by
// source, id and content; those with a random id it cannot know.
type memory struct {
	count  atomic.Int64
	mu     sync.Mutex
	events map[eventKey]memo
}

type eventKey struct {
	source, id string
	body       uint64
}

type memo struct {
	failures
	cause error // why it is a dead letter that was not buried yet
	done  bool
	at    time.Time
}

// Bounds of the memory. A broker delivers again within seconds; what does not
// come back by then went to another consumer.
const (
	memoryLimit = 10_000
	memoryTime  = 10 * time.Minute
)

var seed = maphash.MakeSeed()

// key identifies the one event of j.
func (j *job) key() eventKey {
	ev := j.events[0]
	return eventKey{ev.Source(), ev.ID(), maphash.Bytes(seed, ev.Data())}
}

// keep remembers j, which is done but was not settled, or has failed before.
func (m *memory) keep(j *job, done bool) {
	if j.unstable || len(j.events) != 1 || !done && j.attempts == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.events == nil {
		m.events = make(map[eventKey]memo)
	}
	if len(m.events) >= memoryLimit {
		m.forget()
	}
	m.events[j.key()] = memo{j.failures, j.cause, done, time.Now()}
	m.count.Store(int64(len(m.events)))
}

// forget drops what is old, or, if nothing is, everything.
func (m *memory) forget() {
	for k, e := range m.events {
		if time.Since(e.at) > memoryTime {
			delete(m.events, k)
		}
	}
	if len(m.events) >= memoryLimit {
		clear(m.events)
	}
}

// recall gives j back what is remembered of it, once.
func (m *memory) recall(j *job) {
	if m.count.Load() == 0 || j.unstable || len(j.events) != 1 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	k := j.key()
	e, ok := m.events[k]
	if !ok {
		return
	}
	delete(m.events, k)
	m.count.Store(int64(len(m.events)))
	if time.Since(e.at) > memoryTime {
		return
	}
	j.failures, j.cause = e.failures, e.cause
	if e.done {
		j.advance()
	}
}
