package host

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/bindings"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
)

// Connect implements [Host.Connect].
func (h *host) Connect(cfg *config.Config) error {
	h.changing.Lock()
	defer h.changing.Unlock()
	if h.embed {
		if err := h.startEmbedded(cfg); err != nil {
			return err
		}
	}
	gateway, err := h.gateway(cfg)
	if err != nil {
		return err
	}
	old, oldStore := h.outputs.Load(), h.stored.Load()
	out, err := h.open(cfg, old, false)
	if err != nil {
		return err
	}
	store := oldStore
	if cfg.Store.URL != "" {
		if store, err = h.openStore(cfg); err != nil {
			return err
		}
	}
	h.stored.Store(store)
	h.outputs.Store(out)
	h.config.Store(cfg)
	h.http.Store(gateway)
	if store != oldStore {
		oldStore.close()
	}
	h.retire(old, out)
	h.progress.applied(cfg)
	return nil
}

// Ping connects to a connection's broker under an identity of its own and
// returns how long a round trip took.
func (h *host) Ping(ctx context.Context, connection string) (time.Duration, error) {
	conn, err := h.dial(ctx, connection)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	begin := time.Now()
	if p, ok := conn.(connections.Pinger); ok {
		if err := p.Ping(ctx); err != nil {
			return 0, fmt.Errorf("ping %s: %w", connection, err)
		}
	}
	return time.Since(begin), nil
}

// errNotStarted is returned while the host has no configuration yet.
var errNotStarted = errors.New("the host is not started")

// dial opens a connection for one use.
func (h *host) dial(ctx context.Context, connection string) (connections.Conn, error) {
	cfg := h.config.Load()
	if cfg == nil {
		return nil, errNotStarted
	}
	if _, ok := cfg.Connections[connection]; !ok {
		return nil, fmt.Errorf("%w: there is no connection %q", admin.ErrNotFound, connection)
	}
	dial, err := h.opened(cfg, connection)
	if err != nil {
		return nil, err
	}
	conn, err := dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", connection, err)
	}
	return conn, nil
}

// SendMessage sends m through a binding and returns its id. An operator may also
// name a connection instead of a binding.
func (h *host) SendMessage(ctx context.Context, binding string, m admin.Message) (string, error) {
	if m.ID == "" {
		m.ID = rand.Text()
	}
	o := framework.SendOptions{Header: m.Header, ContentType: m.ContentType, ID: m.ID, CorrelationID: m.CorrelationID, ReplyTo: m.ReplyTo}
	return m.ID, h.sending(func(out *outputs) error {
		b, err := h.binding(out, binding)
		if err != nil {
			return err
		}
		return b.Send(ctx, m.Destination, plainEvent(m), o)
	})
}

func (h *host) binding(out *outputs, name string) (*bindings.Binding, error) {
	if b := out.bindings[name]; b != nil {
		return b, nil
	}
	p := out.pools[name]
	if p == nil {
		return nil, fmt.Errorf("%w: there is no binding or connection %q", admin.ErrNotFound, name)
	}
	return &bindings.Binding{Name: name, Pool: p.Pool, Target: h.drivers[p.desired.Type].Target()}, nil
}

func plainEvent(m admin.Message) event.Event {
	ec := &event.EventContextV1{}
	if m.ContentType != "" {
		ec.DataContentType = &m.ContentType
	}
	return event.Event{Context: ec, DataEncoded: m.Body()}
}

// operatorPrefetch is how many messages an operator's receiving holds back from
// others while the first is shown.
const operatorPrefetch = 1

// Receive takes messages from a destination on a connection and hands each to f,
// until count were taken (0: no limit) or ctx ends. What f returned nil for is
// settled.
func (h *host) Receive(ctx context.Context, connection, destination string, count int, f func(admin.Message) error) error {
	conn, err := h.dial(ctx, connection)
	if err != nil {
		return err
	}
	defer conn.Close()
	source := h.drivers[h.config.Load().Connections[connection].Type].Source()
	source.(connections.Addressed).SetAddress(destination, false)
	recv, err := conn.Receiver(ctx, source, operatorPrefetch)
	if err != nil {
		return fmt.Errorf("receive from %s: %w", destination, err)
	}
	defer recv.Close()
	for n := 0; count == 0 || n < count; n++ {
		if err := h.receiveOne(ctx, recv, destination, f); err != nil {
			return err
		}
	}
	return nil
}

func (h *host) receiveOne(ctx context.Context, recv connections.Receiver, destination string, f func(admin.Message) error) error {
	d, err := recv.Receive(ctx)
	if err != nil {
		return fmt.Errorf("receive from %s: %w", destination, err)
	}
	if err := f(shownMessage(destination, &d.Message)); err != nil {
		return errors.Join(err, d.Settle(ctx, framework.Release))
	}
	return d.Settle(ctx, framework.Accept)
}

func idText(id any) string {
	if id == nil {
		return ""
	}
	return fmt.Sprint(id)
}

// Invoke calls a function and returns its reply, or nil.
func (h *host) Invoke(ctx context.Context, function string, m admin.Message) (*admin.Message, error) {
	if h.functions[function] == nil {
		return nil, fmt.Errorf("%w: there is no function %q", admin.ErrNotFound, function)
	}
	invoke := func() (*event.Event, error) { return h.Call(ctx, function, plainEvent(m)) }
	if m.As != "" {
		invoke = func() (*event.Event, error) { return h.invokeAs(ctx, function, m) }
	}
	out, err := invoke()
	if err != nil || out == nil {
		return nil, err
	}
	reply := admin.Message{ID: out.ID(), ContentType: out.DataContentType()}
	reply.SetBody(out.Data())
	return &reply, nil
}
