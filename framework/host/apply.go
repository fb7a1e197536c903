package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/bindings"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework/config"
)

// errStopped is returned by Apply after Stop.
var errStopped = errors.New("the host is stopped")

// A state is all that one configuration makes run.
type state struct {
	cfg      *config.Config
	outputs  *outputs
	store    *storage // nil: there is none
	gateway  *gateway
	triggers map[string]triggerSpec
	services map[string]serviceSpec
}

// A refusal is the error of a change that was not made, because of one object.
type refusal struct {
	kind, name string // as in connections.orders
	err        error
}

func (r *refusal) Error() string { return fmt.Sprintf("%s.%s: %v", r.kind, r.name, r.err) }
func (r *refusal) Unwrap() error { return r.err }

// Apply implements [Host.Apply].
func (h *host) Apply(ctx context.Context, cfg *config.Config) error {
	h.changing.Lock()
	defer h.changing.Unlock()
	if h.stopped.Load() {
		return errStopped
	}
	ctx, cancel := h.untilHalted(ctx)
	defer cancel()
	if h.now != nil && len(config.Diff(h.now.cfg, cfg)) == 0 {
		h.now.cfg = cfg // what it stands for is the same, how it is written may differ
		h.config.Store(cfg)
		h.progress.same(cfg)
		return nil
	}
	if h.now == nil {
		h.recallPauses()
	}
	next, err := h.prepare(cfg)
	if err == nil {
		err = h.change(ctx, next)
	}
	if h.now == nil || h.now.cfg != cfg {
		h.progress.refuse(err)
	} else {
		h.progress.applied(cfg)
		h.forgetPauses()
	}
	return err
}

