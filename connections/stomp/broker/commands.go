package broker

import (
	"errors"

	"github.com/go-stomp/stomp/v3/frame"
)

// handle does what a frame asks for, and then answers to its receipt header.
func (s *session) handle(f *frame.Frame) error {
	receipt := f.Header.Get(frame.Receipt)
	err := s.command(f)
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		refused.receipt = receipt
	case receipt != "" && f.Command != frame.CONNECT && f.Command != frame.STOMP:
		s.reply(frame.New(frame.RECEIPT, frame.ReceiptId, receipt))
	}
	return err
}

func (s *session) command(f *frame.Frame) error {
	connecting := f.Command == frame.CONNECT || f.Command == frame.STOMP
	switch {
	case connecting && s.version != "":
		return refuse("there is a second %s", f.Command)
	case connecting:
		return s.connect(f)
	case s.version == "":
		return refuse("%s came before CONNECT", f.Command)
	}
	switch f.Command {
	case frame.SEND:
		return s.send(f)
	case frame.SUBSCRIBE:
		return s.subscribe(f)
	case frame.UNSUBSCRIBE:
		return s.unsubscribe(f)
	case frame.ACK, frame.NACK:
		return s.settle(f)
	case frame.BEGIN:
		return s.begin(f)
	case frame.COMMIT, frame.ABORT:
		return s.finish(f)
	default: // DISCONNECT: the frameReader knows no other
		s.broker.mu.Lock()
		defer s.broker.mu.Unlock()
		s.abortAll()
		for _, sub := range s.subs {
			sub.end(false)
		}
		return nil
	}
}

func (s *session) reply(f *frame.Frame) {
	s.broker.mu.Lock()
	defer s.broker.mu.Unlock()
	for i := range f.Header.Len() {
		_, value := f.Header.GetAt(i)
		s.replies += overhead + len(value)
	}
	s.push(outgoing{frame: f})
}

func (s *session) send(f *frame.Frame) error {
	destination, err := parseDestination(f.Header.Get(frame.Destination), s.id)
	if err != nil {
		return err
	}
	m, err := newMessage(f, destination)
	if err != nil {
		return err
	}
	tx, err := s.transaction(f)
	if err != nil {
		return err
	}
	b := s.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := s.ownReplyQueues(m); err != nil {
		return err
	}
	if err := b.reserve(m); err != nil {
		return err
	}
	if tx != nil {
		tx.sent = append(tx.sent, m)
	} else {
		b.route(m)
	}
	return nil
}

func (s *session) subscribe(f *frame.Frame) error {
	sub, destination, err := s.newSubscription(f)
	if err != nil {
		return err
	}
	s.broker.mu.Lock()
	defer s.broker.mu.Unlock()
	return s.broker.attach(sub, destination)
}

// unsubscribe ends a subscription; what its client was sent goes back uncounted.
// With a durable subscription's name it ends that, too, subscribed or not.
func (s *session) unsubscribe(f *frame.Frame) error {
	name, err := s.durableName(f.Header)
	if err != nil {
		return err
	}
	id, ok := f.Header.Contains(frame.Id)
	if !ok && s.version == v10 {
		id, err = parseDestination(f.Header.Get(frame.Destination), s.id)
		if err != nil && name == "" {
			return err
		}
	}
	b := s.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	sub, named := s.subs[id], b.named[name]
	if sub == nil && named == nil {
		return refuse("there is no subscription with id %.100q", id)
	}
	if sub != nil {
		sub.end(false)
	}
	if named == nil {
		return nil
	}
	if len(named.consumers) > 0 {
		return refuse("the durable subscription is held by another consumer")
	}
	named.close()
	return nil
}
