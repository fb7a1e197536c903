package stomp

import (
	"context"
	"sync"

	"github.com/fairlead/fairlead/connections"
)

// conn is a [connections.Conn]: a link for each Receiver and each Sender. When
// one of them is lost, all of it is.
type conn struct {
	dialer *dialer
	done   chan struct{} // closed once err is set

	mu    sync.Mutex
	err   error // why it can no longer be used
	links map[*link]struct{}
	spare *link // one of them, not in use yet
}

var (
	_ connections.Watched = (*conn)(nil)
	_ connections.Pinger  = (*conn)(nil)
)

func dial(ctx context.Context, d *dialer) (connections.Conn, error) {
	c := &conn{dialer: d, done: make(chan struct{}), links: make(map[*link]struct{})}
	l, err := d.dial(ctx, "", c.lost)
	if err != nil {
		return nil, err
	}
	c.links[l], c.spare = struct{}{}, l
	return c, nil
}

// Done implements [connections.Watched].
func (c *conn) Done() <-chan struct{} { return c.done }

// lost says that c can no longer be used. Every link calls it when it is lost.
func (c *conn) lost(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		close(c.done)
	}
}

// take returns a link for the caller alone, who gives it to drop in the end.
func (c *conn) take(ctx context.Context, clientID string) (*link, error) {
	if clientID == "" {
		if l := c.claim(); l != nil {
			return l, nil
		}
	}
	// A conn that is lost and does not know it must not half come back to life.
	if w, err := c.witness(); err != nil {
		return nil, err
	} else if w != nil {
		if err := w.ping(ctx); err != nil {
			return nil, err
		}
	}
	return c.open(ctx, clientID)
}

// claim returns the spare link, if there is one.
func (c *conn) claim() *link {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.spare
	if c.err != nil {
		l = nil
	}
	c.spare = nil
	return l
}

// witness returns a link whose loss is c's, if there is one.
func (c *conn) witness() (*link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	for l := range c.links {
		if !l.private.Load() {
			return l, nil
		}
	}
	return nil, nil
}

func (c *conn) open(ctx context.Context, clientID string) (*link, error) {
	l, err := c.dialer.dial(ctx, clientID, c.lost)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	if err = c.err; err == nil {
		c.links[l] = struct{}{}
	}
	c.mu.Unlock()
	if err != nil {
		l.end()
		return nil, err
	}
	return l, nil
}

// drop closes a link that was taken.
func (c *conn) drop(l *link) {
	l.end()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.links, l)
}

// Ping implements [connections.Pinger].
func (c *conn) Ping(ctx context.Context) error {
	w, err := c.witness()
	if err != nil {
		return err
	}
	if w == nil {
		if w, err = c.open(ctx, ""); err != nil {
			return err
		}
		defer c.drop(w)
	}
	return w.ping(ctx)
}

// Close implements [connections.Conn].
func (c *conn) Close() error {
	c.lost(lost(errClosed))
	c.mu.Lock()
	links := make([]*link, 0, len(c.links))
	for l := range c.links {
		links = append(links, l)
	}
	c.mu.Unlock()
	var closing sync.WaitGroup
	for _, l := range links {
		closing.Go(l.end)
	}
	closing.Wait()
	return nil
}
