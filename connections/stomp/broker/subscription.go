package broker

import (
	"cmp"
	"slices"

	"github.com/go-stomp/stomp/v3/frame"
)

const (
	defaultPrefetch = 100
	maxPrefetch     = 10_000
	maxPerSession   = 1000 // subscriptions, transactions, temporary queues
)

// A subscription takes messages from a queue for one session. Broker.mu guards
// what changes.
type subscription struct {
	session  *session
	id       string
	numbered bool // the client gave the id (STOMP 1.0 need not)
	ack      string
	name     string // that it goes by after its connection; key in Broker.named
	selector *selector
	prefetch int64

	queue   *queue
	free    int         // deliveries that it has room for
	unacked []*delivery // in order; with ack:auto those not yet being written
	ended   bool
}

// newSubscription checks what a SUBSCRIBE asks for.
func (s *session) newSubscription(f *frame.Frame) (*subscription, string, error) {
	destination, err := parseDestination(f.Header.Get(frame.Destination), s.id)
	if err != nil {
		return nil, "", err
	}
	sub := &subscription{session: s, ack: cmp.Or(f.Header.Get(frame.Ack), frame.AckAuto)}
	if sub.id, sub.numbered = f.Header.Contains(frame.Id); !sub.numbered {
		if s.version != v10 {
			return nil, "", refuse("SUBSCRIBE has no id header")
		}
		sub.id = destination
	}
	if !slices.Contains([]string{frame.AckAuto, frame.AckClient, frame.AckClientIndividual}, sub.ack) {
		return nil, "", refuse("ack is %.40q, expected auto, client or client-individual", sub.ack)
	}
	if sub.prefetch, err = prefetch(f.Header); err != nil {
		return nil, "", err
	}
	if sub.selector, err = parseSelector(f.Header.Get("selector")); err != nil {
		return nil, "", err
	}
	if isTopic(destination) {
		sub.name, err = s.durableName(f.Header)
	}
	return sub, destination, err
}

func prefetch(h *frame.Header) (int64, error) {
	for _, key := range []string{"prefetch-count", "activemq.prefetchSize"} {
		if _, ok := h.Contains(key); ok {
			return number(h, key, 0, 1, maxPrefetch)
		}
	}
	return defaultPrefetch, nil
}

// durableName returns the key of the named subscription that a SUBSCRIBE to a
// topic or an UNSUBSCRIBE is about; "" if it is about none.
func (s *session) durableName(h *frame.Header) (string, error) {
	for _, key := range []string{"durable-subscription-name", "activemq.subscriptionName"} {
		if name := h.Get(key); name != "" && s.clientID == "" {
			return "", refuse("header %s needs a client-id header on CONNECT", key)
		} else if name != "" {
			return s.clientID + "\x00" + name, nil
		}
	}
	if h.Get("durable") == "true" {
		return s.clientID + "\x00" + h.Get(frame.Id), nil
	}
	return "", nil
}

// attach begins a subscription. b.mu is held.
func (b *Broker) attach(sub *subscription, destination string) error {
	s := sub.session
	if s.subs[sub.id] != nil {
		return refuse("there is a subscription with id %.100q already", sub.id)
	}
	if len(s.subs) == maxPerSession {
		return refuse("there are %d subscriptions already", maxPerSession)
	}
	q, err := b.source(sub, destination)
	if err != nil {
		return err
	}
	sub.queue, sub.free = q, int(sub.prefetch)
	s.subs[sub.id] = sub
	q.consumers = append(q.consumers, sub)
	q.feed(sub)
	return nil
}

// source returns the queue from which sub takes.
func (b *Broker) source(sub *subscription, destination string) (*queue, error) {
	switch {
	case isReply(destination):
		return sub.session.replyQueue(destination)
	case !isTopic(destination):
		return b.queue(destination), nil
	}
	q := &queue{broker: b, destination: destination, live: sub.name == "", name: sub.name, filter: sub.selector}
	sub.selector = nil // what it does not want is not put on its queue
	if old := b.named[sub.name]; old != nil {
		return old, old.takenBy(q)
	}
	if sub.name != "" {
		b.named[sub.name] = q
	}
	b.topics[destination] = append(b.topics[destination], q)
	return q, nil
}

// takenBy tells why a consumer that asks for wanted must not have q, which has
// the name it asks for.
func (q *queue) takenBy(wanted *queue) error {
	if len(q.consumers) > 0 {
		return refuse("the durable subscription is held by another consumer")
	}
	if q.destination != wanted.destination || q.filter.String() != wanted.filter.String() {
		return refuse("the durable subscription is one to %s with selector %q: end it with an UNSUBSCRIBE that has its name, or use another name", q.destination, q.filter)
	}
	return nil
}

// deliver sends an item to the subscription's client. Broker.mu is held.
func (sub *subscription) deliver(it *item) {
	s := sub.session
	s.deliveries++
	d := &delivery{item: it, sub: sub, number: s.deliveries, redelivered: it.redelivered, failed: it.failed}
	sub.free--
	sub.unacked = append(sub.unacked, d)
	s.push(outgoing{delivery: d})
}

// end takes the subscription from its queue and gives back what its client was
// sent and has not acknowledged, nor claimed for a transaction. failed says
// that this counts as a failed delivery. Broker.mu is held.
func (sub *subscription) end(failed bool) {
	sub.detach()
	delete(sub.session.subs, sub.id)
	sub.session.withdraw(sub)
	unclaimed := slices.DeleteFunc(sub.unacked, func(d *delivery) bool { return d.claimed })
	sub.unacked = nil
	giveBack(unclaimed, failed)
	sub.queue.tidy()
}

// detach takes the subscription from its queue, so that it gets nothing more.
func (sub *subscription) detach() {
	sub.ended = true
	q := sub.queue
	q.consumers = slices.DeleteFunc(q.consumers, func(other *subscription) bool { return other == sub })
	q.next = 0
	if q.live {
		q.close()
	}
}

func (sub *subscription) tooSlow() {
	sub.queue.close()
	sub.session.cancel(refuse("the subscription to %s lost its connection: more messages wait for it than this development broker keeps for a slow subscriber", sub.queue.destination))
}
