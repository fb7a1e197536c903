package scaler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync/atomic"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/grpc"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework/config"
)

// Depths is a [Gauge] over the connections and the store of a configuration.
// [Depths.Close] closes what it opened.
type Depths struct {
	drivers map[string]connections.Driver
	open    OpenStore
	log     *slog.Logger
	now     atomic.Pointer[places]
}

var _ Gauge = (*Depths)(nil)

// places are where one configuration has something that waits.
type places struct {
	triggers map[string]Target
	links    map[string]*link
	store    *store // nil: there is none
}

// NewDepths returns the gauge of a configuration. It connects when it is asked.
func NewDepths(cfg *config.Config, drivers map[string]connections.Driver, open OpenStore, log *slog.Logger) (*Depths, error) {
	d := &Depths{drivers: drivers, open: open, log: log}
	d.now.Store(new(places))
	if err := d.Use(cfg); err != nil {
		return nil, err
	}
	return d, nil
}

// Use replaces the configuration; after an error the one before stays. Connections
// that are the same are kept. It returns when those that are not used any more are
// closed; one goroutine calls it.
func (d *Depths) Use(cfg *config.Config) error {
	old, next := d.now.Load(), &places{triggers: targets(cfg), links: make(map[string]*link)}
	for name, c := range cfg.Connections {
		l, err := d.link(old.links[name], cfg, name, c)
		if err != nil {
			return fmt.Errorf("connections.%s: %w", name, err)
		}
		next.links[name] = l
	}
	if cfg.Store.URL != "" {
		if next.store = old.store; next.store == nil || !reflect.DeepEqual(old.store.desired, cfg.Store) {
			next.store = newStore(cfg.Store, func(ctx context.Context) (Store, func(), error) { return d.open(ctx, cfg) })
		}
	}
	d.now.Store(next)
	if err := old.retire(next); err != nil {
		d.log.Warn("close what is not used any more", "err", err)
	}
	return nil
}

// link returns the link of a connection, which is old if that is the same.
func (d *Depths) link(old *link, cfg *config.Config, name string, c config.Connection) (*link, error) {
	why := cfg.Locked("connections", name)
	if old != nil && old.locked == why && reflect.DeepEqual(old.desired, c) {
		return old, nil
	}
	l := newLink(name, c, d.drivers[c.Type], d.log)
	if l.locked = why; why != "" {
		l.dial = fails(fmt.Errorf("%w: %s", errLocked, why))
		return l, nil
	}
	dial, err := l.driver.Open(name, c.Settings)
	if errors.Is(err, connections.ErrNotBuilt) { // another connection may be asked for
		dial, err = fails(err), nil
	}
	l.dial = dial
	return l, err
}

func fails(err error) connections.Dial {
	return func(context.Context) (connections.Conn, error) { return nil, err }
}

// retire closes what next does not use.
func (p *places) retire(next *places) error {
	var errs []error
	for name, l := range p.links {
		if next.links[name] != l {
			errs = append(errs, l.close())
		}
	}
	if p.store != nil && p.store != next.store {
		p.store.close()
	}
	return errors.Join(errs...)
}

// Triggers implements [Gauge].
func (d *Depths) Triggers() map[string]Target { return d.now.Load().triggers }

// Check implements [Gauge].
func (d *Depths) Check(t Target) error { return d.now.Load().check(t) }

func (p *places) check(t Target) error {
	if t.Published != "" {
		if p.store == nil {
			return grpc.Errorf(grpc.InvalidArgument, "metadata: found %s, which is in the store, expected a queue: the configuration has no store.url", t.Published)
		}
		return nil
	}
	if p.links[t.Connection] == nil {
		names := slices.Sorted(maps.Keys(p.links))
		return wrong("connection: found %.100q, expected a connection that exists: %s", t.Connection, either(names, "there is none"))
	}
	return nil
}

// Depth implements [Gauge].
func (d *Depths) Depth(ctx context.Context, t Target) (int, error) {
	p := d.now.Load()
	if err := p.check(t); err != nil { // the configuration may have changed
		return 0, err
	}
	if t.Published == "" {
		return p.links[t.Connection].depth(ctx, t.Queue)
	}
	return p.store.depth(ctx, t.Published)
}

// Close closes all connections, once nobody asks any more.
func (d *Depths) Close() error { return d.now.Swap(new(places)).retire(new(places)) }

// targets returns what the triggers of a configuration take their messages from,
// by name: queues of brokers and topics of the store.
func targets(cfg *config.Config) map[string]Target {
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
