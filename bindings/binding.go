// Package bindings sends what functions hand out. A [Binding] is a named output
// of the configuration; a [Pool] is the sending side of one connection, with
// senders that are opened when they are first needed, used again, and closed
// when they are idle. Nothing counts as sent before the broker confirmed it.
package bindings

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// A Binding is a named output: a connection, and maybe a fixed destination.
type Binding struct {
	Name   string
	Pool   *Pool
	Target any // settings from the driver's Target; a connections.Addressed
}

// Send sends ev to destination, or to the fixed one if destination is "". It
// returns as [framework.Send] does. ctx may carry the invocation whose event is
// relayed.
func (b *Binding) Send(ctx context.Context, destination string, ev event.Event, o framework.SendOptions) error {
	to, m, err := b.prepare(ctx, destination, ev, o)
	if err != nil {
		return err
	}
	return b.explain(to.name, b.Pool.Send(ctx, to, m))
}

// prepare returns what Send sends, and where.
func (b *Binding) prepare(ctx context.Context, destination string, ev event.Event, o framework.SendOptions) (Target, connections.Message, error) {
	to, err := b.at(destination)
	if err != nil {
		return to, connections.Message{}, err
	}
	m, err := Message(ctx, ev, o)
	if err != nil {
		err = fmt.Errorf("send to %s %s: %w", b.Name, to.name, err)
	}
	return to, m, err
}

// SendBy is [Binding.Send] for one who sends by himself: send gets the settings
// of the target, and the message.
func (b *Binding) SendBy(ctx context.Context, destination string, ev event.Event, o framework.SendOptions, send func(target any, m connections.Message) error) error {
	to, m, err := b.prepare(ctx, destination, ev, o)
	if err != nil {
		return err
	}
	if err = send(to.settings, m); err != nil && !framework.IsTerminal(err) {
		err = unavailable(err)
	}
	return b.explain(to.name, err)
}

// Prepare returns the message that [Binding.Send] would send, for one who sends
// it later by [Binding.SendMessages]. It refuses a destination that Send would.
func (b *Binding) Prepare(ctx context.Context, destination string, ev event.Event, o framework.SendOptions) (connections.Message, error) {
	_, m, err := b.prepare(ctx, destination, ev, o)
	return m, err
}

// SendMessages sends messages as they are to one destination, in order, and
// returns an error for each.
func (b *Binding) SendMessages(ctx context.Context, destination string, batch []connections.Message) []error {
	to, err := b.at(destination)
	if err != nil {
		return slices.Repeat([]error{err}, len(batch))
	}
	errs := b.Pool.SendBatch(ctx, to, batch)
	for i, err := range errs {
		errs[i] = b.explain(to.name, err)
	}
	return errs
}

// SendMessage sends m as it is, as Send sends an event.
func (b *Binding) SendMessage(ctx context.Context, destination string, m connections.Message) error {
	to, err := b.at(destination)
	if err != nil {
		return err
	}
	return b.explain(to.name, b.Pool.Send(ctx, to, m))
}

// at returns the target for one send.
func (b *Binding) at(destination string) (Target, error) {
	name, topic := b.Target.(connections.Addressed).Address()
	fixed := name
	if topic {
		fixed = "topic:" + name
	}
	switch {
	case fixed == "" && destination == "":
		return Target{}, framework.Terminal(fmt.Errorf("send to %s: no destination: the binding has none of its own, so the send must name one", b.Name))
	case fixed == "":
		return At(b.Name, b.Target, destination, false), nil
	case destination == "" || destination == fixed || destination == name:
		return Target{key: b.Name, name: fixed, settings: b.Target}, nil
	}
	return Target{}, framework.Terminal(fmt.Errorf("send to %s: the binding always sends to %s, not to %q; leave the destination empty", b.Name, fixed, destination))
}

// explain adds the names to the broker's refusal.
func (b *Binding) explain(destination string, err error) error {
	if refused, ok := errors.AsType[*framework.SendError](err); ok {
		e := *refused
		e.Binding, e.Destination = b.Name, destination
		return &e
	}
	if err != nil {
		return fmt.Errorf("send to %s %s: %w", b.Name, destination, err)
	}
	return nil
}

// Message returns the message that carries ev with the options o. If ev is the
// event that the function of ctx was called with, it is a relay: the headers and
// properties of the received message travel along.
func Message(ctx context.Context, ev event.Event, o framework.SendOptions) (connections.Message, error) {
	m, err := connections.Encode(ev)
	if err != nil {
		return m, err
	}
	if inv := framework.FromContext(ctx); inv != nil && inv.Source != nil && same(ev, inv.Event) {
		relay(&m, inv.Source)
	}
	if len(o.Header) > 0 && m.Header == nil {
		m.Header = make(map[string]any, len(o.Header))
	}
	maps.Copy(m.Header, o.Header)
	if o.ContentType != "" {
		m.ContentType = o.ContentType
	}
	if o.ID != "" {
		m.ID = o.ID
	}
	if o.CorrelationID != "" {
		m.CorrelationID = o.CorrelationID
	}
	m.ReplyTo, m.Key, m.Priority, m.TTL = o.ReplyTo, o.Key, o.Priority, o.TTL
	return m, nil
}

func same(a, b event.Event) bool {
	return !framework.Plain(a) && b.Context != nil && a.ID() == b.ID() && a.Source() == b.Source()
}

// relay copies what the received message carried besides the event. The headers
// of an HTTP request stay behind: they speak to us, and hold credentials.
func relay(m *connections.Message, from *framework.Origin) {
	if from.Connection == "" {
		return
	}
	m.Native = from.Native
	m.CorrelationID = from.CorrelationID
	if m.Header == nil {
		m.Header = make(map[string]any, len(from.Header))
	}
	for name, v := range from.Header {
		if _, ok := m.Header[name]; !ok && !connections.IsAttribute(name) && !connections.PerDelivery(name) {
			m.Header[name] = v
		}
	}
}
