package host

import (
	"context"
	"fmt"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// fakeConnection is the name of the connection that a faked message came by.
const fakeConnection = "fake"

// invokeAs calls a function with the event of a message that seems to come from
// a broker of kind m.As: it is encoded and decoded as that kind's driver does.
func (h *host) invokeAs(ctx context.Context, function string, m admin.Message) (*event.Event, error) {
	d := h.drivers[m.As]
	if d.Fake == nil || m.Redelivered < 0 {
		return nil, fmt.Errorf("%w: as %q, redelivered %d: expected a kind of broker, and how often it delivered the message before", admin.ErrBadRequest, m.As, m.Redelivered)
	}
	sent, err := connections.Encode(plainEvent(m))
	if err != nil {
		return nil, err
	}
	sent.Header, sent.ReplyTo = m.Header, m.ReplyTo
	if m.ID != "" {
		sent.ID = m.ID
	}
	if m.CorrelationID != "" {
		sent.CorrelationID = m.CorrelationID
	}
	delivery, err := d.Fake(sent, m.Redelivered)
	if err == nil {
		err = delivery.Bad
	}
	if err != nil {
		return nil, fmt.Errorf("%w: a message as of %s: %w", admin.ErrBadRequest, m.As, err)
	}
	events, unstable, err := connections.NewCodec(fakeConnection, m.As).Decode(&delivery.Message)
	if err != nil {
		return nil, fmt.Errorf("%w: message not understood: %w", admin.ErrBadRequest, err)
	}
	origin := &framework.Origin{Connection: fakeConnection, Destination: m.As, Attempt: 1, UnstableID: unstable}
	delivery.Describe(origin)
	return h.callEach(framework.NewContext(ctx, &framework.Invocation{Runtime: h, Function: fakeConnection, Source: origin}), function, events)
}

// callEach calls a function with each event of a batch, up to the first that
// fails, and returns its last answer.
func (h *host) callEach(ctx context.Context, function string, events []event.Event) (out *event.Event, err error) {
	for _, ev := range events {
		if out, err = h.Call(ctx, function, ev); err != nil {
			return nil, err
		}
	}
	return out, nil
}
