package stomp

import (
	"context"
	"errors"
	"slices"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// sender sends over a link of its own.
type sender struct {
	conn   *conn
	target *Target
	link   *link // nil after it ended for a reason that was only ours
	closed bool
}

// Sender implements [connections.Conn].
func (c *conn) Sender(ctx context.Context, target any) (connections.Sender, error) {
	s := &sender{conn: c, target: target.(*Target)}
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *sender) open(ctx context.Context) error {
	l, err := s.conn.take(ctx, "")
	if err == nil {
		l.private.Store(true)
		s.link = l
	}
	return err
}

// Send implements [connections.Sender]. Every message has a receipt of its own:
// a transaction would be faster on Classic, but its receipt does not say that
// each SEND in it worked.
//
// If ctx ends before a receipt came, the result is ctx's error, and the broker
// may have the message.
func (s *sender) Send(ctx context.Context, batch []connections.Message) []error {
	errs := make([]error, len(batch))
	if err := s.ready(ctx); err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	s.exchange(ctx, batch, errs)
	if said := saidBy(s.link.reason()); said != nil && !said.goingDown() {
		s.giveUp(said)
		s.blame(ctx, said, batch, errs)
	} else if err := ctx.Err(); err != nil && slices.Contains(errs, err) {
		s.giveUp(err)
	}
	return errs
}

// ready opens a link if there is none, or none that lives.
func (s *sender) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed {
		return lost(errClosed)
	}
	if s.link != nil {
		said := saidBy(s.link.reason())
		if said == nil {
			return nil
		}
		s.giveUp(said)
	}
	err := s.open(ctx)
	if err != nil && ctx.Err() == nil {
		return lost(err)
	}
	return err
}

// exchange sends all messages, then waits for all receipts.
func (s *sender) exchange(ctx context.Context, batch []connections.Message, errs []error) {
	receipts := make([]receipt, len(batch))
	for i := range batch {
		receipts[i], errs[i] = s.link.post(s.link.broker.sendFrame(s.target, &batch[i]))
		if errs[i] != nil && s.link.reason() == nil { // STOMP cannot carry it
			errs[i] = framework.Terminal(errs[i])
		}
	}
	for i, r := range receipts {
		if errs[i] == nil {
			errs[i] = r.wait(ctx)
		}
		if said, ok := errs[i].(*brokerError); ok {
			<-s.link.ending // an ERROR is the last frame: nothing more must be sent on this link
			errs[i] = refused(said)
		}
	}
}

// blame finds out which message the broker's ERROR is about, where it did not
// say: the only one without a receipt, or else the one that it refuses when
// those are sent again one by one.
func (s *sender) blame(ctx context.Context, said *brokerError, batch []connections.Message, errs []error) {
	if len(batch) == 1 && errors.Is(errs[0], connections.ErrConnLost) {
		errs[0] = refused(said)
		return
	}
	for i := range errs {
		if errors.Is(errs[i], connections.ErrConnLost) {
			errs[i] = s.Send(ctx, batch[i:i+1])[0]
		}
	}
}

// giveUp closes the link without a word, and without an end of the conn.
func (s *sender) giveUp(err error) {
	s.link.stop(lost(err))
	s.link.hangUp()
	s.conn.drop(s.link)
	s.link = nil
}

// Close implements [connections.Sender].
func (s *sender) Close() error {
	s.closed = true
	if s.link != nil {
		s.conn.drop(s.link)
		s.link = nil
	}
	return nil
}
