package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/bindings"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/outbox"
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

	attemptsSet bool // the document names retry.attempts
	grace       time.Duration
	store       int // its generation
}

type triggerSpec struct {
	desired
	triggers.Spec // of a trigger on a broker
	store         *storage
}

// A runningTrigger is a trigger and the goroutines that run it.
type runningTrigger struct {
	name    string
	broker  *triggers.Trigger // nil on a topic of the store
	stored  *outbox.Consumer  // of what the store has for it, a topic's events or parked messages; nil without a store
	timer   *timer            // of a schedule; else nil
	desired desired
	*task
	started time.Time

	failure  error // why it did not run well when it was stopped
	replaced error // failure of the one before it
	paused   bool  // by an operator: nothing of it runs
}

func (h *host) start(s triggerSpec) (*runningTrigger, error) {
	t := &runningTrigger{name: s.Name, desired: s.desired, started: time.Now(), paused: h.paused[s.Name]}
	if s.Source != nil {
		t.broker = triggers.New(s.Spec)
	}
	if s.store != nil {
		var err error
		if t.stored, err = h.consumer(s, t.broker); err != nil {
			return nil, err
		}
	}
	if s.trigger.Schedule != nil {
		var err error
		if t.timer, err = h.newTimer(s); err != nil {
			return nil, err
		}
	}
	work := t.run
	if t.paused {
		work = nil
	}
	t.task = begin(h.life, work)
	return t, nil
}

// run works on both sides of the trigger until ctx ends and both have drained.
func (t *runningTrigger) run(ctx context.Context) error {
	var wg sync.WaitGroup
	var errs [2]error
	if t.broker != nil {
		wg.Go(func() { errs[0] = t.broker.Run(ctx) })
	}
	if t.stored != nil {
		wg.Go(func() { errs[1] = t.stored.Run(ctx) })
	}
	if t.timer != nil {
		wg.Go(func() { t.timer.run(ctx) })
	}
	wg.Wait()
	return errors.Join(errs[:]...)
}

func (t *runningTrigger) wait(ctx context.Context) error { return t.task.wait(ctx, "trigger "+t.name) }

// Status returns how the trigger is doing now.
func (t *runningTrigger) Status() triggers.Status {
	s := t.status()
	if t.paused {
		s.State, s.Err, s.NextTry, s.Since = triggers.Paused, errPaused, time.Time{}, t.started
	}
	return s
}

func (t *runningTrigger) status() triggers.Status {
	if t.broker != nil {
		s := t.broker.Status()
		if t.stored != nil {
			s.Dead += t.stored.Status().Dead // after they were parked
		}
		return s
	}
	if t.stored == nil {
		return t.timer.Status()
	}
	s := t.stored.Status()
	state := map[outbox.State]triggers.State{
		outbox.Waiting: triggers.Connecting, outbox.Running: triggers.Running, outbox.Paused: triggers.Paused, outbox.Stopped: triggers.Stopped,
	}[s.State]
	return triggers.Status{
		State: state, Err: s.Err, Since: s.Since, Subscribed: s.State != outbox.Waiting, InFlight: s.InFlight,
		Received: s.Done + s.Dead, Succeeded: s.Done, Failed: s.Failed, Dead: s.Dead,
	}
}

// verdict waits until the trigger receives or has a reason not to, up to ctx. It
// returns why its broker refuses it, unless it refused the one before it, too.
func (t *runningTrigger) verdict(ctx context.Context) error {
	for t.broker != nil && !t.paused {
		s := t.Status()
		switch {
		case errors.Is(s.Err, connections.ErrRefused) && !s.Subscribed && !errors.Is(t.replaced, connections.ErrRefused):
			return s.Err
		case s.Subscribed, s.Err != nil, triggers.Sleep(ctx, verdictPause) != nil:
			return nil
		}
	}
	return nil
}

// verdictPause is between two looks at a trigger that was just started.
const verdictPause = 2 * time.Millisecond

// destination is where the trigger's events come from.
func (t *runningTrigger) destination() string {
	if t.broker != nil {
		return t.broker.Destination
	}
	return "topic:" + t.desired.trigger.Topic
}

