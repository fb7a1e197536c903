package amqp

import (
	"context"
	"fmt"
	"slices"

	"github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

type sender struct {
	name     string // of the target
	headers  map[string]string
	session  *amqp.Session
	link     *amqp.Sender
	torn     bool               // a message may have been sent in part
	receipts []amqp.SendReceipt // of the batch being sent
}

// Sender implements [connections.Conn].
func (c *conn) Sender(ctx context.Context, target any) (connections.Sender, error) {
	t := target.(*Target)
	s := &sender{headers: t.Headers}
	s.name, _ = t.Address()
	if err := s.open(ctx, c.client, t); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("send to %s over %s: %w", s.name, c.dialer.name, err)
	}
	return s, nil
}

func (s *sender) open(ctx context.Context, client *amqp.Conn, t *Target) (err error) {
	if s.name == "" { // a broker takes that for a link to anywhere
		return &connections.SettingError{Field: "queue", Want: "the name of a queue, or topic with one of a topic"}
	}
	if s.session, err = client.NewSession(ctx, nil); err != nil {
		return opening(err)
	}
	n := nodeOf(client, &t.Destination)
	if t.Native {
		n = nativeNode(ctx, client, s.session, s.name)
	}
	s.link, err = s.session.NewSender(ctx, n.address, &amqp.SenderOptions{TargetCapabilities: n.capabilities})
	return s.refused(err)
}

// refused turns the broker's no to this target into a SendError, if the reason
// is not one that concerns the whole connection.
func (s *sender) refused(err error) error {
	if remote, _ := words(err); remote != nil && class(err) == nil {
		return s.sendError(framework.Reject, remote)
	}
	return opening(err)
}

func (s *sender) sendError(o framework.Outcome, said *amqp.Error) error {
	e := &framework.SendError{Destination: s.name, Outcome: o}
	if said != nil {
		e.Condition, e.Description = string(said.Condition), said.Description
	}
	return e
}

// Send implements [connections.Sender].
func (s *sender) Send(ctx context.Context, batch []connections.Message) []error {
	errs := make([]error, len(batch))
	s.receipts = slices.Grow(s.receipts[:0], len(batch))[:len(batch)]
	for i := range batch {
		s.receipts[i], errs[i] = s.transfer(ctx, &batch[i])
	}
	for i := range batch {
		if errs[i] == nil {
			errs[i] = s.outcome(ctx, &s.receipts[i])
		}
	}
	clear(s.receipts) // they hold what was sent
	return errs
}

// transfer hands one message to the connection.
func (s *sender) transfer(ctx context.Context, m *connections.Message) (amqp.SendReceipt, error) {
	if err := ctx.Err(); err != nil {
		return amqp.SendReceipt{}, fmt.Errorf("send to %s: %w", s.name, err)
	}
	if s.torn {
		return amqp.SendReceipt{}, fmt.Errorf("send to %s: %w: an earlier message was cut short", s.name, connections.ErrConnLost)
	}
	out, err := encode(m, s.headers)
	if err != nil {
		return amqp.SendReceipt{}, framework.Terminal(fmt.Errorf("send to %s: %w", s.name, err))
	}
	receipt, err := s.link.SendWithReceipt(ctx, out, nil)
	if err != nil {
		err = s.failure(ctx, err)
	}
	return receipt, err
}

// failure says what it means that a message could not be handed over.
func (s *sender) failure(ctx context.Context, err error) error {
	remote, _ := words(err)
	switch {
	case gone(err):
		return fmt.Errorf("send to %s: %w", s.name, using(err))
	case ctx.Err() != nil: // while it waited for credit, or between two frames of the message
		s.torn = true
		return fmt.Errorf("send to %s: the broker takes nothing: %w", s.name, ctx.Err())
	case remote != nil: // too long for the broker, found out before it was sent
		return s.sendError(framework.Reject, remote)
	}
	return framework.Terminal(fmt.Errorf("send to %s: %w", s.name, err)) // it has no AMQP form
}

// outcome waits for the broker's verdict. If ctx ends before, nobody knows it; but
// the connection, which others use, is as good as before.
func (s *sender) outcome(ctx context.Context, receipt *amqp.SendReceipt) error {
	state, err := receipt.Wait(ctx)
	switch {
	case gone(err):
		return fmt.Errorf("send to %s: %w", s.name, using(err))
	case err != nil:
		return fmt.Errorf("send to %s: no answer from the broker: %w", s.name, err)
	}
	switch state := state.(type) {
	case *amqp.StateAccepted:
		return nil
	case *amqp.StateRejected:
		return s.sendError(framework.Reject, state.Error)
	case *amqp.StateReleased:
		return s.sendError(framework.Release, nil)
	case *amqp.StateModified:
		return s.sendError(framework.Modify, nil)
	}
	return fmt.Errorf("send to %s: %w: the broker's answer is %v", s.name, connections.ErrConnLost, state)
}

// Close implements [connections.Sender].
func (s *sender) Close() error {
	if s.session != nil {
		closeSession(s.session)
	}
	return nil
}
