package host

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fairlead/fairlead/bindings"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/triggers"
)

// desired is everything in a Config that one trigger depends on. While it stays
// equal, the trigger is left alone.
type desired struct {
	trigger    config.Trigger
	connection config.Connection
	timeout    time.Duration
	retry      framework.RetryPolicy
	deadLetter string
	grace      time.Duration
}

type triggerSpec struct {
	desired
	triggers.Spec
}

// A runningTrigger is a trigger and the goroutine that runs it.
type runningTrigger struct {
	*triggers.Trigger
	desired desired
	cancel  context.CancelFunc
	done    chan struct{}
	err     error // of Run; valid when done is closed
	started time.Time
}

func start(ctx context.Context, s triggerSpec) *runningTrigger {
	ctx, cancel := context.WithCancel(ctx)
	t := &runningTrigger{Trigger: triggers.New(s.Spec), desired: s.desired, cancel: cancel, done: make(chan struct{}), started: time.Now()}
	go func() {
		defer close(t.done)
		t.err = t.Run(ctx)
	}()
	return t
}

// wait returns when the trigger has drained, or with ctx's error.
func (t *runningTrigger) wait(ctx context.Context) error {
	select {
	case <-t.done:
		return t.err
	case <-ctx.Done():
		return fmt.Errorf("trigger %s is still draining: %w", t.Name, ctx.Err())
	}
}

// specs returns what each trigger of cfg needs.
func (h *Host) specs(cfg *config.Config, out *outputs) (map[string]triggerSpec, error) {
	specs := make(map[string]triggerSpec)
	for name, t := range cfg.Triggers {
		s, err := h.spec(cfg, out, name, t)
		if err != nil {
			return nil, fmt.Errorf("triggers.%s: %w", name, err)
		}
		specs[name] = s
	}
	return specs, nil
}

func (h *Host) spec(cfg *config.Config, out *outputs, name string, t config.Trigger) (triggerSpec, error) {
	c := cfg.Connections[t.Connection]
	driver := h.drivers[c.Type]
	dial, err := driver.Open(t.Connection, c.Settings)
	if err != nil {
		return triggerSpec{}, err
	}
	d := desired{
		trigger: t, connection: c, grace: cfg.Grace,
		timeout: cfg.TimeoutOf(t.Function), retry: cfg.RetryOf(t), deadLetter: cfg.DeadLetterOf(t),
	}
	destination, _ := t.Source.(connections.Addressed).Address()
	own := ownOutput{out.pools[t.Connection].Pool, driver}
	return triggerSpec{d, triggers.Spec{
		Name: name, Connection: t.Connection, Destination: destination,
		Dial: dial, Source: t.Source, Serial: driver.Serial, Reconnect: c.Reconnect,
		Function: t.Function, Handler: h.functions[t.Function], Runtime: h,
		Format: t.Format, EventID: strings.TrimPrefix(t.EventID, "header:"), Timeout: d.timeout, Retry: d.retry,
		Concurrency: t.Concurrency, Prefetch: t.Prefetch, Ordered: t.Ordered,
		Reply: own.send, ReplyTo: t.ReplyTo, DeadLetters: h.deadLetters(own, t.Source, d.deadLetter),
		Grace: cfg.Grace, Log: h.log,
	}}, nil
}

// An ownOutput sends on a trigger's own connection: replies, and dead letters
// that have no other place.
type ownOutput struct {
	pool   *bindings.Pool
	driver connections.Driver
}

// bury sends a dead letter of source.
func (o ownOutput) bury(ctx context.Context, source any, m connections.Message) error {
	if o.driver.DeadLetters != nil {
		return o.pool.Send(ctx, bindings.To("", o.driver.DeadLetters(source)), m)
	}
	name, _ := source.(connections.Addressed).Address()
	return o.send(ctx, name+deadLetterSuffix, false, m)
}

func (o ownOutput) send(ctx context.Context, destination string, native bool, m connections.Message) error {
	return o.pool.Send(ctx, bindings.At("", o.driver.Target(), destination, native), m)
}

// deadLetterSuffix makes the name of the queue that takes a trigger's dead
// letters where there is no store.
const deadLetterSuffix = ".DLQ"

// deadLetters returns where dead letters go: the named binding, or the queue
// beside the source.
func (h *Host) deadLetters(own ownOutput, source any, configured string) triggers.DeadLetters {
	if configured == "" {
		return letterFunc(func(ctx context.Context, m connections.Message) error {
			return own.bury(ctx, source, m)
		})
	}
	name, to, _ := strings.Cut(configured, "/")
	return letterFunc(func(ctx context.Context, m connections.Message) error {
		return h.outputs.Load().bindings[name].SendMessage(ctx, to, m) // Apply may replace it while the trigger runs
	})
}

// A letterFunc sends dead letters to a broker.
type letterFunc func(context.Context, connections.Message) error

func (f letterFunc) Put(ctx context.Context, l triggers.Letter) error { return f(ctx, l.OnBroker()) }
