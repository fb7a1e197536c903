package amqp

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// settling is how long closing waits for go-amqp's goroutines to hand on what they
// have: a flow frame to the broker, and messages of the broker to us.
const settling = 50 * time.Millisecond

// A receiver gives credit by itself instead of leaving it to go-amqp: that takes
// fewer flow frames, and lets Close stop the flow.
//
// What the broker may still send, what is unsettled, and what was settled since
// credit was last given are the prefetch, always.
type receiver struct {
	conn    *conn
	own     *amqp.Conn // dialed for this receiver alone; nil: it shares its conn's
	session *amqp.Session
	link    *amqp.Receiver
	durable bool   // closing the link deletes the subscription
	dynamic string // our name of a queue that the broker named; usually empty

	closing sync.Once

	mu      sync.Mutex // guards what follows
	credit  int        // messages that the broker may send, or sent and Receive did not return
	settled int        // deliveries settled since credit was last given
	ended   bool       // no more credit, no more messages
}

// Receiver implements [connections.Conn].
func (c *conn) Receiver(ctx context.Context, source any, prefetch int) (connections.Receiver, error) {
	s := source.(*Source)
	r := &receiver{conn: c, durable: s.Subscription != ""}
	if err := r.open(ctx, s); err != nil {
		r.release()
		name, _ := s.Address()
		return nil, fmt.Errorf("receive from %s over %s: %w", name, c.dialer.name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.receivers[r] = struct{}{}
	r.account(0, max(prefetch, 1))
	return r, nil
}

func (r *receiver) open(ctx context.Context, s *Source) (err error) {
	if err := s.check(r.conn.dialer.settings); err != nil {
		return err
	}
	client := r.conn.client
	if s.exclusive() {
		if r.own, err = r.conn.dialer.open(ctx, r.conn.dialer.settings.ContainerID+"."+s.Subscription); err != nil {
			return err
		}
		client = r.own
	}
	if s.Shared && isClassic(client) { // it would quietly make one for each container id
		return fmt.Errorf("%w: the broker cannot share subscriptions; leave out shared, and set containerId", connections.ErrRefused)
	}
	if r.session, err = client.NewSession(ctx, nil); err != nil {
		return opening(err)
	}
	n := nodeOf(client, &s.Destination, s.Capabilities)
	switch {
	case s.Native:
		n = node{address: s.Queue}
	case s.Dynamic:
		n = node{}
	}
	if r.link, err = r.session.NewReceiver(ctx, n.address, s.options(n)); err != nil {
		return opening(err)
	}
	if s.Selector != "" && r.link.LinkSourceFilterValue(selectorFilter) == nil {
		return errNoSelectors
	}
	if s.Dynamic {
		r.dynamic = s.Queue
		r.conn.replies.add(r.dynamic, r.link.Address())
	}
	return nil
}

const selectorFilter = "apache.org:selector-filter:string"

var errNoSelectors = fmt.Errorf("%w: the broker does not know selectors", connections.ErrRefused)

func (s *Source) options(n node) *amqp.ReceiverOptions {
	o := &amqp.ReceiverOptions{
		Credit:             -1, // account gives it
		SourceCapabilities: slices.Clone(n.capabilities),
		DynamicAddress:     s.Dynamic,
	}
	if s.Selector != "" {
		o.Filters = []amqp.LinkFilter{amqp.NewSelectorFilter(s.Selector)}
	}
	if s.Subscription != "" {
		o.Name = s.Subscription
		o.SourceDurability = amqp.DurabilityUnsettledState
		o.SourceExpiryPolicy = amqp.ExpiryPolicyNever
	}
	if s.Shared {
		o.SourceCapabilities = append(o.SourceCapabilities, "shared", "global")
	}
	return o
}

// Receive implements [connections.Receiver].
func (r *receiver) Receive(ctx context.Context) (connections.Delivery, error) {
	if err := ctx.Err(); err != nil {
		return connections.Delivery{}, err
	}
	m, err := r.link.Receive(ctx, nil)
	if err != nil {
		return connections.Delivery{}, using(err)
	}
	if !r.account(-1, 0) { // it could not be settled any more
		return connections.Delivery{}, fmt.Errorf("%w: the receiver has ended", connections.ErrConnLost)
	}
	d := decode(m)
	d.Settle = func(ctx context.Context, o framework.Outcome) error { return r.settle(ctx, m, o) }
	return d, nil
}

func (r *receiver) settle(ctx context.Context, m *amqp.Message, o framework.Outcome) error {
	var err error
	switch o {
	case framework.Accept:
		err = r.link.AcceptMessage(ctx, m)
	case framework.Reject:
		err = r.link.RejectMessage(ctx, m, nil)
	case framework.Modify:
		err = r.link.ModifyMessage(ctx, m, &amqp.ModifyMessageOptions{DeliveryFailed: true})
	default:
		err = r.link.ReleaseMessage(ctx, m)
	}
	if err != nil {
		if gone(err) {
			r.end()
		}
		return fmt.Errorf("settle: %w", using(err))
	}
	r.account(0, 1)
	return nil
}

// account changes the counts and gives credit if it is worth a frame: as soon as
// as much was settled as there is credit left. It reports whether the receiver
// goes on.
func (r *receiver) account(credit, settled int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.credit += credit
	r.settled += settled
	if r.settled > 0 && r.settled >= r.credit && !r.ended {
		_ = r.link.IssueCredit(uint32(r.settled)) // it fails only during a drain
		r.credit += r.settled
		r.settled = 0
	}
	return !r.ended
}

func (r *receiver) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
}

// Close implements [connections.Receiver].
func (r *receiver) Close() error {
	r.closing.Do(func() {
		r.end()
		if r.dynamic != "" {
			r.conn.replies.remove(r.dynamic, r.link.Address())
		}
		r.giveBack()
		r.release()
		r.conn.forget(r)
	})
	return nil
}

// giveBack releases what the broker has sent and was not received. Brokers count
// it as a failed delivery otherwise (Classic, Broker-J).
func (r *receiver) giveBack() {
	if r.remaining() > 0 {
		r.drain()
	}
	for r.remaining() > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), settling)
		m, err := r.link.Receive(ctx, nil)
		cancel()
		if err != nil || r.link.ReleaseMessage(context.Background(), m) != nil {
			return // nothing comes any more, or the connection is lost
		}
		r.account(-1, 0)
	}
}

// drain takes the credit back, and returns when all that the broker sent before
// has come. Artemis and Classic do not answer the drain that go-amqp sends, which
// has no credit left, but they stop; and what they send on a connection comes in
// order, so that after a round trip nothing is on its way.
func (r *receiver) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), settling)
	defer cancel()
	if r.link.DrainCredit(ctx, nil) == nil {
		return
	}
	client := r.conn.client
	if r.own != nil {
		client = r.own
	}
	ctx, cancel = context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = ping(ctx, client) // it fails if the connection is lost; then there is nothing to give back
}

func (r *receiver) remaining() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.credit
}

// release frees what open got. Classic counts a delivery of all that it has sent
// when a session ends, but not when a link is closed; a link that is not closed
// keeps a durable subscription.
func (r *receiver) release() {
	if r.link != nil && !r.durable {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		_ = r.link.Close(ctx) // or the session ends it
	}
	if r.session != nil {
		closeSession(r.session)
	}
	if r.own != nil {
		_ = r.own.Close()
	}
}
