package scaler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/cmd/fairlead/internal/grpc"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework/config"
)

// A Store answers for what was published.
type Store interface {
	Topic(ctx context.Context, name string) (admin.Topic, error)
}

// OpenStore connects to the store; stop ends that.
type OpenStore func(context.Context) (_ Store, stop func(), _ error)

// Depths is a [Gauge] over the connections and the store of a configuration.
// [Depths.Close] closes what it opened.
type Depths struct {
	links map[string]*link
	open  OpenStore // nil: there is no store

	turn  chan struct{} // holds one who opens the store; that one owns what is below
	store Store         // nil: not connected
	stop  func()
}

var _ Gauge = (*Depths)(nil)

// NewDepths returns the gauge of a configuration. It connects when it is asked.
// open is nil where there is no store.
func NewDepths(cfg *config.Config, drivers map[string]connections.Driver, open OpenStore) (*Depths, error) {
	d := &Depths{links: make(map[string]*link), open: open, turn: make(chan struct{}, 1)}
	for name, c := range cfg.Connections {
		dial, err := drivers[c.Type].Open(name, c.Settings)
		if errors.Is(err, connections.ErrNotBuilt) { // another connection may be asked for
			dial = func(context.Context) (connections.Conn, error) { return nil, err }
		} else if err != nil {
			return nil, fmt.Errorf("connections.%s: %w", name, err)
		}
		d.links[name] = newLink(name, drivers[c.Type], dial)
	}
	return d, nil
}

// Check implements [Gauge].
func (d *Depths) Check(t Target) error {
	if t.Published != "" {
		if d.open == nil {
			return grpc.Errorf(grpc.InvalidArgument, "metadata: found %s, which is in the store, expected a queue: the configuration has no store.url", t.Published)
		}
		return nil
	}
	if d.links[t.Connection] == nil {
		names := slices.Sorted(maps.Keys(d.links))
		return wrong("connection: found %.100q, expected a connection that exists: %s", t.Connection, either(names, "there is none"))
	}
	return nil
}

// Depth implements [Gauge].
func (d *Depths) Depth(ctx context.Context, t Target) (int, error) {
	if t.Published == "" {
		return d.links[t.Connection].depth(ctx, t.Queue)
	}
	store, err := d.opened(ctx)
	if err != nil {
		return 0, err
	}
	topic, err := store.Topic(ctx, t.Published)
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

// opened returns the store, and opens it first if need be.
func (d *Depths) opened(ctx context.Context) (Store, error) {
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, grpc.Errorf(grpc.DeadlineExceeded, "store: %w", ctx.Err())
	}
	defer func() { <-d.turn }()
	if d.store != nil {
		return d.store, nil
	}
	store, stop, err := d.open(ctx)
	if err != nil {
		return nil, grpc.Errorf(grpc.Unavailable, "store: %w", err)
	}
	d.store, d.stop = store, stop
	return store, nil
}

// Close closes all connections, once nobody asks any more.
func (d *Depths) Close() error {
	var errs []error
	for _, l := range d.links {
		errs = append(errs, l.close())
	}
	if d.stop != nil {
		d.stop()
	}
	return errors.Join(errs...)
}

// Targets returns what the triggers of a configuration take their messages from,
// by name: queues of brokers and topics of the store.
func Targets(cfg *config.Config) map[string]Target {
	targets := make(map[string]Target)
	for name, t := range cfg.Triggers {
		source, ok := t.Source.(connections.Addressed)
		switch {
		case ok:
			if queue, topic := source.Address(); !topic {
				targets[name] = Target{Connection: t.Connection, Queue: queue}
			}
		case t.StoreTopic.Topic != "":
			targets[name] = Target{Published: "topic:" + t.StoreTopic.Topic}
		}
	}
	return targets
}
