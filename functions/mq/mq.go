// Package mq holds the two functions that most message-driven applications
// begin with: one that sends what it gets to a queue, and one that receives what
// a queue brings. Neither knows its broker.
package mq

import (
	"context"
	"log/slog"

	"github.com/fairlead/fairlead/framework"
)

// Functions are mq.sender and mq.receiver.
var Functions = framework.Functions{
	"mq.sender":   framework.Sink(Send),
	"mq.receiver": framework.Sink(Receive),
}

// Send sends what it gets to the queue CUSTOMER.1, in one line: binding,
// destination, data.
func Send(ctx context.Context, message string) error {
	return framework.Send(ctx, "customer.updates", "CUSTOMER.1", message)
}

// Receive logs what a channel brings, whatever the channel is.
func Receive(ctx context.Context, message string) error {
	slog.InfoContext(ctx, "received", "message", message, "from", framework.Source(ctx).Destination)
	return nil
}
