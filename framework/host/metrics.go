package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/metrics"
	"github.com/fairlead/fairlead/triggers"
)

// A meter counts what is done in one name, a function's or a binding's.
type meter struct {
	inFlight                     atomic.Int64
	succeeded, failed, abandoned atomic.Uint64 // abandoned: because something was out of reach
	panicked                     atomic.Uint64
	durations                    metrics.Histogram
}

// end counts what began at that time and has ended.
func (m *meter) end(begin time.Time, err error) {
	m.durations.Observe(time.Since(begin))
	switch {
	case err == nil:
		m.succeeded.Add(1)
	case errors.Is(err, framework.ErrUnavailable):
		m.abandoned.Add(1)
	default:
		m.failed.Add(1)
	}
}

// meters are the meters of a host, by name.
type meters struct {
	functions map[string]*meteredFunction // never changed after New
	bindings  sync.Map                    // *meter
}

type meteredFunction struct {
	framework.Handler
	meter
}

// wrap returns a handler that counts the calls of f.
func (m *meters) wrap(name string, f framework.Handler) framework.Handler {
	if f == nil {
		return nil
	}
	if m.functions == nil {
		m.functions = make(map[string]*meteredFunction)
	}
	metered := &meteredFunction{Handler: f}
	m.functions[name] = metered
	return metered.call
}

// call is the function, counted.
func (m *meteredFunction) call(ctx context.Context, in event.Event) (out *event.Event, err error) {
	begin, returned := time.Now(), false
	m.inFlight.Add(1)
	defer func() {
		m.inFlight.Add(-1)
		if !returned {
			m.panicked.Add(1)
			m.durations.Observe(time.Since(begin))
		}
	}()
	out, err = m.Handler(ctx, in)
	returned = true
	m.end(begin, err)
	return out, err
}

// original returns the function as it was given to the host.
func (m *meters) original(function string) framework.Handler {
	if f := m.functions[function]; f != nil {
		return f.Handler
	}
	return nil
}

// binding returns the meter of a binding.
func (m *meters) binding(name string) *meter {
	v, ok := m.bindings.Load(name)
	if !ok {
		v, _ = m.bindings.LoadOrStore(name, new(meter))
	}
	return v.(*meter)
}

// status returns what m counted.
func (m *meter) status(kind, name string) admin.CallStatus {
	return admin.CallStatus{
		Kind: kind, Name: name, InFlight: int(m.inFlight.Load()), Succeeded: m.succeeded.Load(),
		Failed: m.failed.Load(), Unavailable: m.abandoned.Load(), Panicked: m.panicked.Load(),
	}
}

// count does work and counts it.
func (m *meter) count(work func() error) error {
	begin := time.Now()
	m.inFlight.Add(1)
	defer m.inFlight.Add(-1)
	err := work()
	m.end(begin, err)
	return err
}

// WriteMetrics writes what Prometheus scrapes. What the store knows is left out
// if it does not answer soon.
func (h *host) WriteMetrics(ctx context.Context, w io.Writer) error {
	var p metrics.Page
	s := h.Status()
	p.Gauge("fairlead_info", "Version that runs.", 1, "version", Version())
	p.Gauge("fairlead_started_seconds", "When the program started, in seconds since 1970.", float64(s.Started.Unix()))
	p.Gauge("fairlead_ready", "1 if it is ready.", one(len(s.Missing) == 0))
	p.Gauge("fairlead_config_generation", "Counts the configurations that ran.", float64(s.Progress.Generation))
	p.Gauge("fairlead_config_refused", "1 if a newer configuration was refused.", one(s.Progress.Refused != nil))
	h.writeTriggers(&p, s)
	for _, name := range slices.Sorted(maps.Keys(h.meters.functions)) {
		writeMeter(&p, "function", &h.meters.functions[name].meter, name)
	}
	h.writeBindings(&p, s)
	h.writeStore(ctx, &p)
	_, err := p.WriteTo(w)
	return err
}

