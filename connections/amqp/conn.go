package amqp

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
)

// closeTimeout bounds how long closing waits for the broker's answer.
const closeTimeout = 5 * time.Second

// A conn opens a session for each receiver and sender, so that a broker that
// ends one of them leaves the others alone.
type conn struct {
	dialer  *dialer
	client  *amqp.Conn
	replies *replies // of the connection in the configuration

	relaying chan struct{} // held by who looks at these:
	anywhere *outlet       // the broker's relay; nil if it was not asked for
	noRelay  bool          // the broker has none

	mu        sync.Mutex
	receivers map[*receiver]struct{} // open ones; guarded by mu
}

var (
	_ connections.Conn    = (*conn)(nil)
	_ connections.Watched = (*conn)(nil)
	_ connections.Pinger  = (*conn)(nil)
)

func newConn(d *dialer, client *amqp.Conn) *conn {
	return &conn{
		dialer: d, client: client, replies: new(replies),
		relaying: make(chan struct{}, 1), receivers: make(map[*receiver]struct{}),
	}
}

// Done implements [connections.Watched].
func (c *conn) Done() <-chan struct{} { return c.client.Done() }

// Ping implements [connections.Pinger].
func (c *conn) Ping(ctx context.Context) error {
	if err := ping(ctx, c.client); err != nil {
		return fmt.Errorf("ping %s: %w", c.dialer.name, opening(err))
	}
	return nil
}

// ping opens a session and closes it: the shortest round trip that every broker
// answers.
func ping(ctx context.Context, client *amqp.Conn) error {
	session, err := client.NewSession(ctx, nil)
	if err != nil {
		return err
	}
	return session.Close(ctx)
}

// Close implements [connections.Conn]. What go-amqp says about a connection
// that was lost before is of no use to anybody.
func (c *conn) Close() error {
	for _, r := range c.openReceivers() {
		_ = r.Close()
	}
	_ = c.client.Close()
	return nil
}

func (c *conn) openReceivers() []*receiver {
	c.mu.Lock()
	defer c.mu.Unlock()
	open := make([]*receiver, 0, len(c.receivers))
	for r := range c.receivers {
		open = append(open, r)
	}
	return open
}

func (c *conn) forget(r *receiver) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.receivers, r)
}

// closeSession ends a session and waits for the broker to have seen everything
// that was said in it. (Closing a connection is no such proof: the kernel drops
// what it has not sent when bytes that were not read are there.)
func closeSession(s *amqp.Session) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = s.Close(ctx) // it fails if the session is gone, or the broker does not answer; either way it is over for us
}
