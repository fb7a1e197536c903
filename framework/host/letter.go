package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
func (h *host) deadLetters(own ownOutput, source any, configured string, s *storage) triggers.DeadLetters {
	switch {
	case configured != "" && configured != storeName:
		return letterFunc(func(ctx context.Context, m connections.Message) error { return h.buryAt(ctx, configured, m) })
	case s != nil:
		return storeLetters{s, packer{own.driver, h.log}}
	}
	return letterFunc(func(ctx context.Context, m connections.Message) error { return own.bury(ctx, source, m) })
}

// buryAt sends a dead letter to BINDING or BINDING/DESTINATION.
func (h *host) buryAt(ctx context.Context, place string, m connections.Message) error {
	if err := h.sendAt(ctx, place, m); err != nil {
		return fmt.Errorf("dead letter: %w", err)
	}
	return nil
}

// sendAt sends a message to BINDING or BINDING/DESTINATION.
func (h *host) sendAt(ctx context.Context, place string, m connections.Message) error {
	name, to, _ := strings.Cut(place, "/")
	return h.sending(func(out *outputs) error {
		b := out.bindings[name]
		if b == nil {
			return fmt.Errorf("there is no binding %s any more", name)
		}
		return b.SendMessage(ctx, to, m)
	})
}

// A letterFunc sends dead letters to a broker.
type letterFunc func(context.Context, connections.Message) error

func (f letterFunc) Put(ctx context.Context, l triggers.Letter) error { return f(ctx, l.OnBroker()) }

// storeLetters keeps dead letters in the store.
type storeLetters struct {
	*storage
	packer
}

func (s storeLetters) Put(ctx context.Context, l triggers.Letter) error {
	return s.Bury(ctx, s.toStore(l))
}

// keeper is the store as a trigger knows it.
type keeper struct {
	*storage
	packer
}

var _ triggers.Store = keeper{}

// Park implements [triggers.Store]. While the store does not answer, it fails
// at once: the message can wait at its broker as well.
func (k keeper) Park(ctx context.Context, l triggers.Letter, delay time.Duration) error {
	if s := k.Store.Status(); s.State != outbox.Running {
		return fmt.Errorf("store %w: %w", framework.ErrUnavailable, errors.Join(s.Err))
	}
	return k.Store.Park(ctx, k.toStore(l), delay)
}

// A packer makes stored letters of those of a trigger, and the other way round.
type packer struct {
	driver connections.Driver // of the trigger's connection
	log    *slog.Logger
}

// maxPacked bounds what the store keeps of a message beyond its fields.
const maxPacked = 64 << 20

func (p packer) toStore(l triggers.Letter) outbox.Letter {
	return outbox.Letter{
		Trigger: l.Trigger, Function: l.Function, Connection: l.Connection, Destination: l.Destination,
		Message: p.packed(l.Message), Event: l.Event, Unstable: l.Unstable, Replayed: l.Replayed,
		Cause: l.Cause.Error(), Stack: stackOf(l.Cause), Attempts: l.Attempts, First: l.First, Last: l.Last,
	}
}

// packed returns m with its Native in a form that can be stored. What cannot be
// packed is no reason to lose the rest.
func (p packer) packed(m connections.Message) connections.Message {
	native := m.Native
	m.Native = nil
	if p.driver.Pack == nil || native == nil {
		return m
	}
	was := m
	was.Native = native
	packed, err := p.driver.Pack(&was)
	if err == nil && len(packed) > maxPacked {
		err = fmt.Errorf("found %d bytes, expected at most %d", len(packed), maxPacked)
	}
	switch {
	case err != nil:
		p.log.Warn("a message is stored without what only its broker's protocol knows", "id", m.ID, "err", err)
	case packed != nil:
		m.Native = connections.Packed(packed)
	}
	return m
}

func (p packer) fromStore(l *outbox.Letter) triggers.Letter {
	return triggers.Letter{
		Trigger: l.Trigger, Function: l.Function, Connection: l.Connection, Destination: l.Destination,
		Message: p.unpacked(l.Message), Event: l.Event, Unstable: l.Unstable, Replayed: l.Replayed,
		Cause: errors.New(l.Cause), Attempts: l.Attempts, First: l.First, Last: l.Last,
	}
}

// unpacked is the inverse of packed.
func (p packer) unpacked(m connections.Message) connections.Message {
	packed, ok := m.Native.(connections.Packed)
	m.Native = nil
	if !ok || p.driver.Unpack == nil { // the connection may be of another type by now
		return m
	}
	if err := p.driver.Unpack(packed, &m); err != nil {
		p.log.Warn("a stored message comes back without what only its broker's protocol knows", "id", m.ID, "err", err)
	}
	return m
}

// stackOf returns the stack of a panic in err, if there is one.
func stackOf(err error) string {
	if p, ok := errors.AsType[*triggers.PanicError](err); ok {
		return string(p.Stack)
	}
	return ""
}
