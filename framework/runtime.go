package framework

import (
	"context"
	"sync/atomic"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/jackc/pgx/v5"
)

// A Runtime does what a running function asks for. Package host implements it
// with real brokers, package frameworktest for unit tests. Authors of functions
// never meet it. Its methods are called from any goroutine; ctx is the
// function's own and bounds each call.
type Runtime interface {
	// Send returns nil once the broker, or the outbox, has taken charge.
	Send(ctx context.Context, binding, destination string, data event.Event, o SendOptions) error

	// Publish stores data for a function, or for "topic:NAME".
	Publish(ctx context.Context, target string, data event.Event, o PublishOptions) error

	// Call runs a function in this process and returns its reply, if any.
	Call(ctx context.Context, function string, data event.Event) (*event.Event, error)

	// Go runs work in the background on a context of its own, which ends with
	// the host's grace period. It waits for room while ctx lasts, or returns
	// ErrBusy.
	Go(ctx context.Context, work func(context.Context)) error

	// Transact runs work and commits its SQL, its sends, its publishes, its
	// reply and the memory of in together, once per event.
	Transact(ctx context.Context, in event.Event, work func(context.Context, pgx.Tx) (*event.Event, error)) (*event.Event, error)

	// Settings decodes the function's settings into v, a pointer.
	Settings(ctx context.Context, function string, v any) error
}

// An Invocation is one call of one function, as its ctx carries it.
type Invocation struct {
	Runtime  Runtime
	Function string      // the function's name
	Event    event.Event // what it was called with
	Source   *Origin     // where the event came from; shared by functions it invokes in turn
	Format   string      // "json" or "xml" to override the event's media type; empty to follow it
	Parent   *Invocation // the call that made this one by Invoke; nil for the first

	fault atomic.Pointer[error]

	first callContext // that NewContext made
	made  atomic.Bool
}

type invocationKey struct{}

// A callContext is the ctx of a call.
type callContext struct {
	context.Context
	inv *Invocation
}

// Value implements [context.Context].
func (c *callContext) Value(key any) any {
	if key == (invocationKey{}) {
		return c.inv
	}
	return c.Context.Value(key)
}

// NewContext returns a ctx for the call inv. The first one is a part of inv, which
// most often needs no other.
func NewContext(ctx context.Context, inv *Invocation) context.Context {
	if inv.made.Swap(true) {
		return &callContext{ctx, inv}
	}
	inv.first = callContext{ctx, inv}
	return &inv.first
}

// FromContext returns the call that ctx belongs to, or nil.
func FromContext(ctx context.Context) *Invocation {
	inv, _ := ctx.Value(invocationKey{}).(*Invocation)
	return inv
}

// Depth counts the calls that led to this one by Invoke; 1 for the first.
func (inv *Invocation) Depth() int {
	n := 0
	for ; inv != nil; inv = inv.Parent {
		n++
	}
	return n
}

// Blame remembers err as the fault of a link or the store, on this call and on
// those that led to it.
func (inv *Invocation) Blame(err error) {
	for ; inv != nil; inv = inv.Parent {
		inv.fault.CompareAndSwap(nil, &err)
	}
}

// Fault returns the first error that [Invocation.Blame] was given, or nil.
func (inv *Invocation) Fault() error {
	if p := inv.fault.Load(); p != nil {
		return *p
	}
	return nil
}

// NewOrigin returns an Origin whose Settle calls settle, for a trigger with
// autoAccept: false.
func NewOrigin(settle func(context.Context, Outcome) error) *Origin { return &Origin{settle: settle} }

// Later makes fill complete the origin when somebody asks for it by [Source], for
// what costs more than most functions need. It is called once, before the origin
// is shared.
func (o *Origin) Later(fill func(*Origin)) { o.later = fill }

func (o *Origin) complete() {
	if o.later != nil {
		o.asked.Do(func() { o.later(o) })
	}
}

// Settled reports whether Settle was called.
func (o *Origin) Settled() bool { return o.settled.Load() }
