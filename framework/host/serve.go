package host

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/fairlead/fairlead/bindings"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/outbox"
	"github.com/fairlead/fairlead/triggers"
)

// A service is what the host does for the store beside the triggers: it calls a
// function with what is published for it, or relays what is staged for a binding
// or as an answer.
type service struct {
	desired any // while it stays equal, the service is left alone
	*outbox.Consumer
	*task
}

func (s *service) wait(ctx context.Context) error { return s.task.wait(ctx, s.String()) }

// A serviceSpec is how one service shall be.
type serviceSpec struct {
	desired any
	open    func() (*outbox.Consumer, error)
}

// services returns what cfg wants to be done for the store, by what it is.
func (h *host) services(cfg *config.Config, s *storage) map[string]serviceSpec {
	specs := make(map[string]serviceSpec)
	if s == nil {
		return specs
	}
	for name := range h.functions {
		specs["function "+name] = h.published(cfg, s, name)
	}
	for name := range cfg.Bindings {
		specs["binding "+name] = h.relay(cfg, s, name, func(ctx context.Context, m []outbox.StagedSend) []error { return h.relayTo(ctx, name, m) })
	}
	for _, t := range cfg.Triggers {
		if c := t.Connection; c != "" {
			specs["replies on "+c] = h.relay(cfg, s, repliesOf(c), func(ctx context.Context, m []outbox.StagedSend) []error { return h.relayReplies(ctx, c, m) })
		}
	}
	return specs
}

// published is the service of a function that events are published for.
func (h *host) published(cfg *config.Config, s *storage, function string) serviceSpec {
	d := struct {
		store       int
		retry       framework.RetryPolicy
		concurrency int
		deadLetter  string
		grace       time.Duration
	}{s.generation, cfg.PublishedRetryOf(function), cfg.PublishedOf(function), cfg.Functions[function].DeadLetter, cfg.Grace}
	return serviceSpec{d, func() (*outbox.Consumer, error) {
		return s.Subscribe(outbox.Subscription{
			Target: function, Concurrency: d.concurrency, Retry: d.retry, Grace: d.grace, Stack: stackOf, Log: h.log,
			Bury: h.buried(function, d.deadLetter),
			Handle: func(ctx context.Context, ev *outbox.Delivery) error {
				return h.deliver(ctx, ev, function, "", h.timeout(function))
			},
		})
	}}
}

// deliver calls a function with a published event.
func (h *host) deliver(ctx context.Context, d *outbox.Delivery, function, format string, timeout time.Duration) error {
	inv := &framework.Invocation{
		Runtime: h, Function: function, Event: d.Event, Format: format,
		Source: &framework.Origin{
			Trigger: d.Trigger, Destination: d.Target, Attempt: d.Attempt, Header: d.Header, ID: d.Event.ID(), Replayed: d.Replayed,
		},
	}
	ctx = framework.NewContext(ctx, inv)
	err := triggers.Within(ctx, timeout, func(ctx context.Context) error {
		_, err := triggers.Call(ctx, h.functions[function], d.Event)
		return err
	})
	if err == nil {
		return nil
	}
	if fault := inv.Fault(); fault != nil {
		return fmt.Errorf("%w: %w", framework.ErrUnavailable, fault)
	}
	if ctx.Err() == nil {
		h.log.WarnContext(ctx, "function failed", "err", err)
	}
	return err
}

// buried returns what sends events that failed for good to the binding that takes
// the dead letters; nil if the store does.
func (h *host) buried(function, deadLetter string) func(context.Context, *outbox.Delivery, error) error {
	if deadLetter == "" || deadLetter == storeName {
		return nil
	}
	return func(ctx context.Context, d *outbox.Delivery, cause error) error {
		m, err := publishedLetter(d, function, cause)
		if err != nil {
			return err
		}
		return h.buryAt(ctx, deadLetter, m)
	}
}

// publishedLetter is a published event as a dead letter on a broker.
func publishedLetter(d *outbox.Delivery, function string, cause error) (connections.Message, error) {
	m, err := d.Message()
	if err != nil {
		return m, err
	}
	l := triggers.Letter{
		Trigger: d.Trigger, Function: function, Destination: d.Target, Message: m, Event: d.Event,
		Cause: cause, Attempts: d.Attempt, First: d.First, Last: time.Now(),
	}
	if l.First.IsZero() {
		l.First = l.Last
	}
	return l.OnBroker(), nil
}

// relay is the service that sends what is staged under a name.
func (h *host) relay(cfg *config.Config, s *storage, name string, send func(context.Context, []outbox.StagedSend) []error) serviceSpec {
	d := struct {
		store int
		grace time.Duration
	}{s.generation, cfg.Grace}
	return serviceSpec{d, func() (*outbox.Consumer, error) {
		return s.Relay(outbox.Relay{Binding: name, Send: send, Retry: config.DefaultPublishedRetry(), Grace: d.grace, Log: h.log})
	}}
}

// relayTo sends what was staged for a binding.
func (h *host) relayTo(ctx context.Context, binding string, staged []outbox.StagedSend) []error {
	b := h.outputs.Load().bindings[binding]
	if b == nil { // it is being removed
		return slices.Repeat([]error{fmt.Errorf("binding %s %w: it is not configured any more", binding, framework.ErrUnavailable)}, len(staged))
	}
	return inRuns(staged, func(run []outbox.StagedSend, batch []connections.Message) []error {
		return b.SendMessages(ctx, run[0].Destination, batch)
	})
}

// relayReplies sends the answers that were staged on a connection.
func (h *host) relayReplies(ctx context.Context, connection string, staged []outbox.StagedSend) []error {
	p := h.outputs.Load().pools[connection]
	if p == nil {
		return slices.Repeat([]error{fmt.Errorf("connection %s %w: it is not configured any more", connection, framework.ErrUnavailable)}, len(staged))
	}
	target := h.drivers[p.desired.Type].Target
	return inRuns(staged, func(run []outbox.StagedSend, batch []connections.Message) []error {
		return p.SendBatch(ctx, bindings.At("", target(), run[0].Destination, run[0].Native), batch)
	})
}

// inRuns hands over messages to the same destination together, in order.
func inRuns(staged []outbox.StagedSend, send func([]outbox.StagedSend, []connections.Message) []error) []error {
	var errs []error
	for len(staged) > 0 {
		n := 1
		for n < len(staged) && staged[n].Destination == staged[0].Destination && staged[n].Native == staged[0].Native {
			n++
		}
		batch := make([]connections.Message, n)
		for i, s := range staged[:n] {
			batch[i] = s.Message
			if batch[i].ID == nil {
				batch[i].ID = s.ID
			}
		}
		errs = append(errs, send(staged[:n], batch)...)
		staged = staged[n:]
	}
	return errs
}

// replaceServices stops services that are gone or changed, and starts new ones.
func (h *host) replaceServices(ctx context.Context, specs map[string]serviceSpec) error {
	next := make(map[string]*service, len(specs))
	stopping := make(map[string]*service)
	for name, s := range h.serving {
		if spec, ok := specs[name]; ok && reflect.DeepEqual(spec.desired, s.desired) {
			next[name] = s
			continue
		}
		s.cancel()
		stopping[name] = s
	}
	var errs []error
	for name, s := range stopping {
		errs = append(errs, s.wait(ctx))
		if !s.ended() {
			next["leaving "+name] = s // Stop waits for the rest
		}
	}
	for name, spec := range specs {
		if next[name] != nil {
			continue
		}
		c, err := spec.open()
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		next[name] = &service{spec.desired, c, begin(h.life, c.Run)}
	}
	h.serving = next
	return errors.Join(errs...)
}
