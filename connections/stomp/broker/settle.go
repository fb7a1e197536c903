package broker

import (
	"slices"
	"strconv"

	"github.com/go-stomp/stomp/v3/frame"
)

// A settlement is an ACK or NACK of deliveries of one subscription.
type settlement struct {
	deliveries []*delivery
	ack        bool
}

// settle handles ACK and NACK.
func (s *session) settle(f *frame.Frame) error {
	if f.Command == frame.NACK && s.version == v10 {
		return refuse("there is no NACK in STOMP 1.0")
	}
	tx, err := s.transaction(f)
	if err != nil {
		return err
	}
	s.broker.mu.Lock()
	defer s.broker.mu.Unlock()
	deliveries, err := s.toSettle(f)
	if err != nil {
		return err
	}
	st := settlement{deliveries, f.Command == frame.ACK}
	if tx == nil {
		s.broker.settle(st)
		return nil
	}
	for _, d := range deliveries {
		d.claimed = true
	}
	tx.settlements = append(tx.settlements, st)
	return nil
}

// toSettle returns the deliveries that an ACK or NACK is about: one, or with
// ack:client also those of its subscription before it.
func (s *session) toSettle(f *frame.Frame) ([]*delivery, error) {
	isMeant, err := meantBy(f, s.version)
	if err != nil {
		return nil, err
	}
	for _, sub := range s.subs {
		i := slices.IndexFunc(sub.unacked, func(d *delivery) bool { return !d.claimed && d.written && isMeant(d) })
		switch {
		case i < 0:
			continue
		case sub.ack == frame.AckClientIndividual:
			return slices.Clone(sub.unacked[i : i+1]), nil
		default:
			upTo := slices.Clone(sub.unacked[:i+1])
			return slices.DeleteFunc(upTo, func(d *delivery) bool { return d.claimed }), nil
		}
	}
	return nil, refuse("%s: no message of that id waits to be acknowledged; it may have been already, or its subscription has ended", f.Command)
}

// meantBy returns how to tell which delivery an ACK or NACK is about.
func meantBy(f *frame.Frame, v version) (func(*delivery) bool, error) {
	if v == v12 {
		id, err := strconv.ParseUint(f.Header.Get(frame.Id), 10, 64)
		if err != nil {
			return nil, refuse("%s: id is %.40q, expected what the message's ack header says", f.Command, f.Header.Get(frame.Id))
		}
		return func(d *delivery) bool { return d.number == id }, nil
	}
	id := f.Header.Get(frame.MessageId)
	sub, ok := f.Header.Contains(frame.Subscription)
	if id == "" || !ok && v == v11 {
		return nil, refuse("%s needs the headers message-id and subscription", f.Command)
	}
	return func(d *delivery) bool { return d.item.message.id == id && (!ok || d.sub.id == sub) }, nil
}

// settle ends deliveries: acknowledged ones are gone, the others come back later.
func (b *Broker) settle(st settlement) {
	sub := st.deliveries[0].sub
	var back []*item
	for _, d := range st.deliveries {
		d.done = true
		if st.ack {
			sub.queue.drop(d.item)
		} else {
			back = append(back, d.returned(true))
		}
	}
	sub.free += len(st.deliveries)
	sub.unacked = slices.DeleteFunc(sub.unacked, func(d *delivery) bool { return d.done })
	if len(back) > 0 {
		sub.queue.later(b.NackDelay, back...)
	}
	sub.queue.feed(sub)
}
