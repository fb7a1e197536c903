// Package function is called for every message of a queue. It knows neither the
// queue nor the broker; fairlead.yaml does.
package function

import (
	"context"
	"errors"
	"log/slog"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/host"
)

// New returns what serves the functions. "fairlead run" and Knative's func call it.
func New() *host.Host { return host.New(Functions) }

// Functions are those of this program, by the names that they are called by.
var Functions = framework.Functions{"order.received": framework.Sink(Received)}

// An Order is the body of a message, in JSON.
type Order struct {
	ID    string  `json:"id"`
	Total float64 `json:"total"`
}

// Received passes on an order that makes sense. The message is settled after it
// returned nil. After any other error it is called again, later; after a Terminal
// one never, and the message goes to the dead letters. It may see a message twice,
// as when the connection is lost before the broker hears that it is settled.
func Received(ctx context.Context, o Order) error {
	if o.Total < 0 {
		return framework.Terminal(errors.New("order " + o.ID + " has a negative total"))
	}
	from := framework.Source(ctx) // what a CloudEvent has no place for
	slog.InfoContext(ctx, "received an order", "order", o.ID, "from", from.Destination, "deliveries", from.Deliveries)
	return framework.Send(ctx, "accepted", "", o) // binding, destination (this one is fixed), data
}
