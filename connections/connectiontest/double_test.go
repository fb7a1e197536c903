package connectiontest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/memory"
	"github.com/fairlead/fairlead/framework"
)

// A double is a broker in memory that can do all that the suite asks about: what
// package memory cannot, it adds. It keeps every promise; a saboteur breaks some
// through its hooks.
type double struct {
	broker memory.Broker
	hooks  hooks
	stop   chan struct{} // closed at the end of a check, to free what a saboteur hangs

	mu        sync.Mutex
	receivers []*receiver // the open ones
}

// hooks change what passes through the driver. Nil changes nothing.
type hooks struct {
	subject  func(s *Subject)
	open     func(s *settings, next openFunc) (connections.Dial, error)
	dial     func(ctx context.Context, next connections.Dial) (connections.Conn, error)
	conn     func(c *conn)
	source   func(s *source, prefetch *int)
	receiver func(r *receiver)
	delivery func(r *receiver, d *connections.Delivery)
	sender   func(s *sender)
	message  func(m *connections.Message) // that is sent
}

type openFunc func(s *settings) (connections.Dial, error)

type settings struct {
	memory.Connection
	Password string
	Nowhere  bool // no broker is there
}

type source struct {
	memory.Source
	Selector  string // "colour = 'VALUE'"
	Exclusive bool
}

// subject returns the double as a Subject that can do everything.
func (b *double) subject() Subject {
	n := 0
	fresh := func(testing.TB) string { n++; return fmt.Sprint("name-", n) }
	driver := b.broker.Driver()
	driver.Connection = func() any { return new(settings) }
	driver.Source = func() any { return new(source) }
	driver.Open = b.open(driver.Open)
	s := Subject{
		Driver:     driver,
		Connection: &settings{Password: "right"},
		Queue:      fresh,
		Topic:      fresh,
		Break:      func(testing.TB) { b.broker.Break() },
		Durable: func(name string) (connection, from any) {
			return nil, &source{Source: memory.Source{Subscription: name}}
		},
		Exclusive: func(name string) (connection, from any) {
			return nil, &source{Source: memory.Source{Subscription: name}, Exclusive: true}
		},
		Selector:      func(expression string) any { return &source{Selector: expression} },
		WrongPassword: &settings{Password: "wr0ng"},
		Password:      "wr0ng",
		Unreachable:   &settings{Nowhere: true},
		WrongSettings: map[string]any{"limit": &settings{Connection: memory.Connection{Limit: -1}}},
		Refused:       func(m *connections.Message) { m.Header = map[string]any{"refused": true} },
		Malformed: func(_ testing.TB, queue string) {
			b.broker.Put(queue, connections.Message{Header: map[string]any{"malformed": true}})
		},
	}
	if b.hooks.subject != nil {
		b.hooks.subject(&s)
	}
	return s
}

func (b *double) open(inner func(string, any) (connections.Dial, error)) func(string, any) (connections.Dial, error) {
	return func(name string, v any) (connections.Dial, error) {
		honest := func(s *settings) (connections.Dial, error) {
			dial, err := inner(name, &s.Connection)
			return b.dial(s, dial), err
		}
		if b.hooks.open != nil {
			return b.hooks.open(v.(*settings), honest)
		}
		return honest(v.(*settings))
	}
}

func (b *double) dial(s *settings, inner connections.Dial) connections.Dial {
	honest := func(ctx context.Context) (connections.Conn, error) {
		if s.Nowhere {
			return nil, errors.New("dial: nobody listens")
		}
		if s.Password != "right" {
			return nil, fmt.Errorf("dial: %w: wrong password", connections.ErrRefused)
		}
		return inner(ctx)
	}
	if b.hooks.dial != nil {
		next := honest
		honest = func(ctx context.Context) (connections.Conn, error) { return b.hooks.dial(ctx, next) }
	}
	return func(ctx context.Context) (connections.Conn, error) {
		inner, err := honest(ctx)
		if err != nil {
			return nil, err
		}
		c := &conn{liveConn: inner.(liveConn), double: b}
		c.close, c.done, c.ping, c.sender, c.receiver = c.liveConn.Close, c.liveConn.Done, c.liveConn.Ping, c.newSender, c.newReceiver
		if b.hooks.conn != nil {
			b.hooks.conn(c)
		}
		return c, nil
	}
}

type liveConn interface {
	connections.Conn
	connections.Watched
	connections.Pinger
}

