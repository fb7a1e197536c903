package connectiontest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/memory"
)

func settingSaboteurs() []saboteur {
	return []saboteur{{
		name:   "hands out the same settings twice",
		breaks: []string{"settings"},
		hooks: func() hooks {
			return hooks{subject: func(s *Subject) { s.Driver.Connection = sync.OnceValue(s.Driver.Connection) }}
		},
	}, {
		name:   "has a target without an address",
		breaks: []string{"settings"},
		hooks:  targetWithoutAddress,
	}, {
		name:   "opens whatever it is given",
		breaks: []string{"wrong settings"},
		hooks: opening(func(s *settings, open openFunc) (connections.Dial, error) {
			return open(&settings{Connection: memory.Connection{}, Password: s.Password, Nowhere: s.Nowhere})
		}),
	}, {
		name:   "does not say which setting is wrong",
		breaks: []string{"wrong settings"},
		hooks: opening(func(s *settings, open openFunc) (connections.Dial, error) {
			dial, err := open(s)
			if err != nil {
				err = errors.New("wrong settings")
			}
			return dial, err
		}),
	}, {
		name:   "tells the password",
		breaks: []string{"wrong password"},
		hooks:  dialError(func(s *settings, err error) error { return fmt.Errorf("%w (password %s)", err, s.Password) }),
	}, {
		name:   "takes a refusal for a lost connection",
		breaks: []string{"wrong password"},
		hooks: dialError(func(s *settings, err error) error {
			if errors.Is(err, connections.ErrRefused) {
				err = connections.ErrConnLost
			}
			return err
		}),
	}, {
		name:   "takes silence for a refusal",
		breaks: []string{"unreachable"},
		hooks:  dialError(func(_ *settings, err error) error { return fmt.Errorf("%w: %w", connections.ErrRefused, err) }),
	}, {
		name:   "dials without ctx",
		breaks: []string{"dial honours ctx"},
		hooks: dialing(func(ctx context.Context, dial connections.Dial) (connections.Conn, error) {
			return dial(context.WithoutCancel(ctx))
		}),
	}, {
		name:   "ties a conn to the ctx that it was dialed with",
		breaks: []string{"outlives ctx"},
		hooks: dialing(func(ctx context.Context, dial connections.Dial) (connections.Conn, error) {
			conn, err := dial(ctx)
			if err == nil {
				context.AfterFunc(ctx, func() { conn.Close() })
			}
			return conn, err
		}),
	}, {
		name:   "cannot ping while it receives",
		breaks: []string{"ping"},
		hooks:  pingIdle,
	}, {
		name:   "takes standby for a refusal",
		breaks: []string{"exclusive subscription"},
		hooks: func() hooks {
			return hooks{conn: func(c *conn) {
				open := c.receiver
				c.receiver = func(ctx context.Context, s *source, prefetch int) (connections.Receiver, error) {
					r, err := open(ctx, s, prefetch)
					if errors.Is(err, connections.ErrStandby) {
						err = connections.ErrRefused
					}
					return r, err
				}
			}}
		},
	}, {
		name:   "shares what is exclusive",
		breaks: []string{"exclusive subscription"},
		hooks:  func() hooks { return hooks{source: func(s *source, _ *int) { s.Exclusive = false }} },
	}}
}

func opening(f func(s *settings, open openFunc) (connections.Dial, error)) func() hooks {
	return func() hooks { return hooks{open: f} }
}

func dialing(f func(ctx context.Context, dial connections.Dial) (connections.Conn, error)) func() hooks {
	return func() hooks { return hooks{dial: f} }
}

// dialError replaces the errors of Dial.
func dialError(f func(s *settings, err error) error) func() hooks {
	return opening(func(s *settings, open openFunc) (connections.Dial, error) {
		dial, err := open(s)
		return func(ctx context.Context) (connections.Conn, error) {
			conn, err := dial(ctx)
			if err != nil && ctx.Err() == nil {
				return nil, f(s, err)
			}
			return conn, err
		}, err
	})
}

type blindTarget struct{ memory.Target }

func (*blindTarget) Address() (string, bool) { return "", false }

func targetWithoutAddress() hooks {
	return hooks{
		subject: func(s *Subject) { s.Driver.Target = func() any { return new(blindTarget) } },
		conn: func(c *conn) {
			open := c.sender
			c.sender = func(ctx context.Context, target any) (connections.Sender, error) {
				return open(ctx, &target.(*blindTarget).Target)
			}
		},
	}
}

// pingIdle answers only while no Receive waits.
func pingIdle() hooks {
	var waiting atomic.Int64
	h := receiving(func(ctx context.Context, _ *receiver, receive receiveFunc) (connections.Delivery, error) {
		waiting.Add(1)
		defer waiting.Add(-1)
		return receive(ctx)
	})()
	h.conn = func(c *conn) {
		c.ping = func(ctx context.Context) error {
			if waiting.Load() > 0 {
				return errors.New("busy")
			}
			return c.liveConn.Ping(ctx)
		}
	}
	return h
}