// consumer returns what works on the store's side of a trigger.
func (h *host) consumer(s triggerSpec, broker *triggers.Trigger) (*outbox.Consumer, error) {
	t := s.trigger
	if broker == nil {
		return s.store.Subscribe(outbox.Subscription{
			Target: "topic:" + t.Topic, Trigger: s.Name, Function: t.Function,
			Concurrency: t.Concurrency, Retry: s.retry, Grace: s.grace, Stack: stackOf, Log: h.log,
			Bury: h.buried(t.Function, s.deadLetter),
			Handle: func(ctx context.Context, d *outbox.Delivery) error {
				return h.deliver(ctx, d, t.Function, t.Format, s.timeout)
			},
		})
	}
	letters := packer{h.drivers[s.connection.Type], h.log}
	r := outbox.Retries{
		Trigger: s.Name, Function: t.Function, Concurrency: t.Concurrency, Retry: s.retry, Grace: s.grace, Stack: stackOf, Log: h.log,
		Handle: func(ctx context.Context, l *outbox.Letter) error { return broker.Resume(ctx, letters.fromStore(l)) },
	}
	if d := s.deadLetter; d != "" && d != storeName {
		r.Bury = func(ctx context.Context, l *outbox.Letter) error {
			return h.buryAt(ctx, d, letters.fromStore(l).OnBroker())
		}
	}
	return s.store.Retries(r)
}

// desiredOf returns what a trigger of cfg depends on.
func desiredOf(cfg *config.Config, name string, store int) desired {
	t := cfg.Triggers[name]
	return desired{
		trigger: t, connection: cfg.Connections[t.Connection], grace: cfg.Grace, store: store,
		timeout: cfg.TimeoutOf(t.Function), retry: cfg.RetryOf(t), attemptsSet: cfg.AttemptsSet(t), deadLetter: cfg.DeadLetterOf(t),
	}
}

// specs returns what each trigger of cfg needs.
func (h *host) specs(cfg *config.Config, out *outputs, store *storage) (map[string]triggerSpec, error) {
	specs := make(map[string]triggerSpec)
	for name, t := range cfg.Triggers {
		s := triggerSpec{desired: desiredOf(cfg, name, generationOf(store)), store: store}
		if t.Channel != nil {
			continue // see gateway
		}
		if t.Schedule != nil {
			s.trigger.Topic = scheduleTopic(name)
		}
		var err error
		if s.Spec, err = h.spec(cfg, out, name, s); err != nil {
			return nil, fmt.Errorf("triggers.%s: %w", name, err)
		}
		specs[name] = s
	}
	return specs, nil
}

func (h *host) spec(cfg *config.Config, out *outputs, name string, s triggerSpec) (triggers.Spec, error) {
	t, c := s.trigger, s.connection
	if t.Source == nil {
		return triggers.Spec{Name: name}, nil
	}
	driver := h.drivers[c.Type]
	dial, err := h.opened(cfg, t.Connection)
	if err != nil {
		return triggers.Spec{}, err
	}
	destination, _ := t.Source.(connections.Addressed).Address()
	own := ownOutput{out.pools[t.Connection].Pool, driver}
	spec := triggers.Spec{
		Name: name, Connection: t.Connection, Destination: destination,
		Dial: dial, Source: t.Source, Serial: driver.Serial, Reconnect: c.Reconnect,
		Function: t.Function, Handler: h.functions[t.Function], Runtime: h,
		Format: t.Format, EventID: strings.TrimPrefix(t.EventID, "header:"), Timeout: s.timeout,
		Retry: s.retry, AttemptsSet: s.attemptsSet, DeadLettersSet: s.deadLetter != "",
		Concurrency: t.Concurrency, Prefetch: t.Prefetch, Ordered: t.Ordered, Manual: t.AutoAccept != nil && !*t.AutoAccept,
		Reply: h.replies(own, t.Reply), ReplyTo: cmp.Or(t.ReplyTo, t.Reply), DeadLetters: h.deadLetters(own, t.Source, s.deadLetter, s.store),
		Ledger: h.openLedger(cfg), Grace: cfg.Grace, Log: h.log,
	}
	if s.store != nil {
		spec.Store = keeper{s.store, packer{driver, h.log}}
	}
	return spec, nil
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
