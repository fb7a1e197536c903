package connectiontest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

func sendSaboteurs() []saboteur {
	return []saboteur{{
		name:   "sends a large batch from its end",
		breaks: []string{"batch"},
		hooks: sendingBatch(func(ctx context.Context, _ *sender, batch []connections.Message, send sendFunc) []error {
			if len(batch) == 150 {
				batch = slices.Clone(batch)
				slices.Reverse(batch)
			}
			return send(ctx, batch)
		}),
	}, {
		name:   "cannot send nothing",
		breaks: []string{"batch"},
		hooks: sendingBatch(func(ctx context.Context, _ *sender, batch []connections.Message, send sendFunc) []error {
			_ = batch[0]
			return send(ctx, batch)
		}),
	}, {
		name:   "refuses all for one",
		breaks: []string{"refused in a batch"},
		hooks: sendingBatch(func(ctx context.Context, _ *sender, batch []connections.Message, send sendFunc) []error {
			errs := send(ctx, batch)
			if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
				errs = slices.Repeat(errs[i:i+1], len(errs))
			}
			return errs
		}),
	}, {
		name:   "does not say that one was refused",
		breaks: []string{"refused in a batch"},
		hooks: sendingBatch(func(ctx context.Context, _ *sender, batch []connections.Message, send sendFunc) []error {
			errs := send(ctx, batch)
			for i, err := range errs {
				if _, refused := err.(*framework.SendError); refused {
					errs[i] = nil
				}
			}
			return errs
		}),
	}, {
		name:   "has one target for all senders of a conn",
		breaks: []string{"senders side by side"},
		hooks:  lastTarget,
	}, {
		name:   "opens only one receiver at a time",
		breaks: []string{"conn side by side"},
		hooks:  openOneAtATime,
	}, {
		name:   "says nil when ctx has ended",
		breaks: []string{"send honours ctx"},
		hooks: sendingBatch(func(ctx context.Context, _ *sender, batch []connections.Message, send sendFunc) []error {
			if ctx.Err() != nil {
				return make([]error, len(batch))
			}
			return send(ctx, batch)
		}),
	}, {
		name:   "hangs when ctx has ended",
		breaks: []string{"send honours ctx"},
		hooks: sendingBatch(func(ctx context.Context, s *sender, batch []connections.Message, send sendFunc) []error {
			if ctx.Err() != nil {
				<-s.conn.double.stop
			}
			return send(ctx, batch)
		}),
	}}
}

type sendFunc = func(context.Context, []connections.Message) []error

// sendingBatch replaces Send.
func sendingBatch(f func(ctx context.Context, s *sender, batch []connections.Message, send sendFunc) []error) func() hooks {
	return func() hooks {
		return hooks{sender: func(s *sender) {
			send := s.send
			s.send = func(ctx context.Context, batch []connections.Message) []error { return f(ctx, s, batch, send) }
		}}
	}
}

// lastTarget sends to where the Conn's last Sender sends.
func lastTarget() hooks {
	var mu sync.Mutex
	last := make(map[*conn]connections.Sender)
	return hooks{sender: func(s *sender) {
		mu.Lock()
		defer mu.Unlock()
		last[s.conn] = s.Sender
		s.send = func(ctx context.Context, batch []connections.Message) []error {
			mu.Lock()
			s.Sender = last[s.conn]
			mu.Unlock()
			return s.each(ctx, batch)
		}
	}}
}

func openOneAtATime() hooks {
	return hooks{conn: func(c *conn) {
		var opening atomic.Bool
		open := c.receiver
		c.receiver = func(ctx context.Context, s *source, prefetch int) (connections.Receiver, error) {
			if opening.Swap(true) {
				return nil, errors.New("already opening")
			}
			defer opening.Store(false)
			time.Sleep(time.Millisecond)
			return open(ctx, s, prefetch)
		}
	}}
}
