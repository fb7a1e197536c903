// Command app is the program that the browser tests look at: functions that
// answer, that fail for good, that take their time and that publish.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/host"
)

// An order is what most of the functions get.
type order struct {
	ID    string  `json:"id"`
	Total float64 `json:"total"`
}

// received sends an order on and publishes its invoice. One with a negative total
// fails for good.
func received(ctx context.Context, o order) error {
	if o.Total < 0 {
		return framework.Terminal(fmt.Errorf("order %s has a negative total: %.2f", o.ID, o.Total))
	}
	if err := framework.Send(ctx, "shipping", "", o); err != nil {
		return err
	}
	return framework.Publish(ctx, "topic:orders.accepted", o)
}

// price answers with an order's price.
func price(_ context.Context, o order) (map[string]any, error) {
	const vat = 1.19
	return map[string]any{"id": o.ID, "gross": o.Total * vat, "currency": "EUR"}, nil
}

// invoice takes a while.
func invoice(ctx context.Context, _ order) error {
	select {
	case <-time.After(20 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// nightly never works.
func nightly(context.Context, struct{}) error { return errors.New("the archive is full") }

func main() {
	host.Main(framework.Functions{
		"order.received": framework.Sink(received),
		"order.price":    framework.Func(price),
		"invoice.create": framework.Sink(invoice),
		"archive":        framework.Sink(nightly),
	})
}