// untilHalted returns ctx for a change, which ends when the host begins to stop.
func (h *host) untilHalted(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(h.changes, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// prepare returns what cfg makes run. It changes nothing that runs.
func (h *host) prepare(cfg *config.Config) (*state, error) {
	if err := h.startEmbedded(cfg); err != nil {
		return nil, err
	}
	if h.now != nil {
		if err := keepsBacklogs(h.now.cfg, cfg); err != nil {
			return nil, err
		}
	}
	s := &state{cfg: cfg}
	var err error
	if s.gateway, err = h.gateway(cfg); err != nil {
		return nil, err
	}
	if s.outputs, err = h.open(cfg, h.outputs.Load(), true); err != nil {
		return nil, err
	}
	if s.store, err = h.openStore(cfg); err != nil {
		return nil, err
	}
	if s.triggers, err = h.specs(cfg, s.outputs, s.store); err != nil {
		h.discard(s)
		return nil, err
	}
	s.services = h.services(cfg, s.store)
	return s, nil
}

// keepsBacklogs returns what is wrong with new if it makes a broker drop what a
// durable subscription holds.
func keepsBacklogs(old, new *config.Config) error {
	var errs []error
	for name, t := range new.Triggers {
		before, ok := old.Triggers[name].Source.(connections.Durable)
		after, still := t.Source.(connections.Durable)
		if !ok || !still || t.Connection != old.Triggers[name].Connection {
			continue
		}
		subscription, terms := before.Durable()
		if again, others := after.Durable(); subscription != "" && subscription == again && terms != others {
			errs = append(errs, &refusal{triggersKind, name, fmt.Errorf(
				"another topic or selector would make the broker drop what the durable subscription %q holds; give the subscription another name", subscription)})
		}
	}
	return errors.Join(errs...)
}

// change replaces what runs by next, or goes on as before. An error may also be
// about what did not drain in time.
func (h *host) change(ctx context.Context, next *state) error {
	old := h.now
	if old == nil {
		_, err := h.enter(ctx, next)
		h.now = next
		return err
	}
	if err := h.prove(ctx, next); err != nil {
		h.discard(next)
		return err
	}
	started, err := h.enter(ctx, next)
	refused := verdict(ctx, started)
	if _, broken := errors.AsType[*refusal](err); broken || refused != nil {
		_, back := h.enter(ctx, old)
		h.discard(next)
		return errors.Join(refused, err, back)
	}
	h.now = next
	if next.store != old.store {
		old.store.close()
	}
	h.retire(old.outputs, next.outputs)
	h.warnListeners(old.cfg, next.cfg)
	return err
}

// proofTimeout bounds how long a change waits for a broker to say yes or no.
const proofTimeout = 5 * time.Second

// prove connects to the brokers of connections that are new or changed, under an
// identity of its own.
func (h *host) prove(ctx context.Context, next *state) error {
	ctx, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	old := h.outputs.Load().pools
	var mu sync.Mutex
	var errs []error
	var wg sync.WaitGroup
	for name, p := range next.outputs.pools {
		if old[name] == p || p.locked != "" {
			continue
		}
		wg.Go(func() {
			conn, err := p.dial(ctx)
			if err == nil {
				err = conn.Close()
			}
			switch {
			case errors.Is(err, connections.ErrRefused):
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, &refusal{connectionsKind, name, err})
			case err != nil:
				h.log.Warn("connection changed, though its broker does not answer", "connection", name, "err", err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// verdict waits until the triggers that a change has started either receive or
// have another reason than a refusal not to, and returns the refusals.
func verdict(ctx context.Context, started []*runningTrigger) error {
	ctx, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	var errs []error
	for _, t := range started {
		if err := t.verdict(ctx); err != nil {
			errs = append(errs, &refusal{triggersKind, t.name, err})
		}
	}
	return errors.Join(errs...)
}

// enter makes s run in place of what runs: it stops what differs, waits until
// that has drained, and starts the new. It returns the triggers it started.
func (h *host) enter(ctx context.Context, s *state) ([]*runningTrigger, error) {
	h.outputs.Store(s.outputs.with(h.outputs.Load())) // what drains may still send to what is gone
	h.stored.Store(s.store)
	h.config.Store(s.cfg)
	h.http.Store(s.gateway)
	started, err := h.replace(ctx, s.triggers)
	h.outputs.Store(s.outputs)
	return started, errors.Join(err, h.replaceServices(ctx, s.services))
}

// discard ends what was prepared and does not run.
func (h *host) discard(s *state) {
	if s.store != h.stored.Load() {
		s.store.close()
	}
	h.retire(s.outputs, h.outputs.Load())
}

// retire closes the connections of old that next does not use, once what is being
// sent over them is sent.
func (h *host) retire(old, next *outputs) {
	grace := h.grace()
	for name, p := range old.pools {
		if next.pools[name] == p {
			continue
		}
		h.retiring.Go(func() {
			ctx, cancel := context.WithTimeout(h.life, grace)
			defer cancel()
			p.Drain(ctx)
		})
	}
}

// warnListeners says what a running program does not change.
func (h *host) warnListeners(old, new *config.Config) {
	for key, changed := range map[string]bool{
		"http.listen":    old.HTTP.Listen != new.HTTP.Listen,
		"admin":          !reflect.DeepEqual(old.Admin, new.Admin),
		"metrics.listen": old.Metrics != new.Metrics,
	} {
		if changed {
			h.log.Warn("this is changed when the program is started again", "key", key)
		}
	}
}

// startEmbedded starts the development brokers that connections ask for.
func (h *host) startEmbedded(cfg *config.Config) error {
	for name, c := range cfg.Connections {
		e, ok := c.Settings.(connections.Embeddable)
		if !ok || !e.WantsEmbedded() {
			continue
		}
		if !h.embed {
			return fmt.Errorf("connections.%s: an embedded broker is for \"fairlead run\" and for programs made with host.Main; name a broker's URL", name)
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

// replace stops triggers that are gone or changed, and starts new ones, which it
// returns.
func (h *host) replace(ctx context.Context, specs map[string]triggerSpec) ([]*runningTrigger, error) {
	next := make(map[string]*runningTrigger, len(specs))
	var stopping, started []*runningTrigger
	before := h.triggers()
	for name, t := range before {
		if s, ok := specs[name]; ok && reflect.DeepEqual(s.desired, t.desired) {
			next[name] = t
			continue
		}
		t.failure = t.Status().Err
		t.cancel()
		stopping = append(stopping, t)
	}
	var errs []error
	for _, t := range stopping {
		errs = append(errs, h.leave(ctx, t))
	}
	for name, s := range specs {
		if next[name] != nil || h.changes.Err() != nil {
			continue
		}
		t, err := h.start(s)
		if err != nil {
			errs = append(errs, &refusal{triggersKind, name, err})
			continue
		}
		if old := before[name]; old != nil {
			t.replaced = old.failure
		}
		next[name] = t
		started = append(started, t)
	}
	h.setTriggers(next)
	return started, errors.Join(errs...)
}

// leave waits until a trigger that was cancelled has drained. If ctx ends first,
// Stop waits for the rest.
func (h *host) leave(ctx context.Context, t *runningTrigger) error {
	h.leaving = slices.DeleteFunc(h.leaving, (*runningTrigger).ended)
	err := t.wait(ctx)
	if !t.ended() {
		h.leaving = append(h.leaving, t)
	}
	return err
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
	dial    connections.Dial
	locked  string // why it must not be dialed yet; empty: it may
}

// opened returns what dials a connection: an error, for one that is locked.
func (h *host) opened(cfg *config.Config, name string) (connections.Dial, error) {
	c := cfg.Connections[name]
	if why := cfg.Locked(connectionsKind, name); why != "" {
		return locked(why), nil
	}
	return h.drivers[c.Type].Open(name, c.Settings)
}

// locked dials nothing, and says why.
func locked(why string) connections.Dial {
	return func(context.Context) (connections.Conn, error) { return nil, errors.New(why) }
}

// open returns the outputs that cfg wants, taking over from old what is the same.
// A connection that this build cannot open is an error for who serves.
func (h *host) open(cfg *config.Config, old *outputs, serving bool) (*outputs, error) {
	o := &outputs{bindings: make(map[string]*bindings.Binding), staged: make(map[string]bool), pools: make(map[string]*pool)}
	for name, c := range cfg.Connections {
		why := cfg.Locked(connectionsKind, name)
		if p := old.pools[name]; p != nil && p.locked == why && reflect.DeepEqual(p.desired, c) {
			o.pools[name] = p
			continue
		}
		dial, err := h.opened(cfg, name)
		if err != nil && (serving || !errors.Is(err, connections.ErrNotBuilt)) {
			return nil, fmt.Errorf("connections.%s: %w", name, err)
		}
		if err != nil { // a function may be called that does not need it
			dial = func(context.Context) (connections.Conn, error) { return nil, err }
		}
		o.pools[name] = &pool{bindings.NewPool(name, dial, c.Reconnect), c, dial, why}
	}
	for name, b := range cfg.Bindings {
		out := &bindings.Binding{Name: name, Pool: o.pools[b.Connection].Pool, Target: b.Target}
		if why := cfg.Locked(bindingsKind, name); why != "" {
			out.Pool = bindings.NewPool(name, locked(why), connections.Reconnect{})
		}
		o.bindings[name] = out
		o.staged[name] = b.Outbox
	}
	return o, nil
}

// with returns o and what else is in old.
func (o *outputs) with(old *outputs) *outputs {
	all := &outputs{bindings: maps.Clone(old.bindings), staged: maps.Clone(old.staged), pools: maps.Clone(old.pools)}
	if all.bindings == nil { // there was nothing before
		return o
	}
	maps.Copy(all.bindings, o.bindings)
	maps.Copy(all.staged, o.staged)
	maps.Copy(all.pools, o.pools)
	return all
}

func (o *outputs) close() {
	for _, p := range o.pools {
		p.Close()
	}
}
