package connectiontest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

func settleSaboteurs() []saboteur {
	return []saboteur{{
		name:   "accepts when the next one comes",
		breaks: []string{"accept", "settle in any order", "workers", "malformed", "durable subscription", "exclusive subscription", "settle after close"},
		hooks:  acceptLate,
	}, {
		name:   "takes reject for release",
		breaks: []string{"reject", "malformed"},
		hooks:  instead(framework.Reject, framework.Release),
	}, {
		name:   "takes release for accept",
		breaks: []string{"release", "release is not counted", "identity", "event of a plain message", "no sharing", "relay"},
		hooks:  instead(framework.Release, framework.Accept),
	}, {
		name:   "takes modify for accept",
		breaks: []string{"modify", "modify is counted"},
		hooks:  instead(framework.Modify, framework.Accept),
	}, {
		name:   "counts what is released",
		breaks: []string{"release is not counted"},
		hooks:  instead(framework.Release, framework.Modify),
	}, {
		name:   "does not count failures",
		breaks: []string{"modify is counted"},
		hooks:  instead(framework.Modify, framework.Release),
	}, {
		name:   "counts though its broker does not",
		breaks: []string{"no count"},
		hooks:  func() hooks { return hooks{subject: func(s *Subject) { s.Cannot.Count = true }} },
	}, {
		name:   "makes up an identity for each delivery",
		breaks: []string{"identity", "event of a plain message"},
		hooks: func() hooks {
			var n atomic.Int64
			return hooks{delivery: func(_ *receiver, d *connections.Delivery) { d.Identity += fmt.Sprint("-", n.Add(1)) }}
		},
	}, {
		name:   "has one identity for all",
		breaks: []string{"identity", "message id", "relay"},
		hooks:  delivering(func(d *connections.Delivery) { d.Identity = "one" }),
	}, {
		name:   "has no identity and does not say so",
		breaks: []string{"identity", "event of a plain message", "message id"},
		hooks:  delivering(func(d *connections.Delivery) { d.Identity = "" }),
	}, {
		name:   "settles in order only",
		breaks: []string{"settle in any order", "settle only one", "workers", "close from all sides"},
		hooks:  settleInOrder,
	}, {
		name:   "settles all before, too",
		breaks: []string{"settle only one"},
		hooks:  settleAllBefore,
	}, {
		name:   "forgets one of two settled at once",
		breaks: []string{"settle in any order", "workers"},
		hooks:  settleOneAtATime,
	}, {
		name:   "cannot settle while it receives",
		breaks: []string{"settle while receiving", "workers"},
		hooks:  settleAfterReceive,
	}}
}

type settleFunc = func(context.Context, framework.Outcome) error

// settling replaces Settle.
func settling(f func(ctx context.Context, r *receiver, o framework.Outcome, settle settleFunc) error) func() hooks {
	return func() hooks {
		return hooks{delivery: func(r *receiver, d *connections.Delivery) {
			settle := d.Settle
			d.Settle = func(ctx context.Context, o framework.Outcome) error { return f(ctx, r, o, settle) }
		}}
	}
}

// instead settles with another outcome.
func instead(of, with framework.Outcome) func() hooks {
	return settling(func(ctx context.Context, _ *receiver, o framework.Outcome, settle settleFunc) error {
		if o == of {
			o = with
		}
		return settle(ctx, o)
	})
}

// acceptLate keeps an accept until the next Receive.
func acceptLate() hooks {
	return hooks{receiver: func(r *receiver) {
		var mu sync.Mutex
		var late []func()
		receive := r.receive
		r.receive = func(ctx context.Context) (connections.Delivery, error) {
			mu.Lock()
			for _, accept := range late {
				accept()
			}
			late = nil
			mu.Unlock()
			d, err := receive(ctx)
			settle := d.Settle
			d.Settle = func(ctx context.Context, o framework.Outcome) error {
				if o != framework.Accept || r.conn.liveConn.Ping(ctx) != nil {
					return settle(ctx, o)
				}
				mu.Lock()
				defer mu.Unlock()
				late = append(late, func() { settle(ctx, o) })
				return nil
			}
			return d, err
		}
	}}
}

// A ledger keeps what a receiver delivered and was not settled, in order.
type ledger struct {
	mu   sync.Mutex
	open []*connections.Delivery
}

func (l *ledger) add(d connections.Delivery) *connections.Delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = append(l.open, &d)
	return &d
}

func settleInOrder() hooks {
	return hooks{receiver: func(r *receiver) {
		var l ledger
		receive := r.receive
		r.receive = func(ctx context.Context) (connections.Delivery, error) {
			d, err := receive(ctx)
			if err != nil {
				return d, err
			}
			entry, settle := l.add(d), d.Settle
			d.Settle = func(ctx context.Context, o framework.Outcome) error {
				l.mu.Lock()
				defer l.mu.Unlock()
				if l.open[0] != entry {
					return errors.New("not the oldest")
				}
				l.open = l.open[1:]
				return settle(ctx, o)
			}
			return d, nil
		}
	}}
}

func settleAllBefore() hooks {
	return hooks{receiver: func(r *receiver) {
		var l ledger
		receive := r.receive
		r.receive = func(ctx context.Context) (connections.Delivery, error) {
			d, err := receive(ctx)
			if err != nil {
				return d, err
			}
			entry := l.add(d)
			d.Settle = func(ctx context.Context, o framework.Outcome) error {
				l.mu.Lock()
				defer l.mu.Unlock()
				var err error
				for i := slices.Index(l.open, entry); i >= 0; i-- {
					err = errors.Join(err, l.open[0].Settle(ctx, o))
					l.open = l.open[1:]
				}
				return err
			}
			return d, nil
		}
	}}
}

// settleOneAtATime loses a settlement that begins before the last one has ended.
func settleOneAtATime() hooks {
	var busy atomic.Bool
	return settling(func(ctx context.Context, _ *receiver, o framework.Outcome, settle settleFunc) error {
		if busy.Swap(true) {
			return nil
		}
		defer busy.Store(false)
		time.Sleep(time.Microsecond)
		return settle(ctx, o)
	})()
}

// settleAfterReceive shares one lock between Receive and Settle.
func settleAfterReceive() hooks {
	return hooks{receiver: func(r *receiver) {
		lock := make(chan struct{}, 1)
		receive := r.receive
		r.receive = func(ctx context.Context) (connections.Delivery, error) {
			lock <- struct{}{}
			defer func() { <-lock }()
			d, err := receive(ctx)
			settle := d.Settle
			d.Settle = func(ctx context.Context, o framework.Outcome) error {
				lock <- struct{}{}
				defer func() { <-lock }()
				return settle(ctx, o)
			}
			return d, err
		}
	}}
}
