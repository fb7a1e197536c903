package host

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/fairlead/fairlead/bindings"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework/config"
)

// errStopped is returned by Apply after Stop.
var errStopped = errors.New("the host is stopped")

// Apply makes cfg, which config.Load has checked, the desired state. Triggers
// and connections that are the same keep running; those that changed are drained
// and started anew. It returns when the rest has drained.
func (h *Host) Apply(ctx context.Context, cfg *config.Config) error {
	h.changing.Lock()
	defer h.changing.Unlock()
	if h.stopped.Load() {
		return errStopped
	}
	if err := h.startEmbedded(cfg); err != nil {
		return err
	}
	gateway, err := h.gateway(cfg)
	if err != nil {
		return err
	}
	old, oldStore := h.outputs.Load(), h.stored.Load()
	next, err := h.open(cfg, old, true)
	if err != nil {
		return err
	}
	store, err := h.openStore(cfg)
	if err != nil {
		return err
	}
	specs, err := h.specs(cfg, next, store)
	if err != nil {
		if store != oldStore {
			store.close()
		}
		return err
	}
	h.outputs.Store(next)
	h.stored.Store(store)
	h.config.Store(cfg)
	h.http.Store(gateway)
	err = errors.Join(h.replace(ctx, specs), h.replaceServices(ctx, h.services(cfg, store)))
	if store != oldStore {
		oldStore.close()
	}
	old.closeExcept(next)
	return err
}

// startEmbedded starts the development brokers that connections ask for.
func (h *Host) startEmbedded(cfg *config.Config) error {
	for name, c := range cfg.Connections {
		e, ok := c.Settings.(connections.Embeddable)
		if !ok || !e.WantsEmbedded() {
			continue
		}
		if !h.embed {
			return fmt.Errorf("connections.%s: an embedded broker is for a program made with host.Main; name a broker's URL", name)
		}
		if h.embedded[c.Type] { // all connections of a type share one, for the life of the host
			continue
		}
		if h.heir.joins(c.Type, h.drivers[c.Type]) {
			h.embedded[c.Type] = true
			continue
		}
		addr, err := h.drivers[c.Type].Embed(h.life)
		if err != nil {
			return fmt.Errorf("connections.%s: start the embedded broker: %w", name, err)
		}
		h.embedded[c.Type] = true
		h.log.Info("embedded broker for development: what it holds is in memory, and gone when this program ends", "connection", name, "type", c.Type, "address", addr)
	}
	return nil
}

// replace stops triggers that are gone or changed, and starts new ones.
func (h *Host) replace(ctx context.Context, specs map[string]triggerSpec) error {
	next := make(map[string]*runningTrigger, len(specs))
	var stopping []*runningTrigger
	for name, t := range h.triggers() {
		if s, ok := specs[name]; ok && reflect.DeepEqual(s.desired, t.desired) {
			next[name] = t
			continue
		}
		t.cancel()
		stopping = append(stopping, t)
	}
	var errs []error
	for _, t := range stopping {
		errs = append(errs, t.wait(ctx))
	}
	for name, s := range specs {
		if next[name] != nil {
			continue
		}
		t, err := h.start(s)
		if err != nil {
			errs = append(errs, fmt.Errorf("triggers.%s: %w", name, err))
			continue
		}
		next[name] = t
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running = next
	return errors.Join(errs...)
}

// outputs is where functions send to: the bindings, and the sending side of each
// connection, by name.
type outputs struct {
	bindings map[string]*bindings.Binding
	staged   map[string]bool // bindings with outbox: true
	pools    map[string]*pool
}

type pool struct {
	*bindings.Pool
	desired config.Connection
}

// open returns the outputs that cfg wants, taking over from old what is the same.
// A connection that this build cannot open is an error for who serves.
func (h *Host) open(cfg *config.Config, old *outputs, serving bool) (*outputs, error) {
	o := &outputs{bindings: make(map[string]*bindings.Binding), staged: make(map[string]bool), pools: make(map[string]*pool)}
	for name, c := range cfg.Connections {
		if p := old.pools[name]; p != nil && reflect.DeepEqual(p.desired, c) {
			o.pools[name] = p
			continue
		}
		dial, err := h.drivers[c.Type].Open(name, c.Settings)
		if err != nil && (serving || !errors.Is(err, connections.ErrNotBuilt)) {
			return nil, fmt.Errorf("connections.%s: %w", name, err)
		}
		if err != nil { // a function may be called that does not need it
			dial = func(context.Context) (connections.Conn, error) { return nil, err }
		}
		o.pools[name] = &pool{bindings.NewPool(name, dial, c.Reconnect), c}
	}
	for name, b := range cfg.Bindings {
		o.bindings[name] = &bindings.Binding{Name: name, Pool: o.pools[b.Connection].Pool, Target: b.Target}
		o.staged[name] = b.Outbox
	}
	return o, nil
}

func (o *outputs) close() { o.closeExcept(&outputs{}) }

// closeExcept closes the pools that next does not use.
func (o *outputs) closeExcept(next *outputs) {
	for name, p := range o.pools {
		if next.pools[name] != p {
			p.Close()
		}
	}
}
