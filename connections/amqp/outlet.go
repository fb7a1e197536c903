package amqp

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"sync/atomic"

	"github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
)

// An outlet is a link that messages leave by: to one node, or to the broker's
// relay, which takes messages to wherever they say. Its session is its own.
type outlet struct {
	session *amqp.Session
	link    *amqp.Sender
	torn    atomic.Bool // a message may have been sent in part
}

// openOutlet opens a link to the node that find returns.
func openOutlet(ctx context.Context, client *amqp.Conn, find func(*amqp.Session) node) (*outlet, error) {
	session, err := client.NewSession(ctx, nil)
	if err != nil {
		return nil, err
	}
	n := find(session)
	link, err := session.NewSender(ctx, n.address, &amqp.SenderOptions{TargetCapabilities: n.capabilities})
	if err != nil {
		closeSession(session)
		return nil, err
	}
	return &outlet{session: session, link: link}, nil
}

func (o *outlet) close() { closeSession(o.session) }

// transfer hands one message to the connection. It returns no receipt for one
// that is sent settled: the broker says nothing about it.
func (o *outlet) transfer(ctx context.Context, m *amqp.Message, settled bool) (amqp.SendReceipt, error) {
	if o.torn.Load() {
		return amqp.SendReceipt{}, fmt.Errorf("%w: an earlier message was cut short", connections.ErrConnLost)
	}
	if settled {
		return amqp.SendReceipt{}, o.link.Send(ctx, m, &amqp.SendOptions{Settled: true})
	}
	return o.link.SendWithReceipt(ctx, m, nil)
}

// relay returns the outlet to the broker's relay, which all senders of the
// connection share: one link for any number of addresses. It is nil if the
// broker has none (AMQP 1.0 anonymous terminus). Classic's is of no use: it
// refuses there what has a property that JMS does not know, such as a uuid.
func (c *conn) relay(ctx context.Context) (*outlet, error) {
	select {
	case c.relaying <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-c.relaying }()
	select {
	case <-c.client.Done():
		return nil, fmt.Errorf("%w: %w", connections.ErrConnLost, cmp.Or(c.client.Err(), net.ErrClosed))
	default:
	}
	if c.anywhere != nil || c.noRelay || isClassic(c.client) {
		return c.anywhere, nil
	}
	o, err := openOutlet(ctx, c.client, func(*amqp.Session) node { return node{} })
	if err != nil && !gone(err) && ctx.Err() == nil { // refused, for whatever reason: a node of a name may not be
		c.noRelay = true
		return nil, nil
	}
	c.anywhere = o
	return o, err
}
