package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/drivers"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/outbox/ledger"
	"github.com/fairlead/fairlead/tracing"
)

// A host is what is inside a [Host].
type host struct {
	functions framework.Functions
	drivers   map[string]connections.Driver
	log       *slog.Logger
	embed     bool   // start development brokers
	heir      *heir  // what it inherited, if anything
	invalid   error  // what is wrong with the functions it was given
	sink      string // the function of triggers that name none; empty: each names one

	background background
	meters     meters
	tracer     *tracing.Tracer // nil: spans are not recorded; set before anything runs
	outputs    atomic.Pointer[outputs]
	stored     atomic.Pointer[storage] // nil: there is no store
	config     atomic.Pointer[config.Config]
	http       atomic.Pointer[gateway]
	started    time.Time

	origin   origin        // what the configuration was read from
	watched  chan struct{} // closed when the watch has ended; nil: there is none
	progress progress
	sources  sources
	retiring sync.WaitGroup // connections that nothing new is sent over

	changing sync.Mutex          // serialises Apply, Connect, Pause, Resume and Stop
	now      *state              // what runs; nil before Apply; guarded by changing
	leaving  []*runningTrigger   // that did not drain in time; guarded by changing
	paused   map[string]bool     // triggers that an operator paused; guarded by changing
	recalled bool                // paused was read; guarded by changing
	embedded map[string]bool     // types whose development broker was started; guarded by changing
	serving  map[string]*service // guarded by changing
	stopped  atomic.Bool
	requests sync.WaitGroup // HTTP requests that are being served
	warned   sync.Map       // triggers that a warning was given about

	ledgerOnce sync.Once
	ledger     *ledger.Ledger // of running calls; nil: there is none

	mu      sync.Mutex
	running map[string]*runningTrigger // replaced, never changed

	changes context.Context // ends when the host begins to stop: a change that is under way ends early
	halt    context.CancelFunc

	life context.Context // ends when the host is stopped; development brokers live by it
	end  context.CancelFunc
}

// newHost is [New].
func newHost(functions ...framework.Functions) *host {
	h := &host{
		functions: make(framework.Functions),
		drivers:   drivers.All(),
		embedded:  make(map[string]bool),
		paused:    make(map[string]bool),
	}
	h.log = slog.Default()
	h.started = time.Now()
	h.life, h.end = context.WithCancel(context.Background())
	h.changes, h.halt = context.WithCancel(h.life)
	h.background.init(h.life)
	h.sources.init()
	var errs []error
	for _, set := range functions {
		for name, f := range set {
			if h.functions[name] != nil {
				errs = append(errs, fmt.Errorf("two functions are named %q", name))
			}
			if f == nil {
				errs = append(errs, fmt.Errorf("function %q is nil", name))
			}
			h.functions[name] = h.traced(name, h.meters.wrap(name, f))
		}
	}
	h.invalid = errors.Join(errs...)
	h.outputs.Store(&outputs{})
	return h
}

// Functions implements [Host.Functions].
func (h *host) Functions() []string { return slices.Sorted(maps.Keys(h.functions)) }

// Load implements [Host.Load].
func (h *host) Load(path string) (*config.Config, error) {
	return config.Load(path, h.loadOptions())
}

func (h *host) loadOptions() config.Options {
	return config.Options{Drivers: h.drivers, Functions: h.Functions(), NoPostgres: !h.startsPostgres(), Sink: h.sink}
}

// Start implements [Host.Start].
func (h *host) Start(ctx context.Context, env map[string]string) error {
	if h.invalid != nil {
		return h.invalid
	}
	h.log = SetUpLog()
	if err := h.openTracer(); err != nil {
		return err
	}
	cfg, err := h.read(env)
	if err != nil {
		return err
	}
	if err := h.Apply(ctx, cfg); err != nil {
		return err
	}
	h.watch(func(cfg *config.Config) error { return h.Apply(h.life, cfg) })
	return nil
}

// Stop implements [Host.Stop].
func (h *host) Stop(ctx context.Context) error {
	if h.stopped.Swap(true) {
		return nil
	}
	h.halt()
	if h.watched != nil {
		<-h.watched
	}
	h.changing.Lock()
	defer h.changing.Unlock()
	err := h.drain(ctx)
	h.stored.Load().close()
	h.outputs.Load().close()
	h.end()
	h.retiring.Wait()
	return errors.Join(err, h.closeLedger(), h.tracer.Close(ctx))
}

// drain stops every trigger and waits for what runs.
func (h *host) drain(ctx context.Context) error {
	running := slices.AppendSeq(h.leaving, maps.Values(h.triggers()))
	for _, t := range running {
		t.cancel()
	}
	for _, s := range h.serving {
		s.cancel()
	}
	var errs []error
	for _, t := range running {
		errs = append(errs, t.wait(ctx))
	}
	for _, s := range h.serving {
		errs = append(errs, s.wait(ctx))
	}
	errs = append(errs, waitFor(ctx, &h.requests, "HTTP requests"))
	return errors.Join(append(errs, h.background.drain(ctx, h.grace()))...)
}

// waitFor waits for wg, up to ctx.
func waitFor(ctx context.Context, wg *sync.WaitGroup, what string) error {
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s did not end in time: %w", what, ctx.Err())
	}
}

// triggers returns what runs; the map must not be changed.
func (h *host) triggers() map[string]*runningTrigger {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.running
}

func (h *host) setTriggers(next map[string]*runningTrigger) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running = next
}

func (h *host) grace() time.Duration {
	if cfg := h.config.Load(); cfg != nil {
		return cfg.Grace
	}
	return config.DefaultGrace
}

// Handle implements [Host.Handle].
func (h *host) Handle(w http.ResponseWriter, r *http.Request) {
	handler := h.http.Load()
	switch {
	case handler == nil:
		http.Error(w, "not started", http.StatusServiceUnavailable)
	case !h.admit():
		http.Error(w, "stopping", http.StatusServiceUnavailable)
	default:
		defer h.requests.Done()
		if h.tracer != nil {
			var end func()
			w, r, end = h.traceRequest(w, r)
			defer end()
		}
		handler.ServeHTTP(w, r)
	}
}

// admit counts a request in, unless the host is stopped: then nobody would wait for it.
func (h *host) admit() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped.Load() {
		return false
	}
	h.requests.Add(1)
	return true
}

// Ready implements [Host.Ready].
func (h *host) Ready(context.Context) (bool, error) {
	missing := h.missing()
	if len(missing) > 0 {
		return false, fmt.Errorf("not ready: %v", missing)
	}
	return true, nil
}

// Alive implements [Host.Alive].
func (h *host) Alive(context.Context) (bool, error) {
	for name, t := range h.triggers() {
		if t.Status().Stuck {
			return false, fmt.Errorf("trigger %s is stuck: all its calls ignore that their time is over", name)
		}
	}
	return true, nil
}
