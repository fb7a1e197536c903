// Package frameworktest runs a function in a unit test, without a broker, and
// shows what it sent, published and invoked.
//
//	rt := frameworktest.New(t)
//	err := orders.Received(rt.Context(), orders.Order{ID: "1"})
//	sent := rt.Sent() // what it sent: binding, destination and data
package frameworktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/framework"
)

// A Runtime stands in for brokers and the store. Its fields may be set before
// the function runs. Its methods may be called from any goroutine.
type Runtime struct {
	// Functions are those that Invoke finds. Add stubs here.
	Functions framework.Functions

	// Source is what framework.Source returns; nil: an empty Origin with attempt 1.
	Source *framework.Origin

	// Config is what framework.Settings decodes, as JSON.
	Config any

	// OnSend and OnPublish decide what a Send or Publish returns. Nil: success.
	OnSend    func(Sent) error
	OnPublish func(Published) error

	// Tx is the transaction that a Transactional function gets. Nil: such a
	// function fails.
	Tx pgx.Tx

	mu        sync.Mutex
	sent      []Sent
	published []Published
	invoked   []Invoked
	work      sync.WaitGroup
}

// Sent is one Send.
type Sent struct {
	Binding     string
	Destination string
	Event       event.Event // the data; a CloudEvent only if it was sent as one
	Options     framework.SendOptions
}

// Published is one Publish.
type Published struct {
	Target  string
	Event   event.Event
	Options framework.PublishOptions
}

// Invoked is one Invoke or InvokeAsync.
type Invoked struct {
	Function string
	Event    event.Event
}

// Data returns the data as a string.
func (s Sent) Data() string { return string(s.Event.Data()) }

// Data returns the data as a string.
func (p Published) Data() string { return string(p.Event.Data()) }

// Data returns the data as a string.
func (i Invoked) Data() string { return string(i.Event.Data()) }

// New returns a Runtime on which Invoke finds the given functions. When the test
// ends, what InvokeAsync started is waited for.
func New(t testing.TB, functions ...framework.Functions) *Runtime {
	r := &Runtime{Functions: make(framework.Functions)}
	for _, set := range functions {
		for name, f := range set {
			r.Functions[name] = f
		}
	}
	t.Cleanup(r.Wait)
	return r
}

// Context returns the ctx of a running function.
func (r *Runtime) Context() context.Context {
	return r.context(context.Background(), "test", event.Event{})
}

func (r *Runtime) context(ctx context.Context, function string, in event.Event) context.Context {
	source := r.Source
	if source == nil {
		source = &framework.Origin{Attempt: 1}
	}
	return framework.NewContext(ctx, &framework.Invocation{
		Runtime: r, Function: function, Event: in, Source: source, Parent: framework.FromContext(ctx),
	})
}

// Run calls h as a trigger would, with data as framework.Data takes it.
func (r *Runtime) Run(h framework.Handler, data any) (*event.Event, error) {
	in, err := framework.Data(data)
	if err != nil {
		return nil, err
	}
	return h(r.context(context.Background(), "test", in), in)
}

// Wait returns when everything that InvokeAsync started has ended.
func (r *Runtime) Wait() { r.work.Wait() }

// Sent returns what was sent so far, in order.
func (r *Runtime) Sent() []Sent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Sent(nil), r.sent...)
}

// Published returns what was published so far, in order.
func (r *Runtime) Published() []Published {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Published(nil), r.published...)
}

// Invoked returns what was invoked so far, in order.
func (r *Runtime) Invoked() []Invoked {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Invoked(nil), r.invoked...)
}

var _ framework.Runtime = (*Runtime)(nil)

// Send implements [framework.Runtime].
func (r *Runtime) Send(_ context.Context, binding, destination string, data event.Event, o framework.SendOptions) error {
	s := Sent{binding, destination, data, o}
	if r.OnSend != nil {
		if err := r.OnSend(s); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, s)
	return nil
}

// Publish implements [framework.Runtime].
func (r *Runtime) Publish(_ context.Context, target string, data event.Event, o framework.PublishOptions) error {
	p := Published{target, data, o}
	if r.OnPublish != nil {
		if err := r.OnPublish(p); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.published = append(r.published, p)
	return nil
}

// Call implements [framework.Runtime].
func (r *Runtime) Call(ctx context.Context, function string, data event.Event) (*event.Event, error) {
	r.mu.Lock()
	r.invoked = append(r.invoked, Invoked{function, data})
	f := r.Functions[function]
	r.mu.Unlock()
	if f == nil {
		return nil, framework.Terminal(fmt.Errorf("invoke %s: there is no such function; add a stub to the Runtime's Functions", function))
	}
	return f(r.context(ctx, function, data), data)
}

// Go implements [framework.Runtime].
func (r *Runtime) Go(ctx context.Context, work func(context.Context)) error {
	r.work.Go(func() { work(context.WithoutCancel(ctx)) })
	return nil
}

// Transact implements [framework.Runtime]. The caller of the test commits or
// rolls back Tx.
func (r *Runtime) Transact(ctx context.Context, _ event.Event, work func(context.Context, pgx.Tx) (*event.Event, error)) (*event.Event, error) {
	if r.Tx == nil {
		return nil, errors.New("transactional function: set the Runtime's Tx to a transaction of a test database")
	}
	return work(ctx, r.Tx)
}

// Settings implements [framework.Runtime].
func (r *Runtime) Settings(_ context.Context, _ string, v any) error {
	data, err := json.Marshal(r.Config)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}