func (h *host) writeTriggers(p *metrics.Page, s Status) {
	cfg := h.config.Load()
	for _, name := range slices.Sorted(maps.Keys(s.Triggers)) {
		t := s.Triggers[name]
		labels := []string{"trigger", name, "function", cfg.Triggers[name].Function}
		p.Gauge("fairlead_trigger_running", "1 if the trigger is subscribed and not paused.", one(t.State == triggers.Running), labels...)
		p.Gauge("fairlead_trigger_stuck", "1 if all its calls ignore that their time is over, for which liveness fails.", one(t.Stuck), labels...)
		p.Gauge("fairlead_trigger_in_flight", "Calls that run.", float64(t.InFlight), labels...)
		p.Gauge("fairlead_trigger_waiting", "Messages that wait for their next attempt.", float64(t.Waiting), labels...)
		for _, c := range []struct {
			name, help string
			value      uint64
		}{
			{"received", "Messages or requests that came.", t.Received},
			{"succeeded", "Calls that succeeded.", t.Succeeded},
			{"failed", "Calls that failed.", t.Failed},
			{"retried", "Failed calls that are tried again.", t.Retried},
			{"dead", "Messages that became dead letters.", t.Dead},
			{"reconnects", "Times that the trigger connected again.", t.Reconnects},
		} {
			p.Counter("fairlead_trigger_"+c.name+"_total", c.help, float64(c.value), labels...)
		}
	}
}

// writeMeter writes the calls of a function, or the sends through a binding.
func writeMeter(p *metrics.Page, kind string, m *meter, name string) {
	prefix := "fairlead_" + kind
	p.Gauge(prefix+"_in_flight", "How many run.", float64(m.inFlight.Load()), kind, name)
	for _, c := range []struct {
		outcome string
		n       uint64
	}{{"succeeded", m.succeeded.Load()}, {"failed", m.failed.Load()}, {"unavailable", m.abandoned.Load()}, {"panicked", m.panicked.Load()}} {
		if kind == "binding" && c.outcome == "panicked" {
			continue
		}
		p.Counter(prefix+"_calls_total", "How many ended, by outcome.", float64(c.n), kind, name, "outcome", c.outcome)
	}
	p.Histogram(prefix+"_duration_seconds", "How long they took.", &m.durations, kind, name)
}

func (h *host) writeBindings(p *metrics.Page, s Status) {
	for _, name := range slices.Sorted(maps.Keys(h.outputs.Load().bindings)) {
		if m, ok := h.meters.bindings.Load(name); ok {
			writeMeter(p, "binding", m.(*meter), name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Connections)) {
		p.Gauge("fairlead_connection_up", "1 if the sending side of the connection is connected.", one(s.Connections[name].Connected), "connection", name)
	}
}

// scrapeTimeout is how long the store may take to say what it holds.
const scrapeTimeout = 2 * time.Second

func (h *host) writeStore(ctx context.Context, p *metrics.Page) {
	store := h.stored.Load()
	if store == nil {
		return
	}
	p.Gauge("fairlead_store_up", "1 if the store answers.", one(store.Ready()))
	if !store.Ready() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	topics, err := store.Topics(ctx)
	if err != nil {
		h.log.Debug("the store did not say what it holds", "err", err)
		return
	}
	for _, t := range topics {
		for _, sub := range t.Subscriptions {
			labels := []string{"topic", t.Target, "subscription", sub.Name}
			p.Gauge("fairlead_topic_depth", "Events that the subscription has to do.", float64(sub.Depth), labels...)
			p.Gauge("fairlead_topic_retrying", "Of these, events that failed before, or wait behind one that did.", float64(sub.Retrying), labels...)
			age := 0.0
			if !sub.Oldest.IsZero() {
				age = time.Since(sub.Oldest).Seconds()
			}
			p.Gauge("fairlead_topic_oldest_age_seconds", "How long the oldest of them waits.", max(0, age), labels...)
		}
		p.Gauge("fairlead_topic_delayed", "Events that are not due yet.", float64(t.Delayed), "topic", t.Target)
	}
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// serveMetrics serves GET /metrics alone, without a token, if cfg says where;
// else it returns a server that does nothing.
func (h *host) serveMetrics(cfg *config.Config, failed chan<- error) (*http.Server, error) {
	if cfg.Metrics.Listen == "" {
		return new(http.Server), nil
	}
	l, err := net.Listen("tcp", cfg.Metrics.Listen)
	if err != nil {
		return nil, fmt.Errorf("serve metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", metrics.ContentType)
		if err := h.WriteMetrics(r.Context(), w); err != nil {
			h.log.Debug("whoever scrapes did not wait", "err", err)
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serve metrics: %w", err)
		}
	}()
	return server, nil
}
