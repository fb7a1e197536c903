package host

import (
	"context"
	"fmt"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/bindings"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/outbox"
)

// transactionKey finds the store whose transaction a ctx belongs to: Apply may
// have put another in its place.
type transactionKey struct{}

// storeOf returns the store for what is done with ctx.
func (h *host) storeOf(ctx context.Context) (*outbox.Store, error) {
	if s, ok := ctx.Value(transactionKey{}).(*outbox.Store); ok {
		return s, nil
	}
	return h.Store(ctx)
}

// inTransaction returns the store if ctx belongs to a transaction of it, or nil.
func inTransaction(ctx context.Context) *outbox.Store {
	if s, ok := ctx.Value(transactionKey{}).(*outbox.Store); ok && s.InTransaction(ctx) {
		return s
	}
	return nil
}

// outsideTransaction returns a ctx for what goes on aside, and outlives the
// transaction that ctx belongs to, if it does.
func outsideTransaction(ctx context.Context) context.Context {
	if inTransaction(ctx) == nil {
		return ctx
	}
	return outbox.WithoutTransaction(context.WithValue(ctx, transactionKey{}, nil))
}

// Publish implements [framework.Runtime].
func (h *host) Publish(ctx context.Context, target string, ev event.Event, o framework.PublishOptions) error {
	s, err := h.storeOf(ctx)
	if err != nil {
		return framework.Terminal(fmt.Errorf("publish to %s: %w", target, err))
	}
	if h.tracer == nil {
		_, err := s.Publish(ctx, target, ev, o)
		return err
	}
	return h.tracedSend(ctx, "publish", storeSystem, target, ev, o.Header, func(ctx context.Context, ev event.Event, header map[string]any) error {
		o.Header = header
		_, err := s.Publish(ctx, target, ev, o)
		return err
	})
}

// Transact implements [framework.Runtime].
func (h *host) Transact(ctx context.Context, in event.Event, work func(context.Context, pgx.Tx) (*event.Event, error)) (*event.Event, error) {
	s, err := h.storeOf(ctx)
	if err != nil {
		return nil, framework.Terminal(fmt.Errorf("transactional function: %w", err))
	}
	r := h.received(ctx, in)
	h.warnUnstable(ctx, r)
	var reply *event.Event
	ran, err := s.Transact(context.WithValue(ctx, transactionKey{}, s), r, func(ctx context.Context, tx pgx.Tx) error {
		out, err := work(ctx, tx)
		if err != nil {
			return err
		}
		staged, err := h.stageReply(ctx, s, out)
		if !staged {
			reply = out
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if !ran {
		h.log.InfoContext(ctx, "the effects of this event are committed already, so its function was not run again")
	}
	return reply, nil
}

// received is the identity of in, by which the store knows whether it is done.
// A function that was invoked by another has its own memory.
func (h *host) received(ctx context.Context, in event.Event) outbox.Received {
	inv, o := framework.FromContext(ctx), framework.Source(ctx)
	r := outbox.Received{
		Trigger: o.Trigger, Source: in.Source(), ID: in.ID(), Data: in.Data(),
		Unstable: o.UnstableID, Replayed: o.Replayed,
	}
	if r.Trigger == "" { // by HTTP
		r.Trigger = "http"
	}
	if o.Trigger == "" || inv != nil && inv.Parent != nil {
		r.Trigger += "/" + inv.Function
		r.Unstable = r.Unstable || strings.HasPrefix(in.Type(), "fairlead.") // its id is our own, and random
	}
	return r
}

// warnUnstable says, once for each trigger, that events which come again cannot
// be recognised.
func (h *host) warnUnstable(ctx context.Context, r outbox.Received) {
	o := framework.Source(ctx)
	if !r.Unstable || o.Connection == "" {
		return
	}
	if _, warned := h.warned.LoadOrStore(r.Trigger, true); !warned {
		h.log.WarnContext(ctx, "a transactional function gets messages without an id that survives a redelivery, so its effects may happen twice; name a header that has one, eventId: header:NAME", "trigger", o.Trigger)
	}
}

// stageReply stages a function's answer in its transaction. It reports false
// where nobody on a broker waits for one: then the answer is the caller's.
func (h *host) stageReply(ctx context.Context, s *outbox.Store, out *event.Event) (staged bool, err error) {
	inv, o := framework.FromContext(ctx), framework.Source(ctx)
	if out == nil || inv.Parent != nil || o.Connection == "" {
		return false, nil
	}
	t := h.config.Load().Triggers[o.Trigger]
	place := outbox.Send{Binding: repliesOf(o.Connection), Destination: o.ReplyTo, Native: true}
	switch {
	case o.ReplyTo != "":
	case t.ReplyTo != "":
		place.Destination, place.Native = t.ReplyTo, false
	case t.Reply != "":
		place = outbox.Send{}
		place.Binding, place.Destination, _ = strings.Cut(t.Reply, "/")
	default:
		return false, nil
	}
	m, err := connections.Encode(*out)
	if err != nil {
		return false, fmt.Errorf("reply: %w", err)
	}
	m.CorrelationID = o.Correlate
	place.Message = m
	return true, s.StageSend(ctx, place)
}

// repliesOf is the name under which answers on a connection are staged. No
// binding has such a name.
func repliesOf(connection string) string { return "reply:" + connection }

// stage stores what a function sends, to be sent after the commit.
func (h *host) stage(ctx context.Context, b *bindings.Binding, destination string, ev event.Event, o framework.SendOptions) error {
	m, err := b.Prepare(ctx, destination, ev, o)
	if err != nil {
		return err
	}
	s, err := h.storeOf(ctx)
	if err != nil {
		return framework.Terminal(fmt.Errorf("send to %s, which has outbox: true: %w", b.Name, err))
	}
	return s.StageSend(ctx, outbox.Send{Binding: b.Name, Destination: destination, Message: m})
}
