// Package memory is a broker inside the process. It behaves as a real one does
// (queues, topics, durable subscriptions, prefetch, redelivery, expiry, dead
// letters, backpressure) but keeps nothing when the process ends. It serves
// connections of type memory, and tests, which see into it through [Broker].
// It is also the driver to read before writing another.
//
// Waiting is done on channels alone, so all of it works inside a
// [testing/synctest] bubble.
package memory

import (
	"context"
	"sync"

	"github.com/fairlead/fairlead/connections"
)

// DeadLetters is the queue that gets what was rejected. What is rejected there,
// like what expires, is gone.
const DeadLetters = "DLQ"

// DefaultLimit is how many messages a queue or subscription holds, unsettled
// ones included, before those who send to it have to wait.
const DefaultLimit = 10_000

// A Broker holds queues and topics, made when they are first named. The zero
// value is ready to use. Its methods may be called concurrently.
//
// Queues deliver by priority, then in the order of arrival; what is given back
// takes its old place. A queue's name and the number of its subscriptions are
// kept until the Broker is dropped.
type Broker struct {
	mu     sync.Mutex // guards all below, and the state of every conn, receiver and queue
	id     string     // random, so that no Identity is ever used twice
	order  int64      // of the message that arrived last
	queues map[string]*queue
	topics map[string][]*queue // one for each subscription
	conns  map[*conn]struct{}
}

// Put adds a message to a queue or, with "topic:NAME", to a topic, whatever the limit.
func (b *Broker) Put(destination string, m connections.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.put(b.targets(address(destination)), m)
}

// Take removes the first message of a queue, for which it waits until ctx ends.
func (b *Broker) Take(ctx context.Context, queue string) (connections.Message, error) {
	for {
		if err := ctx.Err(); err != nil {
			return connections.Message{}, err
		}
		b.mu.Lock()
		q := b.queue(queue)
		if it := q.pop(); it != nil {
			q.remove()
			b.mu.Unlock()
			return it.message(), nil
		}
		changed := q.changes()
		b.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// Len returns how many messages a queue holds, received but unsettled ones included.
func (b *Broker) Len(queue string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.queue(queue).len()
}

// Break cuts every live connection, as a failing network would. What was
// unsettled goes back.
func (b *Broker) Break() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.conns {
		c.cut()
	}
}

// queue returns the queue of that name. The caller holds b.mu, here and below.
func (b *Broker) queue(name string) *queue {
	if b.queues == nil {
		b.queues = make(map[string]*queue)
	}
	if b.queues[name] == nil {
		b.queues[name] = new(queue)
	}
	return b.queues[name]
}

// targets returns the queues that a message for that address goes to.
func (b *Broker) targets(name string, topic bool) []*queue {
	if topic {
		return b.topics[name]
	}
	return []*queue{b.queue(name)}
}

// subscribe returns the queue of a subscription of a topic. Those with a name
// are durable, and shared by all who give that name.
func (b *Broker) subscribe(topic, name string) *queue {
	for _, q := range b.topics[topic] {
		if name != "" && q.subscription == name {
			return q
		}
	}
	if b.topics == nil {
		b.topics = make(map[string][]*queue)
	}
	q := &queue{subscription: name, live: name == ""}
	b.topics[topic] = append(b.topics[topic], q)
	return q
}
