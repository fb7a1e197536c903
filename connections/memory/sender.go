package memory

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/connections"
)

type sender struct {
	conn   *conn
	name   string
	topic  bool
	closed bool // guarded by the broker's mu
}

// Send waits while a queue that a message goes to is full.
func (s *sender) Send(ctx context.Context, batch []connections.Message) []error {
	errs := make([]error, len(batch))
	for i, m := range batch {
		if err := s.send(ctx, m); err != nil {
			errs[i] = fmt.Errorf("send over %s to %s: %w", s.conn.name, s.name, err)
		}
	}
	return errs
}

func (s *sender) send(ctx context.Context, m connections.Message) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		changed, expired, err := s.try(m)
		if err != nil || changed == nil {
			return err
		}
		select {
		case <-changed:
		case <-expired:
		case <-ctx.Done():
			return fmt.Errorf("full: it holds %d messages: %w", s.conn.limit, ctx.Err())
		case <-s.conn.done:
		}
	}
}

// try puts m into every queue it goes to or, if one of them is full, into none,
// and returns the channels that say when to try again.
func (s *sender) try(m connections.Message) (changed <-chan struct{}, expired <-chan time.Time, err error) {
	b := s.conn.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.closed || s.conn.closed() {
		return nil, nil, connections.ErrConnLost
	}
	queues := b.targets(s.name, s.topic)
	for _, q := range queues {
		if q.len() >= s.conn.limit {
			return q.changes(), q.expiry(), nil
		}
	}
	b.put(queues, m)
	return nil, nil, nil
}

func (s *sender) Close() error {
	s.conn.broker.mu.Lock()
	defer s.conn.broker.mu.Unlock()
	s.closed = true
	return nil
}
