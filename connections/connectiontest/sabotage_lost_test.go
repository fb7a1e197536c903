package connectiontest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

func lostSaboteurs() []saboteur {
	return []saboteur{{
		name:   "calls a lost connection the end",
		breaks: []string{"lost while receiving", "use of a lost conn", "close while receiving", "use after close"},
		hooks: receiving(func(ctx context.Context, r *receiver, receive receiveFunc) (connections.Delivery, error) {
			d, err := receive(ctx)
			if errors.Is(err, connections.ErrConnLost) {
				err = io.EOF
			}
			return d, err
		}),
	}, {
		name:   "waits for a lost connection to come back",
		breaks: []string{"lost while receiving", "use of a lost conn", "close while receiving", "use after close", "settle on a lost conn"},
		hooks: receiving(func(ctx context.Context, r *receiver, receive receiveFunc) (connections.Delivery, error) {
			d, err := receive(ctx)
			if errors.Is(err, connections.ErrConnLost) {
				<-ctx.Done()
			}
			return d, err
		}),
	}, {
		name:   "swallows ErrConnLost when it sends",
		breaks: []string{"use of a lost conn", "break while sending", "use after close"},
		hooks: sendingBatch(func(ctx context.Context, _ *sender, batch []connections.Message, send sendFunc) []error {
			errs := send(ctx, batch)
			for i, err := range errs {
				if errors.Is(err, connections.ErrConnLost) {
					errs[i] = nil
				}
			}
			return errs
		}),
	}, {
		name:   "never says that it is lost",
		breaks: []string{"watched"},
		hooks: func() hooks {
			return hooks{conn: func(c *conn) {
				done := make(chan struct{})
				c.done = func() <-chan struct{} { return done }
				c.close = sync.OnceValue(func() error { close(done); return c.liveConn.Close() })
			}}
		},
	}, {
		name:   "says nil before the broker has the message",
		breaks: []string{"confirmed send survives", "break while sending", "send without a receiver", "settle on a lost conn", "topic"},
		hooks:  sendSoon,
	}, {
		name:   "loses what was unsettled when the connection breaks",
		breaks: []string{"settle on a lost conn"},
		hooks:  loseUnsettled,
	}, {
		name:   "hangs when a lost receiver is closed",
		breaks: []string{"close after a break", "close twice", "close from all sides"},
		hooks: closing(func(r *receiver, _ bool, close func() error) error {
			if r.conn.liveConn.Ping(context.Background()) != nil {
				<-r.conn.double.stop
			}
			return close()
		}),
	}}
}

// sendSoon says nil before the broker has a message, which gets there a moment
// later if its Sender is still open and its Conn lives.
func sendSoon() hooks {
	return hooks{sender: func(s *sender) {
		soon, closed := make(chan connections.Message, 1000), make(chan struct{})
		send := s.send
		go func() {
			for {
				select {
				case m := <-soon:
					time.Sleep(time.Millisecond)
					select {
					case <-closed:
					default:
						send(context.Background(), []connections.Message{m}) // whatever comes of it
					}
				case <-closed:
					return
				case <-s.conn.liveConn.Done():
					return
				}
			}
		}()
		s.close = sync.OnceValue(func() error { close(closed); return nil })
		s.send = func(ctx context.Context, batch []connections.Message) []error {
			errs := make([]error, len(batch))
			for i, m := range batch {
				if errs[i] = s.conn.liveConn.Ping(ctx); errs[i] != nil {
					continue
				}
				if m.Header["refused"] != nil {
					errs[i] = &framework.SendError{Outcome: framework.Reject}
					continue
				}
				m.Body, m.Header = bytes.Clone(m.Body), maps.Clone(m.Header)
				select {
				case soon <- m:
				case <-s.conn.liveConn.Done():
					errs[i] = connections.ErrConnLost
				}
			}
			return errs
		}
	}}
}

func loseUnsettled() hooks {
	var mu sync.Mutex
	var held []settleFunc
	return hooks{
		delivery: func(_ *receiver, d *connections.Delivery) {
			mu.Lock()
			defer mu.Unlock()
			held = append(held, d.Settle)
		},
		subject: func(s *Subject) {
			cut := s.Break
			s.Break = func(t testing.TB) {
				for _, settle := range held {
					settle(context.Background(), framework.Accept)
				}
				cut(t)
			}
		},
	}
}
