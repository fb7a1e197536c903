package mq

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/mq/mqi"
)

// A conn is the connection handles that one Conn needs: one for each Receiver
// and each Sender. When one is lost, the conn is.
type conn struct {
	settings *Connection
	connect  connector

	mu   sync.Mutex
	idle []*handle
	all  map[*handle]struct{}
	gone error // why it is of no use any more
}

func dial(ctx context.Context, settings *Connection, connect connector) (connections.Conn, error) {
	if settings.User != "" && settings.Password == "" {
		return nil, fmt.Errorf("%w: user %s has no password", connections.ErrRefused, settings.User)
	}
	c := &conn{settings: settings, connect: connect, all: make(map[*handle]struct{})}
	h, err := c.acquire(ctx)
	if err != nil {
		return nil, unlost(err)
	}
	c.release(h)
	return c, nil
}

// unlost returns err without ErrConnLost: what was never there is not lost.
func unlost(err error) error {
	if e, ok := errors.AsType[*mqi.Error](err); ok && errors.Is(err, connections.ErrConnLost) {
		return e
	}
	return err
}

// acquire returns a handle for the caller alone.
func (c *conn) acquire(ctx context.Context) (*handle, error) {
	h, other, err := c.takeIdle()
	if h != nil || err != nil {
		return h, err
	}
	if other != nil {
		if err := other.check(ctx); err != nil {
			return nil, err
		}
	}
	h, err = c.open(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone != nil {
		go h.close()
		return nil, c.gone
	}
	c.all[h] = struct{}{}
	return h, nil
}

// takeIdle returns a handle that is not in use or, where all are, one of those.
func (c *conn) takeIdle() (h, other *handle, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone != nil {
		return nil, nil, c.gone
	}
	if n := len(c.idle); n > 0 {
		h = c.idle[n-1]
		c.idle = c.idle[:n-1]
		return h, nil, nil
	}
	for other = range c.all {
		if len(other.turn) == 0 { // else its verb finds out
			return nil, other, nil
		}
	}
	return nil, nil, nil
}

// lose marks the conn as gone.
func (c *conn) lose(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone == nil {
		c.gone = why
	}
}

// open connects. MQCONNX cannot be interrupted: where ctx ends before it, the
// handle is closed when it comes.
func (c *conn) open(ctx context.Context) (*handle, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	done := make(chan result[queueManager], 1)
	go func() {
		qm, err := c.connect(c.settings)
		done <- result[queueManager]{qm, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, opened(r.err)
		}
		return newHandle(r.value, c.lose), nil
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil {
				newHandle(r.value, c.lose).close()
			}
		}()
		return nil, ctx.Err()
	}
}

// release takes back a handle without a unit of work.
func (c *conn) release(h *handle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone == nil {
		c.idle = append(c.idle, h)
	}
}

// Close implements [connections.Conn].
func (c *conn) Close() error {
	c.lose(fmt.Errorf("%w: %w", connections.ErrConnLost, errClosed))
	c.mu.Lock()
	all := c.all
	c.all, c.idle = nil, nil
	c.mu.Unlock()
	var closing sync.WaitGroup
	for h := range all {
		closing.Go(h.close)
	}
	closing.Wait()
	return nil
}

// openQueue opens an object on h.
func openQueue(ctx context.Context, h *handle, a address, options int32) (object, error) {
	return run(ctx, h, func() (object, error) {
		return h.qm.open(opening{a, options | mqi.MQOO_FAIL_IF_QUIESCING})
	})
}

// Ping implements [connections.Pinger], on a handle of its own.
func (c *conn) Ping(ctx context.Context) error {
	h, err := c.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.release(h)
	return h.check(ctx)
}

// inquire asks for attributes of a queue, or of the queue manager.
func inquire(ctx context.Context, h *handle, a address, selectors ...int32) (map[int32]any, error) {
	o, err := openQueue(ctx, h, a, mqi.MQOO_INQUIRE)
	if err != nil {
		return nil, err
	}
	return run(ctx, h, func() (map[int32]any, error) {
		values, err := o.inquire(selectors)
		return values, errors.Join(err, o.close())
	})
}

var (
	_ connections.Conn   = (*conn)(nil)
	_ connections.Pinger = (*conn)(nil)
)
