package host

import (
	"context"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// SinkFunction is the function of a Host that [NewSource] returns.
const SinkFunction = "sink"

// NewSource returns a Host that hands on what brokers deliver: its triggers name
// no function, and each message is a call of post, which is named [SinkFunction]
// in the configuration, the logs and the metrics. It has no store, and serves no
// function by HTTP.
func NewSource(post framework.Handler) *Host {
	h := newHost(framework.Functions{SinkFunction: post})
	h.sink = SinkFunction
	return &Host{h}
}

// replies returns what sends a trigger's answers: over its own connection, but
// those to messages without a reply-to to place, if the trigger has that.
func (h *host) replies(own ownOutput, place string) func(context.Context, string, bool, connections.Message) error {
	if place == "" {
		return own.send
	}
	return func(ctx context.Context, destination string, native bool, m connections.Message) error {
		if native {
			return own.send(ctx, destination, native, m)
		}
		return h.sendAt(ctx, place, m)
	}
}
