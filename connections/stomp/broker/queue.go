package broker

import (
	"container/list"
	"slices"
	"time"
)

// A queue keeps messages in order until its consumers take them. It is a queue,
// a temporary queue, or what one subscription of a topic has still to get.
//
// While a consumer has room, no item waits that it would take. Broker.mu guards
// all of it.
type queue struct {
	broker      *Broker
	destination string
	live        bool      // of a topic's subscription without a name: ends with it
	name        string    // of a topic's subscription with a name: its key in Broker.named
	filter      *selector // of a topic's subscription

	levels    [10]list.List // of *item: those that wait, by priority, then by number
	parked    int           // items in levels
	bytes     int           // of the messages of those
	delayed   int           // items that wait for their time
	total     int           // these, and those delivered and not yet acknowledged
	consumers []*subscription
	next      int // the consumer whose turn it is
	closed    bool
}

// An item is a message's place in one queue.
type item struct {
	message     *message
	queue       *queue
	number      uint64 // its place; kept when it is given back
	redelivered bool   // a consumer may have seen it
	failed      int    // deliveries that ended in NACK or with a lost connection
}

// queue returns the queue of that name; nil if it is a temporary queue whose
// connection is gone.
func (b *Broker) queue(destination string) *queue {
	q := b.queues[destination]
	if q == nil && !isReply(destination) {
		q = &queue{broker: b, destination: destination}
		b.queues[destination] = q
	}
	return q
}

func (q *queue) waiting() int { return q.parked + q.delayed }

func (q *queue) add(m *message) {
	q.broker.last++
	it := &item{message: m, queue: q, number: q.broker.last}
	m.refs++
	q.broker.used += overhead
	q.total++
	if m.delay > 0 {
		q.later(m.delay, it)
		return
	}
	q.offer(it)
}

// later offers items when d has passed.
func (q *queue) later(d time.Duration, items ...*item) {
	q.delayed += len(items)
	time.AfterFunc(d, func() {
		q.broker.mu.Lock()
		defer q.broker.mu.Unlock()
		q.delayed -= len(items)
		for _, it := range items {
			q.offer(it)
		}
	})
}

// offer hands an item to the next consumer that has room for it.
func (q *queue) offer(it *item) {
	if q.closed || it.message.expired(time.Now()) {
		q.drop(it)
		return
	}
	for range q.consumers {
		q.next = (q.next + 1) % len(q.consumers)
		if sub := q.consumers[q.next]; sub.free > 0 && sub.selector.matches(it.message) {
			sub.deliver(it)
			return
		}
	}
	q.park(it)
	if q.live && q.bytes > q.broker.MaxMemory/4 {
		q.consumers[0].tooSlow()
	}
}

// giveBack puts items back in their places and feeds who has room.
func (q *queue) giveBack(items []*item) {
	for _, it := range slices.Backward(items) {
		if q.closed {
			q.drop(it)
		} else {
			q.park(it)
		}
	}
	q.feed(q.consumers...)
	q.tidy()
}

// feed hands waiting items to subs, one each in turn, while they have room.
func (q *queue) feed(subs ...*subscription) {
	for progress := true; progress; {
		progress = false
		for _, sub := range subs {
			if it := q.take(sub); it != nil {
				sub.deliver(it)
				progress = true
			}
		}
	}
}

// take removes and returns the first waiting item that sub wants.
func (q *queue) take(sub *subscription) *item {
	if sub.free == 0 || sub.ended || q.parked == 0 {
		return nil
	}
	now := time.Now()
	for e := range q.waitingItems {
		it := e.Value.(*item)
		switch {
		case it.message.expired(now):
			q.unpark(e)
			q.drop(it)
		case sub.selector.matches(it.message):
			return q.unpark(e)
		}
	}
	return nil
}

// waitingItems goes through what waits, in order. The element it yields may be removed.
func (q *queue) waitingItems(yield func(*list.Element) bool) {
	for i := range slices.Backward(q.levels[:]) {
		for e := q.levels[i].Front(); e != nil; {
			next := e.Next()
			if !yield(e) {
				return
			}
			e = next
		}
	}
}

func (q *queue) park(it *item) {
	q.parked++
	q.bytes += it.message.size
	level := &q.levels[it.message.priority]
	if last := level.Back(); last == nil || last.Value.(*item).number < it.number {
		level.PushBack(it)
		return
	}
	e := level.Front()
	for e.Value.(*item).number < it.number {
		e = e.Next()
	}
	level.InsertBefore(it, e)
}

func (q *queue) unpark(e *list.Element) *item {
	it := e.Value.(*item)
	q.levels[it.message.priority].Remove(e)
	q.parked--
	q.bytes -= it.message.size
	return it
}

// drop ends an item that is not in levels: acknowledged, expired or unwanted.
func (q *queue) drop(it *item) {
	q.total--
	q.broker.used -= overhead
	q.broker.release(it.message)
	q.tidy()
}

func (q *queue) dropExpired() {
	now := time.Now()
	for e := range q.waitingItems {
		if it := e.Value.(*item); it.message.expired(now) {
			q.unpark(e)
			q.drop(it)
		}
	}
}

// tidy forgets a queue that nobody would miss, so that names do not pile up.
func (q *queue) tidy() {
	if q.total == 0 && len(q.consumers) == 0 && !isReply(q.destination) {
		q.forget()
	}
}

func (q *queue) forget() {
	if q.broker.queues[q.destination] == q {
		delete(q.broker.queues, q.destination)
	}
}

// close ends a temporary queue or a topic's subscription with all it holds.
func (q *queue) close() {
	b := q.broker
	q.closed = true
	q.forget()
	delete(b.named, q.name)
	b.topics[q.destination] = slices.DeleteFunc(b.topics[q.destination], func(other *queue) bool { return other == q })
	if len(b.topics[q.destination]) == 0 {
		delete(b.topics, q.destination)
	}
	for e := range q.waitingItems {
		q.drop(q.unpark(e))
	}
}