// A conn, like a receiver and a sender, has a function for each method, which a
// hook replaces.
type conn struct {
	liveConn
	double   *double
	close    func() error
	done     func() <-chan struct{}
	ping     func(context.Context) error
	receiver func(ctx context.Context, s *source, prefetch int) (connections.Receiver, error)
	sender   func(ctx context.Context, target any) (connections.Sender, error)
}

func (c *conn) Close() error                   { return c.close() }
func (c *conn) Done() <-chan struct{}          { return c.done() }
func (c *conn) Ping(ctx context.Context) error { return c.ping(ctx) }
func (c *conn) Receiver(ctx context.Context, v any, prefetch int) (connections.Receiver, error) {
	return c.receiver(ctx, v.(*source), prefetch)
}
func (c *conn) Sender(ctx context.Context, target any) (connections.Sender, error) {
	return c.sender(ctx, target)
}

func (c *conn) newReceiver(ctx context.Context, given *source, prefetch int) (connections.Receiver, error) {
	s := *given
	if c.double.hooks.source != nil {
		c.double.hooks.source(&s, &prefetch)
	}
	if s.Exclusive && c.double.holds(s.Subscription) {
		return nil, fmt.Errorf("receiver: %w", connections.ErrStandby)
	}
	if s.Selector != "" {
		prefetch = 1000 // what does not match is held, too
	}
	inner, err := c.liveConn.Receiver(ctx, &s.Source, prefetch)
	if err != nil {
		return nil, err
	}
	r := &receiver{Receiver: inner, conn: c, source: s, prefetch: prefetch}
	r.receive, r.close = r.matching, inner.Close
	if c.double.hooks.receiver != nil {
		c.double.hooks.receiver(r)
	}
	c.double.mu.Lock()
	defer c.double.mu.Unlock()
	c.double.receivers = append(c.double.receivers, r)
	return r, nil
}

// others returns the receivers that are open.
func (b *double) others() []*receiver {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.receivers = slices.DeleteFunc(b.receivers, func(r *receiver) bool {
		select {
		case <-r.conn.liveConn.Done():
			return true
		default:
			return r.closed
		}
	})
	return slices.Clone(b.receivers)
}

func (b *double) holds(subscription string) bool {
	return slices.ContainsFunc(b.others(), func(r *receiver) bool { return r.source.Subscription == subscription })
}

type receiver struct {
	connections.Receiver
	conn     *conn
	source   source
	prefetch int
	closed   bool // guarded by the double's mu
	receive  func(context.Context) (connections.Delivery, error)
	close    func() error
}

func (r *receiver) Receive(ctx context.Context) (connections.Delivery, error) { return r.receive(ctx) }

func (r *receiver) Close() error {
	r.conn.double.mu.Lock()
	r.closed = true
	r.conn.double.mu.Unlock()
	return r.close()
}

// matching receives the next message that the selector lets through.
func (r *receiver) matching(ctx context.Context) (connections.Delivery, error) {
	for {
		d, err := r.Receiver.Receive(ctx)
		if err != nil {
			return d, err
		}
		if d.Header["malformed"] != nil {
			d.Bad = errors.New("malformed")
		}
		if v, _ := d.Header["colour"].(string); r.source.Selector == "" || strings.Contains(r.source.Selector, "'"+v+"'") {
			if r.conn.double.hooks.delivery != nil {
				r.conn.double.hooks.delivery(r, &d)
			}
			return d, nil
		}
	}
}

func (c *conn) newSender(ctx context.Context, target any) (connections.Sender, error) {
	inner, err := c.liveConn.Sender(ctx, target)
	if err != nil {
		return nil, err
	}
	t := target.(*memory.Target)
	s := &sender{Sender: inner, conn: c, target: *t}
	s.send, s.close = s.each, inner.Close
	if c.double.hooks.sender != nil {
		c.double.hooks.sender(s)
	}
	return s, nil
}

type sender struct {
	connections.Sender
	conn   *conn
	target memory.Target
	send   func(context.Context, []connections.Message) []error
	close  func() error
}

func (s *sender) Send(ctx context.Context, batch []connections.Message) []error {
	return s.send(ctx, batch)
}
func (s *sender) Close() error { return s.close() }

// each sends one message after the other, but those that are refused.
func (s *sender) each(ctx context.Context, batch []connections.Message) []error {
	errs := make([]error, len(batch))
	for i, m := range batch {
		if s.conn.double.hooks.message != nil {
			s.conn.double.hooks.message(&m)
		}
		if m.Header["refused"] != nil {
			errs[i] = &framework.SendError{Outcome: framework.Reject}
			continue
		}
		errs[i] = s.Sender.Send(ctx, []connections.Message{m})[0]
	}
	return errs
}
