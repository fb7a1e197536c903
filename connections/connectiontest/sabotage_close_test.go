package connectiontest

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

func closeSaboteurs() []saboteur {
	return []saboteur{{
		name:   "keeps what a closed conn held",
		breaks: []string{"closing a conn gives back", "close while receiving", "use after close", "settle after close", "nothing left behind"},
		hooks: func() hooks {
			return hooks{conn: func(c *conn) {
				c.close = func() error {
					go func() { <-c.double.stop; c.liveConn.Close() }()
					return nil
				}
			}}
		},
	}, {
		name:   "keeps what a closed receiver held",
		breaks: []string{"closing a receiver gives back", "settle only one"},
		hooks:  func() hooks { return hooks{receiver: closeNothing} },
	}, {
		name:   "counts what a closed receiver held",
		breaks: []string{"closing is not counted"},
		hooks:  countOnClose,
	}, {
		name:   "refuses to be closed twice",
		breaks: []string{"close twice"},
		hooks: closing(func(r *receiver, again bool, close func() error) error {
			if again {
				return errors.New("already closed")
			}
			return close()
		}),
	}, {
		name:   "panics when closed twice",
		breaks: []string{"close twice"},
		hooks: closing(func(r *receiver, again bool, close func() error) error {
			if again {
				panic("close of closed receiver")
			}
			return close()
		}),
	}, {
		name:   "goes on receiving when its receiver is closed",
		breaks: []string{"close while receiving"},
		hooks: receiving(func(ctx context.Context, r *receiver, receive receiveFunc) (connections.Delivery, error) {
			d, err := receive(ctx)
			if errors.Is(err, connections.ErrConnLost) && r.conn.liveConn.Ping(ctx) == nil {
				<-ctx.Done()
				return d, ctx.Err()
			}
			return d, err
		}),
	}, {
		name:   "has its own word for closed",
		breaks: []string{"close while receiving"},
		hooks: receiving(func(ctx context.Context, r *receiver, receive receiveFunc) (connections.Delivery, error) {
			d, err := receive(ctx)
			if errors.Is(err, connections.ErrConnLost) && r.conn.liveConn.Ping(ctx) == nil {
				return d, io.EOF
			}
			return d, err
		}),
	}, {
		name:   "always answers pings",
		breaks: []string{"use after close", "use of a lost conn"},
		hooks: func() hooks {
			return hooks{conn: func(c *conn) { c.ping = func(context.Context) error { return nil } }}
		},
	}, {
		name:   "says that what is closed was settled",
		breaks: []string{"settle after close", "settle on a lost conn", "close from all sides"},
		hooks: settling(func(ctx context.Context, _ *receiver, o framework.Outcome, settle settleFunc) error {
			if err := settle(ctx, o); !errors.Is(err, connections.ErrConnLost) {
				return err
			}
			return nil
		}),
	}, {
		name:   "panics when settled too late",
		breaks: []string{"settle after close", "settle on a lost conn", "close from all sides"},
		hooks: settling(func(ctx context.Context, _ *receiver, o framework.Outcome, settle settleFunc) error {
			err := settle(ctx, o)
			if errors.Is(err, connections.ErrConnLost) {
				panic(err)
			}
			return err
		}),
	}, {
		name:   "panics when closed twice at once",
		breaks: []string{"close from all sides"},
		hooks:  closeAtOnce,
	}, {
		name:   "leaves a goroutine for each conn",
		breaks: []string{"nothing left behind"},
		hooks: func() hooks {
			return hooks{conn: func(c *conn) { go func() { <-c.double.stop }() }}
		},
	}, {
		name:   "leaves a goroutine when ctx ends",
		breaks: []string{"nothing left behind"},
		hooks: receiving(func(ctx context.Context, r *receiver, receive receiveFunc) (connections.Delivery, error) {
			d, err := receive(ctx)
			if err != nil {
				go func() { <-r.conn.double.stop }()
			}
			return d, err
		}),
	}}
}

// closing replaces a Receiver's Close, and says whether it was closed before.
func closing(f func(r *receiver, again bool, close func() error) error) func() hooks {
	return func() hooks {
		return hooks{receiver: func(r *receiver) {
			again, close := false, r.close
			r.close = func() error {
				err := f(r, again, close)
				again = true
				return err
			}
		}}
	}
}

// closeAtOnce closes without a lock.
func closeAtOnce() hooks {
	return hooks{conn: func(c *conn) {
		var closing atomic.Bool
		c.close = func() error {
			if closing.Swap(true) {
				panic("close of closed channel")
			}
			defer closing.Store(false)
			time.Sleep(time.Millisecond)
			return c.liveConn.Close()
		}
	}}
}

// countOnClose gives back with a failure counted.
func countOnClose() hooks {
	var mu sync.Mutex
	held := make(map[*receiver][]settleFunc)
	return hooks{
		delivery: func(r *receiver, d *connections.Delivery) {
			mu.Lock()
			defer mu.Unlock()
			held[r] = append(held[r], d.Settle)
		},
		receiver: func(r *receiver) {
			close := r.close
			r.close = func() error {
				mu.Lock()
				defer mu.Unlock()
				for _, settle := range held[r] {
					settle(context.Background(), framework.Modify)
				}
				return close()
			}
		},
	}
}
