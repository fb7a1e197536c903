package host

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"

	"github.com/fairlead/fairlead/bindings"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/triggers"
)

// A host is the Runtime of the functions it runs.
var _ framework.Runtime = (*host)(nil)

// Types of the events that functions exchange without saying more.
const (
	invokeType = "fairlead.invoke"
	replyType  = "fairlead.reply"
)

// maxDepth is how many functions may invoke one another in a row; more is taken
// for a loop.
const maxDepth = 32

// Send implements [framework.Runtime].
func (h *host) Send(ctx context.Context, binding, destination string, data event.Event, o framework.SendOptions) error {
	if _, err := h.outputs.Load().binding(binding); err != nil {
		return err
	}
	return h.meters.binding(binding).count(func() error {
		if h.tracer == nil {
			return h.send(ctx, binding, destination, data, o)
		}
		return h.tracedSend(ctx, "send", h.systemOf(h.config.Load().Bindings[binding].Connection), cmp.Or(destination, binding), data, o.Header,
			func(ctx context.Context, data event.Event, header map[string]any) error {
				o.Header = header
				return h.send(ctx, binding, destination, data, o)
			})
	})
}

// binding returns a binding, or a Terminal error.
func (o *outputs) binding(name string) (*bindings.Binding, error) {
	b := o.bindings[name]
	if b == nil {
		names := slices.Sorted(maps.Keys(o.bindings))
		return nil, framework.Terminal(fmt.Errorf("send to %s: no such binding; there are: %s", name, strings.Join(names, ", ")))
	}
	return b, nil
}

func (h *host) send(ctx context.Context, binding, destination string, data event.Event, o framework.SendOptions) error {
	return h.sending(func(out *outputs) error {
		b, err := out.binding(binding)
		if err != nil {
			return err
		}
		if out.staged[binding] || inTransaction(ctx) != nil {
			return h.stage(ctx, b, destination, data, o)
		}
		if a, ok := b.Target.(connections.AtomicTarget); ok && a.WantsAtomic() {
			if sent, err := h.sendInUnit(ctx, b, destination, data, o); sent {
				return err
			}
		}
		return b.Send(ctx, destination, data, o)
	})
}

// sending calls send with what can be sent to now, and once more whenever a change
// closed that before anything was sent.
func (h *host) sending(send func(*outputs) error) error {
	for {
		out := h.outputs.Load()
		if err := send(out); !errors.Is(err, bindings.ErrClosed) || h.outputs.Load() == out {
			return err
		}
	}
}

// sendInUnit sends in the unit of work of the message that ctx's function works
// on. It reports false if there is none on the binding's connection.
func (h *host) sendInUnit(ctx context.Context, b *bindings.Binding, destination string, ev event.Event, o framework.SendOptions) (sent bool, err error) {
	err = b.SendBy(ctx, destination, ev, o, func(target any, m connections.Message) error {
		var err error
		sent, err = triggers.SendInUnit(ctx, h.config.Load().Bindings[b.Name].Connection, target, m)
		return err
	})
	return sent || err != nil, err
}

// Call implements [framework.Runtime].
func (h *host) Call(ctx context.Context, function string, data event.Event) (*event.Event, error) {
	f := h.functions[function]
	if f == nil {
		return nil, framework.Terminal(fmt.Errorf("invoke %s: there is no such function", function))
	}
	parent := framework.FromContext(ctx)
	inv := &framework.Invocation{Runtime: h, Function: function, Parent: parent}
	caller := "fairlead"
	if parent != nil {
		inv.Source, caller = parent.Source, parent.Function
	}
	if inv.Depth() > maxDepth {
		return nil, framework.Terminal(fmt.Errorf("invoke %s: %d functions have invoked one another in a row, which looks like a loop", function, maxDepth))
	}
	inv.Event = complete(data, invokeType, caller)
	ctx, cancel := h.bound(ctx, function)
	defer cancel()
	out, err := triggers.Call(framework.NewContext(ctx, inv), f, inv.Event)
	if err != nil || out == nil {
		return nil, err
	}
	reply := complete(*out, replyType, function)
	return &reply, nil
}

// bound limits a call to the function's timeout.
func (h *host) bound(ctx context.Context, function string) (context.Context, context.CancelFunc) {
	if d := h.timeout(function); d > 0 {
		return context.WithTimeout(ctx, d)
	}
	return context.WithCancel(ctx)
}

func (h *host) timeout(function string) time.Duration {
	if cfg := h.config.Load(); cfg != nil {
		return cfg.TimeoutOf(function)
	}
	return config.DefaultTimeout
}

// complete returns ev, or, if it is data alone, a CloudEvent with that data. The
// result shares nothing with ev that either may change.
func complete(ev event.Event, eventType, function string) event.Event {
	if !framework.Plain(ev) {
		return ev.Clone()
	}
	ec := &event.EventContextV1{
		ID: rand.Text(), Type: eventType,
		Source: types.URIRef{URL: url.URL{Path: "/functions/" + function}},
	}
	if ct := ev.DataContentType(); ct != "" {
		ec.DataContentType = &ct
	}
	return event.Event{Context: ec, DataEncoded: ev.Data()}
}

// Go implements [framework.Runtime].
func (h *host) Go(ctx context.Context, work func(context.Context)) error {
	return h.background.start(outsideTransaction(ctx), work)
}

// Settings implements [framework.Runtime].
func (h *host) Settings(_ context.Context, function string, v any) error {
	cfg := h.config.Load()
	if cfg == nil {
		return fmt.Errorf("settings: %w", errNotStarted)
	}
	if why := cfg.Locked(functionsKind, function); why != "" {
		return fmt.Errorf("settings of %s %w: %s", function, framework.ErrUnavailable, why)
	}
	settings := cfg.Functions[function].Settings
	if err := settings.Decode(v); err != nil {
		return framework.Terminal(fmt.Errorf("settings of %s: %w", function, err))
	}
	return nil
}
