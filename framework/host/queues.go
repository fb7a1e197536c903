package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/connections"
)

// Depth implements [admin.QueueViewer].
func (h *host) Depth(ctx context.Context, connection, queue string) (admin.QueueDepth, error) {
	depth, err := askQueue(ctx, h, connection, queue, "tells how much waits in a queue", connections.Gauge.Depth)
	return admin.QueueDepth{Connection: connection, Queue: queue, Depth: depth}, err
}

// BrowseQueue implements [admin.QueueViewer].
func (h *host) BrowseQueue(ctx context.Context, connection, queue string, skip, limit int) ([]admin.Message, error) {
	waiting, err := askQueue(ctx, h, connection, queue, "shows what waits in a queue", func(b connections.Browser, ctx context.Context, source any) ([]connections.Message, error) {
		return b.Browse(ctx, source, skip, limit)
	})
	shown := make([]admin.Message, len(waiting))
	for i := range waiting {
		shown[i] = shownMessage(queue, &waiting[i])
	}
	return shown, err
}

// askQueue asks the broker of a connection about a queue, over a connection of its
// own, if its driver has the ability T to do what is asked.
func askQueue[T, V any](ctx context.Context, h *host, connection, queue, what string, ask func(T, context.Context, any) (V, error)) (V, error) {
	var none V
	conn, err := h.dial(ctx, connection)
	if err != nil {
		return none, err
	}
	defer conn.Close()
	kind := h.config.Load().Connections[connection].Type
	able, ok := conn.(T)
	if !ok {
		return none, fmt.Errorf("%w: no connection of type %s %s: found %s", errors.ErrUnsupported, kind, what, connection)
	}
	source := h.drivers[kind].Source()
	source.(connections.Addressed).SetAddress(queue, false)
	v, err := ask(able, ctx, source)
	if _, wrong := errors.AsType[*connections.SettingError](err); wrong {
		return none, fmt.Errorf("%w: %w", admin.ErrBadRequest, err)
	}
	if errors.Is(err, connections.ErrNoQueue) {
		return none, fmt.Errorf("%w: %w", admin.ErrNotFound, err)
	}
	return v, err
}

// shownMessage returns a message from destination as an operator sees it.
func shownMessage(destination string, m *connections.Message) admin.Message {
	out := admin.Message{
		Destination: destination, ID: idText(m.ID), ContentType: m.ContentType,
		ReplyTo: m.ReplyTo, CorrelationID: idText(m.CorrelationID), Header: presentable(m.Header),
	}
	out.SetBody(m.Body)
	return out
}
