package outbox

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/framework"
)

// DefaultRetry is the retry policy of published events.
func DefaultRetry() framework.RetryPolicy {
	return framework.RetryPolicy{Attempts: 25, First: time.Second, Max: time.Hour}
}

// A Consumer works on one queue of the store. Any number of consumers, in any
// number of processes, share a queue.
type Consumer struct {
	store       *Store
	kind        string
	topic, name string // of its subscription
	trigger     string // as dead letters and the inbox call it
	function    string
	destination string // of dead letters that do not bring their own

	concurrency int
	batch       int // rows handed over at once
	retry       framework.RetryPolicy
	grace       time.Duration
	log         *slog.Logger
	stack       func(error) string
	elsewhere   bool // dead letters are not the store's, and work hands over what has expired

	// prepare, if set, readies a row while others are worked on.
	prepare func(*row)

	// work does the rows and returns an error for each. None has the key of another.
	work func(ctx context.Context, rows []*row) []error

	queue  int64         // known once Run has subscribed
	wakeUp chan struct{} // holds one
	probe  atomic.Pointer[probe]

	status consumerStatus
}

// Run works until ctx ends. Then it claims nothing more, frees what it has not
// begun, and waits, up to the grace period, for what runs. An error means that
// something did not end within it; its rows go to others when the lease ends.
func (c *Consumer) Run(ctx context.Context) error {
	hard, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(c.grace, kill) })()
	defer c.status.set(Stopped, nil)

	if err := c.subscribe(ctx); err != nil {
		return nil // ctx ended before there was anything to stop
	}
	detach, err := c.store.attach(ctx, c)
	if err != nil {
		return nil // likewise
	}
	defer detach()
	return newLoop(c, hard).run(ctx)
}

// subscribe finds the consumer's queue, or makes it. It tries until it succeeds
// or ctx ends.
func (c *Consumer) subscribe(ctx context.Context) error {
	for try := 1; ; try++ {
		id, err := c.store.subscription(ctx, c.kind, c.topic, c.name)
		if err == nil {
			c.queue = id
			c.status.set(Running, nil)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c.status.set(Waiting, err)
		if err := sleep(ctx, backOff(try)); err != nil {
			return err
		}
	}
}

// wake makes the consumer look for rows soon.
func (c *Consumer) wake() {
	select {
	case c.wakeUp <- struct{}{}:
	default:
	}
}

// Status returns how the consumer is doing now.
func (c *Consumer) Status() ConsumerStatus { return c.status.get() }

func (c *Consumer) String() string {
	if c.kind == kindTopic {
		return fmt.Sprintf("subscription %s of topic %s", c.name, c.topic)
	}
	return c.kind + " " + c.topic
}
