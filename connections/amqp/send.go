package amqp

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

type sender struct {
	conn     *conn
	target   *Target
	name     string // of the target
	node     node
	own      *outlet // to the node; nil: it goes through the relay
	relay    *outlet
	receipts []amqp.SendReceipt // of the batch being sent
}

// Sender implements [connections.Conn].
func (c *conn) Sender(ctx context.Context, target any) (connections.Sender, error) {
	s := &sender{conn: c, target: target.(*Target)}
	s.name, _ = s.target.Address()
	if err := s.open(ctx); err != nil {
		return nil, fmt.Errorf("send to %s over %s: %w", s.name, c.dialer.name, err)
	}
	return s, nil
}

// open finds a way to the target. The relay is for the addresses of bindings that
// have none of their own. A native one is left to a link, which can tell the
// broker what it is, and so is what nobody confirms: the relay may not know the node.
func (s *sender) open(ctx context.Context) (err error) {
	if s.name == "" { // a broker takes that for a link to anywhere
		return &connections.SettingError{Field: "queue", Want: "the name of a queue, or topic with one of a topic"}
	}
	if s.target.each && !s.target.Native && !s.target.Presettled {
		s.node = nodeOf(s.conn.client, &s.target.Destination, s.target.Capabilities)
		if s.relay, err = s.conn.relay(ctx); s.relay != nil || err != nil {
			return opening(err)
		}
	}
	return s.openOwn(ctx)
}

func (s *sender) openOwn(ctx context.Context) (err error) {
	s.own, err = openOutlet(ctx, s.conn.client, func(session *amqp.Session) node {
		s.node = nodeOf(s.conn.client, &s.target.Destination, s.target.Capabilities)
		if s.target.Native {
			s.node = nativeNode(ctx, s.conn.client, session, s.name)
		}
		return s.node
	})
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

// Send implements [connections.Sender]. What the relay has no node for goes to
// the node itself, since brokers make one for a link.
func (s *sender) Send(ctx context.Context, batch []connections.Message) []error {
	if s.own != nil {
		return s.sendBy(ctx, s.own, batch)
	}
	errs := s.sendBy(ctx, s.relay, batch)
	if !slices.ContainsFunc(errs, notFound) {
		return errs
	}
	if err := s.openOwn(ctx); err != nil {
		for i := range errs {
			if notFound(errs[i]) {
				errs[i] = err
			}
		}
		return errs
	}
	for i := range batch {
		if notFound(errs[i]) {
			errs[i] = s.sendBy(ctx, s.own, batch[i:i+1])[0]
		}
	}
	return errs
}

// notFound says that a send was refused because there is no such node.
func notFound(err error) bool {
	refused, ok := errors.AsType[*framework.SendError](err)
	return ok && refused.Condition == string(amqp.ErrCondNotFound)
}

func (s *sender) sendBy(ctx context.Context, by *outlet, batch []connections.Message) []error {
	errs := make([]error, len(batch))
	s.receipts = slices.Grow(s.receipts[:0], len(batch))[:len(batch)]
	for i := range batch {
		s.receipts[i], errs[i] = s.transfer(ctx, by, &batch[i])
	}
	for i := range batch {
		if errs[i] == nil && !s.target.Presettled {
			errs[i] = s.outcome(ctx, &s.receipts[i])
		}
	}
	clear(s.receipts) // they hold what was sent
	return errs
}

// transfer hands one message to the connection.
func (s *sender) transfer(ctx context.Context, by *outlet, m *connections.Message) (amqp.SendReceipt, error) {
	if err := ctx.Err(); err != nil {
		return amqp.SendReceipt{}, fmt.Errorf("send to %s: %w", s.name, err)
	}
	out, err := encode(m, s.target.Headers)
	if err == nil {
		err = shape(out, m, s.target.JMS)
	}
	if err != nil {
		return amqp.SendReceipt{}, framework.Terminal(fmt.Errorf("send to %s: %w", s.name, err))
	}
	if err := s.address(out); err != nil {
		return amqp.SendReceipt{}, fmt.Errorf("send to %s: %w", s.name, err)
	}
	receipt, err := by.transfer(ctx, out, s.target.Presettled)
	if err != nil {
		err = s.failure(ctx, by, err)
	}
	return receipt, err
}

// address writes on a message where it goes and where its answer is to go, also
// in the words of the JMS mapping.
func (s *sender) address(out *amqp.Message) error {
	out.Properties.To = &s.node.address
	if s.node.kind != nil {
		annotate(out, jmsDestination, *s.node.kind)
	}
	replyTo := text(out.Properties.ReplyTo)
	if replyTo == "" {
		replyTo = s.target.ReplyTo
	}
	if replyTo == "" {
		return nil
	}
	address, kind, err := s.conn.replies.find(replyTo)
	if err != nil {
		return err
	}
	out.Properties.ReplyTo = &address
	annotate(out, jmsReplyTo, kind)
	return nil
}

func annotate(m *amqp.Message, name string, v any) {
	if m.Annotations == nil {
		m.Annotations = make(amqp.Annotations, 2)
	}
	m.Annotations[name] = v
}

// failure says what it means that a message could not be handed over.
func (s *sender) failure(ctx context.Context, by *outlet, err error) error {
	remote, _ := words(err)
	switch {
	case gone(err), errors.Is(err, connections.ErrConnLost):
		return fmt.Errorf("send to %s: %w", s.name, using(err))
	case ctx.Err() != nil: // while it waited for credit, or between two frames of the message
		by.torn.Store(true)
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
	if s.own != nil {
		s.own.close()
	}
	return nil
}
