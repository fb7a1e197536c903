package memory

import (
	"context"
	"fmt"
	"slices"

	"github.com/fairlead/fairlead/connections"
)

var (
	_ connections.Conn    = (*conn)(nil)
	_ connections.Watched = (*conn)(nil)
	_ connections.Pinger  = (*conn)(nil)
)

type conn struct {
	broker    *Broker
	name      string
	limit     int           // how many messages a queue holds that this conn sends to
	done      chan struct{} // closed when the conn is
	receivers map[*receiver]struct{}
}

func (b *Broker) dial(ctx context.Context, name string, limit int) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("dial %s: %w", name, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &conn{broker: b, name: name, limit: limit, done: make(chan struct{}), receivers: make(map[*receiver]struct{})}
	if b.conns == nil {
		b.conns = make(map[*conn]struct{})
	}
	b.conns[c] = struct{}{}
	return c, nil
}

func (c *conn) Receiver(ctx context.Context, source any, prefetch int) (connections.Receiver, error) {
	s := source.(*Source)
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("receive over %s: %w", c.name, err)
	}
	c.broker.mu.Lock()
	defer c.broker.mu.Unlock()
	if err := c.usable(ctx); err != nil {
		return nil, fmt.Errorf("receive over %s: %w", c.name, err)
	}
	r := &receiver{conn: c, prefetch: max(prefetch, 1), done: make(chan struct{}), held: make(map[*item]struct{})}
	name, topic := resolve(s.Destination)
	if topic {
		r.topic, r.queue = name, c.broker.subscribe(name, s.Subscription)
	} else {
		r.queue = c.broker.queue(name)
	}
	c.receivers[r] = struct{}{}
	return r, nil
}

func (c *conn) Sender(ctx context.Context, target any) (connections.Sender, error) {
	t := target.(*Target)
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("send over %s: %w", c.name, err)
	}
	name, topic := resolve(t.Destination)
	if name == "" {
		return nil, fmt.Errorf("send over %s: %w", c.name, &connections.SettingError{Field: "queue", Want: "the name of a queue, or topic with one of a topic"})
	}
	c.broker.mu.Lock()
	defer c.broker.mu.Unlock()
	if err := c.usable(ctx); err != nil {
		return nil, fmt.Errorf("send over %s: %w", c.name, err)
	}
	return &sender{conn: c, name: name, topic: topic}, nil
}

// usable says why nothing can be begun. The caller holds the broker's mu.
func (c *conn) usable(ctx context.Context) error {
	if c.closed() {
		return connections.ErrConnLost
	}
	return ctx.Err()
}

func (c *conn) closed() bool {
	_, live := c.broker.conns[c]
	return !live
}

func (c *conn) Ping(ctx context.Context) error {
	c.broker.mu.Lock()
	defer c.broker.mu.Unlock()
	if err := c.usable(ctx); err != nil {
		return fmt.Errorf("ping %s: %w", c.name, err)
	}
	return nil
}

func (c *conn) Done() <-chan struct{} { return c.done }

func (c *conn) Close() error {
	c.broker.mu.Lock()
	defer c.broker.mu.Unlock()
	if !c.closed() {
		c.cut()
	}
	return nil
}

// cut ends a live conn. The caller holds the broker's mu.
func (c *conn) cut() {
	delete(c.broker.conns, c)
	close(c.done)
	for r := range c.receivers {
		r.end()
	}
}

// unsubscribe forgets a live subscription. The caller holds b.mu.
func (b *Broker) unsubscribe(topic string, q *queue) {
	b.topics[topic] = slices.DeleteFunc(b.topics[topic], func(other *queue) bool { return other == q })
	q.change() // who waits for room in it need not wait any more
}
