package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/outbox"
	"github.com/fairlead/fairlead/triggers"
)

// storeName is what deadLetter calls the store.
const storeName = "store"

// deadLetters returns where dead letters go: the named binding, the store, or
// without one the queue beside the source.
func (h *Host) deadLetters(own ownOutput, source any, configured string, s *storage) triggers.DeadLetters {
	switch {
	case configured != "" && configured != storeName:
		return letterFunc(func(ctx context.Context, m connections.Message) error { return h.buryAt(ctx, configured, m) })
	case s != nil:
		return storeLetters{s}
	}
	return letterFunc(func(ctx context.Context, m connections.Message) error { return own.bury(ctx, source, m) })
}

// buryAt sends a dead letter to BINDING or BINDING/DESTINATION.
func (h *Host) buryAt(ctx context.Context, place string, m connections.Message) error {
	name, to, _ := strings.Cut(place, "/")
	b := h.outputs.Load().bindings[name] // Apply may replace it while the trigger runs
	if b == nil {
		return fmt.Errorf("dead letter: there is no binding %s any more", name)
	}
	return b.SendMessage(ctx, to, m)
}

// A letterFunc sends dead letters to a broker.
type letterFunc func(context.Context, connections.Message) error

func (f letterFunc) Put(ctx context.Context, l triggers.Letter) error { return f(ctx, l.OnBroker()) }

// storeLetters keeps dead letters in the store.
type storeLetters struct{ *storage }

func (s storeLetters) Put(ctx context.Context, l triggers.Letter) error {
	return s.Bury(ctx, toStore(l))
}

// keeper is the store as a trigger knows it.
type keeper struct{ *storage }

var _ triggers.Store = keeper{}

// Park implements [triggers.Store]. While the store does not answer, it fails
// at once: the message can wait at its broker as well.
func (k keeper) Park(ctx context.Context, l triggers.Letter, delay time.Duration) error {
	if s := k.Store.Status(); s.State != outbox.Running {
		return fmt.Errorf("store %w: %w", framework.ErrUnavailable, errors.Join(s.Err))
	}
	return k.Store.Park(ctx, toStore(l), delay)
}

// Mark implements [triggers.Store].
func (k keeper) Mark(ctx context.Context, trigger, source, id string) (int, error) {
	return k.Store.Mark(ctx, outbox.Received{Trigger: trigger, Source: source, ID: id})
}

// Unmark implements [triggers.Store].
func (k keeper) Unmark(ctx context.Context, trigger, source, id string) error {
	return k.Store.Unmark(ctx, outbox.Received{Trigger: trigger, Source: source, ID: id})
}

func toStore(l triggers.Letter) outbox.Letter {
	return outbox.Letter{
		Trigger: l.Trigger, Function: l.Function, Connection: l.Connection, Destination: l.Destination,
		Message: l.Message, Event: l.Event, Unstable: l.Unstable, Replayed: l.Replayed,
		Cause: l.Cause.Error(), Stack: stackOf(l.Cause), Attempts: l.Attempts, First: l.First, Last: l.Last,
	}
}

func fromStore(l *outbox.Letter) triggers.Letter {
	return triggers.Letter{
		Trigger: l.Trigger, Function: l.Function, Connection: l.Connection, Destination: l.Destination,
		Message: l.Message, Event: l.Event, Unstable: l.Unstable, Replayed: l.Replayed,
		Cause: errors.New(l.Cause), Attempts: l.Attempts, First: l.First, Last: l.Last,
	}
}

// stackOf returns the stack of a panic in err, if there is one.
func stackOf(err error) string {
	if p, ok := errors.AsType[*triggers.PanicError](err); ok {
		return string(p.Stack)
	}
	return ""
}
