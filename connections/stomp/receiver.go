package stomp

import (
	"context"
	"fmt"

	"github.com/go-stomp/stomp/v3/frame"

	"github.com/fairlead/fairlead/connections"
)

// receiver is a subscription on a link of its own.
type receiver struct {
	conn   *conn
	link   *link
	source *Source

	frames chan received // prefetched
	slots  chan struct{} // one for each message that Receive returned and that is not settled
}

// Receiver implements [connections.Conn].
func (c *conn) Receiver(ctx context.Context, source any, n int) (connections.Receiver, error) {
	s, n := source.(*Source), max(n, 1)
	l, err := c.take(ctx, s.owner(c.dialer.settings))
	if err != nil {
		return nil, err
	}
	headers, room := l.broker.prefetch(n)
	r := &receiver{conn: c, link: l, source: s, frames: make(chan received, room), slots: make(chan struct{}, n)}
	if err := r.subscribe(ctx, headers); err != nil {
		c.drop(l)
		return nil, err
	}
	return r, nil
}

// owner is the client id that s belongs to; empty if to none.
func (s *Source) owner(c *Connection) string {
	if s.Subscription == "" {
		return ""
	}
	return c.ClientID + "." + s.Subscription
}

func (r *receiver) subscribe(ctx context.Context, bound *frame.Header) error {
	if r.source.Selector != "" && r.link.broker == rabbit {
		return &connections.SettingError{Field: "selector", Want: "none: RabbitMQ would ignore it"}
	}
	// Messages may come before the receipt. The broker's reasons not to let us
	// have them are Receiver's result and not the conn's end.
	r.link.receiver.Store(r)
	r.link.private.Store(true)
	defer r.link.private.Store(false)
	f := r.subscribeFrame(bound)
	if err := r.link.request(ctx, f); err != nil {
		return fmt.Errorf("subscribe: %w", keptOut(err))
	}
	if r.link.broker != rabbit { // where UNSUBSCRIBE gives nothing back, and is an error too soon after an ACK
		r.link.onEnd(frame.New(frame.UNSUBSCRIBE, frame.Id, f.Header.Get(frame.Id)))
	}
	return nil
}

func (r *receiver) subscribeFrame(bound *frame.Header) *frame.Frame {
	name, routing := r.link.broker.name(r.source.Destination)
	f := frame.New(frame.SUBSCRIBE,
		frame.Id, r.id(),
		frame.Destination, name,
		frame.Ack, frame.AckClientIndividual)
	if routing != "" {
		f.Header.Add("subscription-type", routing)
	}
	if r.source.Selector != "" {
		f.Header.Add("selector", r.source.Selector)
	}
	f.Header.AddHeader(bound)
	if r.source.Subscription != "" {
		f.Header.AddHeader(r.link.broker.durable(r.source.Subscription))
	}
	for name, value := range r.source.Headers {
		f.Header.Set(name, value)
	}
	return f
}

// id is the subscription's on its link. RabbitMQ makes it the name of a durable
// one, for all clients.
func (r *receiver) id() string {
	if r.link.broker == rabbit && r.source.Subscription != "" {
		return r.source.owner(r.conn.dialer.settings)
	}
	return "1"
}

// keep takes a message from the link's reading goroutine. There is room for what
// the broker was asked for; with more, reading stops until there is again.
func (r *receiver) keep(f received) {
	select {
	case r.frames <- f:
	case <-r.link.ending:
	}
}

// Receive implements [connections.Receiver].
func (r *receiver) Receive(ctx context.Context) (connections.Delivery, error) {
	if err := r.over(ctx); err != nil {
		return connections.Delivery{}, err
	}
	select {
	case r.slots <- struct{}{}:
	case <-r.link.ending:
		return connections.Delivery{}, r.link.reason()
	case <-ctx.Done():
		return connections.Delivery{}, ctx.Err()
	}
	select {
	case f := <-r.frames:
		return r.delivery(f), nil
	case <-r.link.ending:
		<-r.slots
		return connections.Delivery{}, r.link.reason()
	case <-ctx.Done():
		<-r.slots
		return connections.Delivery{}, ctx.Err()
	}
}

// over returns why Receive can return no message. Of several reasons to go on
// or not, select would take any.
func (r *receiver) over(ctx context.Context) error {
	select {
	case <-r.link.ending:
		return r.link.reason()
	default:
		return ctx.Err()
	}
}

// Close implements [connections.Receiver]. Everything that is unsettled goes back.
func (r *receiver) Close() error {
	r.conn.drop(r.link)
	return nil
}
