package engine

import (
	"container/list"
	"iter"
	"time"

	"github.com/fairlead/fairlead/connections/mq/mqi"
)

// Attributes of a queue. The zero value means the defaults.
type Attributes struct {
	BackoutThreshold int32  // BOTHRESH
	BackoutQueue     string // BOQNAME
	MaxDepth         int32  // default 1 000 000
	MaxMsgLength     int32  // default 100 MiB
	DefPriority      int32
	DefPersistent    bool
	FIFO             bool // deliver in the order of arrival, whatever the priority
	InhibitGet       bool
	InhibitPut       bool
	Model            bool   // opening it makes a temporary dynamic queue
	Base             string // the queue that it is an alias of
	Forbidden        bool   // opening it is not authorised
	NoInquire        bool   // opening it to inquire is not
}

func (a Attributes) withDefaults() Attributes {
	if a.MaxDepth == 0 {
		a.MaxDepth = 1_000_000
	}
	if a.MaxMsgLength == 0 {
		a.MaxMsgLength = 100 << 20
	}
	return a
}

const maxPriority = 9

type queue struct {
	Attributes
	name      string
	lists     [maxPriority + 1]list.List // of *message, by priority
	depth     int                        // in all lists
	inputs    int                        // open handles
	outputs   int
	waiting   int     // getters that wait
	exclusive *object // the handle that alone may get
	dynamic   bool
	changed   chan struct{} // closed when something changes that a waiter may want to know; nil: nobody waits
}

// A message is on a queue from its put until its get is committed.
type message struct {
	queue   *queue
	at      *list.Element // nil once it is gone
	md      mqi.MD
	data    []byte
	order   int64
	expires time.Time // zero: never
	putBy   *Conn     // whose unit of work has put it; nil: committed
	gotBy   *Conn     // whose unit of work has got it; nil: nobody's
}

func (m *message) visible() bool { return m.at != nil && m.putBy == nil && m.gotBy == nil }

// changes returns a channel that is closed at the next change.
func (q *queue) changes() <-chan struct{} {
	if q.changed == nil {
		q.changed = make(chan struct{})
	}
	return q.changed
}

func (q *queue) change() {
	if q.changed != nil {
		close(q.changed)
		q.changed = nil
	}
}

func (q *queue) add(m *message) {
	priority := maxPriority
	if !q.FIFO {
		priority = min(int(m.md.Priority), maxPriority)
	}
	m.queue = q
	m.at = q.lists[priority].PushBack(m)
	q.depth++
}

func (q *queue) remove(m *message) {
	for i := range q.lists {
		q.lists[i].Remove(m.at) // only from the list that it is in
	}
	m.at = nil
	q.depth--
}

// all has the messages in the order in which they are got. The current one may
// be removed.
func (q *queue) all() iter.Seq[*message] {
	return func(yield func(*message) bool) {
		for i := maxPriority; i >= 0; i-- {
			for e := q.lists[i].Front(); e != nil; {
				next := e.Next()
				if !yield(e.Value.(*message)) {
					return
				}
				e = next
			}
		}
	}
}

// live has the messages that a getter may have; expired ones are removed.
func (m *Manager) live(q *queue) iter.Seq[*message] {
	now := time.Now()
	return func(yield func(*message) bool) {
		for msg := range q.all() {
			switch {
			case !msg.visible():
			case !msg.expires.IsZero() && !now.Before(msg.expires):
				q.remove(msg)
				m.expired++
			case !yield(msg):
				return
			}
		}
	}
}
