package connectiontest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

func receiveSaboteurs() []saboteur {
	return []saboteur{{
		name:   "lets some messages overtake",
		breaks: []string{"order"},
		hooks:  overtake,
	}, {
		name:   "calls every end of ctx a deadline",
		breaks: []string{"receive ends with ctx", "cancel storm", "competing receivers", "ping"},
		hooks: receiving(func(ctx context.Context, r *receiver, receive receiveFunc) (connections.Delivery, error) {
			d, err := receive(ctx)
			if errors.Is(err, context.Canceled) {
				err = context.DeadlineExceeded
			}
			return d, err
		}),
	}, {
		name:   "drops what comes when ctx ends",
		breaks: []string{"cancel storm"},
		hooks: receiving(func(ctx context.Context, r *receiver, receive receiveFunc) (connections.Delivery, error) {
			d, err := receive(ctx)
			time.Sleep(100 * time.Microsecond) // for decoding
			if err == nil && ctx.Err() != nil {
				d.Settle(context.WithoutCancel(ctx), framework.Accept)
				return connections.Delivery{}, ctx.Err()
			}
			return d, err
		}),
	}, {
		name:   "goes on receiving when ctx has ended",
		breaks: []string{"cancel storm", "receive ends with ctx", "accept", "reject", "prefetch", "outlives ctx"},
		hooks:  receiveBehind,
	}, {
		name:   "prefetches one more",
		breaks: []string{"prefetch"},
		hooks:  func() hooks { return hooks{source: func(_ *source, prefetch *int) { *prefetch++ }} },
	}, {
		name:   "takes all and hands out what it may",
		breaks: []string{"prefetch leaves the rest"},
		hooks:  hoard,
	}, {
		name:   "delivers to all receivers of a queue",
		breaks: []string{"competing receivers"},
		hooks:  deliverToAll,
	}, {
		name:   "does not select",
		breaks: []string{"selector"},
		hooks:  func() hooks { return hooks{source: func(s *source, _ *int) { s.Selector = "" }} },
	}, {
		name:   "does not expire messages",
		breaks: []string{"expiry"},
		hooks:  sending(func(m *connections.Message) { m.TTL = 0 }),
	}, {
		name:   "takes hours for milliseconds",
		breaks: []string{"expiry"},
		hooks:  sending(func(m *connections.Message) { m.TTL /= time.Duration(time.Hour / time.Millisecond) }),
	}, {
		name:   "stops at what it does not understand",
		breaks: []string{"malformed"},
		hooks: receiving(func(ctx context.Context, _ *receiver, receive receiveFunc) (connections.Delivery, error) {
			d, err := receive(ctx)
			return d, errors.Join(err, d.Bad)
		}),
	}}
}

type receiveFunc = func(context.Context) (connections.Delivery, error)

// receiving replaces Receive.
func receiving(f func(ctx context.Context, r *receiver, receive receiveFunc) (connections.Delivery, error)) func() hooks {
	return func() hooks {
		return hooks{receiver: func(r *receiver) {
			receive := r.receive
			r.receive = func(ctx context.Context) (connections.Delivery, error) { return f(ctx, r, receive) }
		}}
	}
}

// overtake gives every tenth message of a sender a higher priority.
func overtake() hooks {
	return hooks{sender: func(s *sender) {
		n, send := 0, s.send
		s.send = func(ctx context.Context, batch []connections.Message) []error {
			if n++; n%10 == 0 && len(batch) == 1 && batch[0].Priority == nil {
				batch[0].Priority = new(9)
			}
			return send(ctx, batch)
		}
	}}
}

// receiveBehind leaves a goroutine that goes on receiving, and drops what it gets.
func receiveBehind() hooks {
	return hooks{receiver: func(r *receiver) {
		turn := make(chan struct{}, 1)
		receive := r.receive
		r.receive = func(ctx context.Context) (connections.Delivery, error) {
			received := make(chan result, 1)
			go func() {
				turn <- struct{}{}
				defer func() { <-turn }()
				d, err := receive(context.WithoutCancel(ctx))
				received <- result{d, err}
			}()
			select {
			case got := <-received:
				return got.delivery, got.err
			case <-ctx.Done():
				return connections.Delivery{}, ctx.Err()
			}
		}
	}}
}

// hoard takes all messages that there are, but lets no more out than it should.
func hoard() hooks {
	return hooks{
		source: func(_ *source, prefetch *int) { *prefetch += 1000 },
		receiver: func(r *receiver) {
			if r.source.Selector != "" {
				return
			}
			may := make(chan struct{}, r.prefetch-1000)
			var hoarded []connections.Delivery
			receive := r.receive
			r.receive = func(ctx context.Context) (connections.Delivery, error) {
				select {
				case may <- struct{}{}:
				case <-ctx.Done():
					return connections.Delivery{}, ctx.Err()
				}
				var d connections.Delivery
				var err error
				if len(hoarded) == 0 {
					if d, err = receive(ctx); err == nil {
						hoarded = append(hoarded, d)
					}
				}
				for err == nil {
					short, cancel := context.WithTimeout(ctx, time.Microsecond)
					if d, err = receive(short); err == nil {
						hoarded = append(hoarded, d)
					}
					cancel()
				}
				if len(hoarded) == 0 {
					<-may
					return connections.Delivery{}, err
				}
				d, hoarded = hoarded[0], hoarded[1:]
				settle := d.Settle
				d.Settle = func(ctx context.Context, o framework.Outcome) error {
					<-may
					return settle(ctx, o)
				}
				return d, nil
			}
		},
	}
}

// deliverToAll copies what one of several receivers of a queue gets.
func deliverToAll() hooks {
	var copied sync.Map
	return hooks{delivery: func(r *receiver, d *connections.Delivery) {
		if len(r.conn.double.others()) < 3 {
			return
		}
		if _, again := copied.LoadOrStore(string(d.Body), true); !again {
			r.conn.double.broker.Put(r.source.Queue, d.Message)
		}
	}}
}
