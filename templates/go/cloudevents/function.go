// Package function takes CloudEvents, from HTTP or a Knative broker, and answers
// with others.
package function

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/host"
)

// New returns what serves the functions. "fairlead run" and Knative's func call it.
func New() *host.Host { return host.New(Functions) }

// Functions are those of this program, by the names that they are called by.
var Functions = framework.Functions{"order.received": Received}

// An Order is the data of the events that come in.
type Order struct {
	ID    string  `json:"id"`
	Total float64 `json:"total"`
}

// An Invoice is the data of the events that go out.
type Invoice struct {
	Order  string  `json:"order"`
	Amount float64 `json:"amount"`
}

// Received answers an order with an invoice. An event whose data is no order
// will never be one: a Terminal error is answered with status 422, and a Knative
// broker then moves the event to its dead-letter sink without another try.
func Received(ctx context.Context, in event.Event) (*event.Event, error) {
	var o Order
	if err := in.DataAs(&o); err != nil {
		return nil, framework.Terminal(fmt.Errorf("event %s holds no order: %w", in.ID(), err))
	}
	if o.ID == "" {
		return nil, framework.Terminal(fmt.Errorf("event %s holds an order without an id", in.ID()))
	}
	slog.InfoContext(ctx, "received an order", "order", o.ID, "type", in.Type())

	out := event.New()
	out.SetID("invoice-" + o.ID) // the same when the event is delivered again
	out.SetSource("/orders")
	out.SetType("com.example.invoice.created")
	if err := out.SetData(event.ApplicationJSON, Invoice{Order: o.ID, Amount: o.Total}); err != nil {
		return nil, fmt.Errorf("write the invoice of order %s: %w", o.ID, err)
	}
	return &out, nil
}
