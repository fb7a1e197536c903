package memory

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/connections"
)

// A queue is a queue, or a subscription's part of a topic. All of it is guarded
// by the Broker's mu.
type queue struct {
	subscription string // name of a durable subscription
	live         bool   // a subscription that ends with its receiver

	ready    []*item       // in the order of before
	expiring int           // how many of them expire
	held     int           // how many are received and not settled
	changed  chan struct{} // nil while nobody waits
}

// An item is one message in one queue.
type item struct {
	msg     connections.Message
	order   int64
	expires time.Time // zero: never
	count   int       // failed deliveries
}

// before says in which order items are delivered: higher priority first.
func (it *item) before(other *item) int {
	return cmp.Or(cmp.Compare(other.priority(), it.priority()), cmp.Compare(it.order, other.order))
}

func (it *item) priority() int {
	if it.msg.Priority == nil {
		return 4 // the usual default, as on JMS and AMQP
	}
	return *it.msg.Priority
}

// message returns a copy that its receiver may change.
func (it *item) message() connections.Message {
	m := it.msg
	m.Body = bytes.Clone(m.Body)
	m.Header = maps.Clone(m.Header)
	return m
}

// put adds a copy of m to each of the queues.
func (b *Broker) put(queues []*queue, m connections.Message) {
	b.order++
	it := item{msg: m, order: b.order}
	it.msg = it.message()
	it.msg.Native = nil
	if m.TTL > 0 {
		it.expires = time.Now().Add(m.TTL)
	}
	if m.Time.IsZero() {
		it.msg.Time = time.Now()
	}
	it.msg.Identity = b.identity(m)
	it.msg.Correlate = cmp.Or(m.CorrelationID, m.ID, any(it.msg.Identity))
	for _, q := range queues {
		copied := it
		q.add(&copied)
	}
}

// identity returns what stays the same over all deliveries of m: the id that its
// sender gave, or one of our own.
func (b *Broker) identity(m connections.Message) string {
	if m.ID != nil {
		return fmt.Sprint(m.ID)
	}
	if b.id == "" {
		b.id = rand.Text()
	}
	return b.id + "-" + strconv.FormatInt(b.order, 10)
}

// add puts an item where it belongs: a new one behind those of its priority, one
// that is given back to its old place.
func (q *queue) add(it *item) {
	i, _ := slices.BinarySearchFunc(q.ready, it, (*item).before)
	q.ready = slices.Insert(q.ready, i, it)
	if !it.expires.IsZero() {
		q.expiring++
	}
	q.change()
}

// pop takes the first item, which is then held, or returns nil.
func (q *queue) pop() *item {
	q.expire()
	if len(q.ready) == 0 {
		return nil
	}
	it := q.ready[0]
	q.ready[0] = nil // for the garbage collector
	q.ready = q.ready[1:]
	if !it.expires.IsZero() {
		q.expiring--
	}
	q.held++
	return it
}

// remove ends the life of a held item.
func (q *queue) remove() {
	q.held--
	q.change()
}

// giveBack makes a held item ready again.
func (q *queue) giveBack(it *item) {
	q.held--
	q.add(it)
}

func (q *queue) len() int {
	q.expire()
	return len(q.ready) + q.held
}

// expire drops what is too old to be delivered.
func (q *queue) expire() {
	if q.expiring == 0 {
		return
	}
	now := time.Now()
	q.ready = slices.DeleteFunc(q.ready, func(it *item) bool {
		old := !it.expires.IsZero() && !now.Before(it.expires)
		if old {
			q.expiring--
		}
		return old
	})
}

// expiry returns a channel that receives when the next message expires, or nil.
func (q *queue) expiry() <-chan time.Time {
	var next time.Time
	for _, it := range q.ready {
		if !it.expires.IsZero() && (next.IsZero() || it.expires.Before(next)) {
			next = it.expires
		}
	}
	if next.IsZero() {
		return nil
	}
	return time.After(time.Until(next))
}

// changes returns a channel that is closed when the queue has changed: there may
// be a message, or room, or one unsettled delivery less.
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
