package scaler

import (
	"context"
	"errors"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/cmd/fairlead/internal/grpc"
	"github.com/fairlead/fairlead/framework/config"
)

// A Store answers for what was published.
type Store interface {
	Topic(ctx context.Context, name string) (admin.Topic, error)
}

// OpenStore connects to the store of a configuration, which has one; stop ends that.
type OpenStore func(context.Context, *config.Config) (_ Store, stop func(), _ error)

// A store asks one store, and connects when it is first asked.
type store struct {
	desired config.Store
	open    func(context.Context) (Store, func(), error)

	turn   chan struct{} // holds one who opens or closes it; that one owns what is below
	opened Store         // nil: not connected
	stop   func()
	closed bool
}

func newStore(desired config.Store, open func(context.Context) (Store, func(), error)) *store {
	return &store{desired: desired, open: open, turn: make(chan struct{}, 1)}
}

// depth returns how much is due of what was published for a function or a topic.
func (s *store) depth(ctx context.Context, published string) (int, error) {
	opened, err := s.connected(ctx)
	if err != nil {
		return 0, err
	}
	topic, err := opened.Topic(ctx, published)
	switch {
	case errors.Is(err, admin.ErrNotFound): // nobody has published or subscribed yet
		return 0, nil
	case ctx.Err() != nil:
		return 0, grpc.Errorf(grpc.DeadlineExceeded, "store: %w", ctx.Err())
	case err != nil:
		return 0, grpc.Errorf(grpc.Unavailable, "store: %w", err)
	}
	return topic.Depth - topic.Delayed, nil
}

// connected returns the store, and opens it first if need be.
func (s *store) connected(ctx context.Context) (Store, error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, grpc.Errorf(grpc.DeadlineExceeded, "store: %w", ctx.Err())
	}
	defer func() { <-s.turn }()
	if s.closed {
		return nil, grpc.Errorf(grpc.Unavailable, "store: %w", errReplaced)
	}
	if s.opened != nil {
		return s.opened, nil
	}
	opened, stop, err := s.open(ctx)
	if err != nil {
		return nil, grpc.Errorf(grpc.Unavailable, "store: %w", err)
	}
	s.opened, s.stop = opened, stop
	return opened, nil
}

// close waits for who opens it.
func (s *store) close() {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	if s.stop != nil {
		s.stop()
	}
	s.opened, s.stop, s.closed = nil, nil, true
}
