package triggers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// WithTimeout is context.WithTimeout for a call that most often ends in time and
// never asks: its timer is made when somebody waits for ctx to end. The returned
// function must be called when the call has ended.
func WithTimeout(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	c := newDeadline(parent, time.Now(), d)
	return c, c.end
}

// Within runs call with a ctx that ends after d; 0: never. The error of a call
// that has run out of time says so.
func Within(ctx context.Context, d time.Duration, call func(context.Context) error) error {
	return within(ctx, time.Now(), d, call)
}

func within(ctx context.Context, now time.Time, d time.Duration, call func(context.Context) error) error {
	if d <= 0 {
		return call(ctx)
	}
	c := newDeadline(ctx, now, d)
	defer c.end()
	err := call(c)
	if err != nil && ctx.Err() == nil && errors.Is(c.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("timed out after %v: %w", d, err)
	}
	return err
}

func newDeadline(parent context.Context, now time.Time, d time.Duration) *deadline {
	c := &deadline{Context: parent, at: now.Add(d)}
	if earlier, ok := parent.Deadline(); ok && earlier.Before(c.at) {
		c.at = earlier
	}
	return c
}

// A deadline is the ctx of one call. It has the values of the one it is in.
type deadline struct {
	context.Context
	at time.Time

	real  atomic.Pointer[real] // does the work once somebody waits; nil: nobody does
	mu    sync.Mutex           // guards the making of real, and ended
	ended bool
}

type real struct {
	context.Context
	cancel context.CancelFunc
}

// Deadline implements [context.Context].
func (c *deadline) Deadline() (time.Time, bool) { return c.at, true }

// Done implements [context.Context].
func (c *deadline) Done() <-chan struct{} { return c.wait().Done() }

// Err implements [context.Context].
func (c *deadline) Err() error {
	if r := c.real.Load(); r != nil {
		return r.Err()
	}
	if err := c.Context.Err(); err != nil {
		return err
	}
	if !time.Now().Before(c.at) {
		return c.wait().Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return context.Canceled
	}
	return nil
}

// Value implements [context.Context]. Package context finds by it whom it must
// tell to end.
func (c *deadline) Value(key any) any {
	if r := c.real.Load(); r != nil {
		return r.Value(key)
	}
	return c.Context.Value(key)
}

func (c *deadline) wait() *real {
	if r := c.real.Load(); r != nil {
		return r
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.real.Load()
	if r == nil {
		r = new(real)
		r.Context, r.cancel = context.WithDeadline(c.Context, c.at)
		if c.ended {
			r.cancel()
		}
		c.real.Store(r)
	}
	return r
}

func (c *deadline) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if r := c.real.Load(); r != nil {
		r.cancel()
	}
}
