package triggers_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/triggers"
)

// An endless broker delivers the same message for ever, at no cost.
type endless struct{ connections.Delivery }

func (e *endless) Receive(ctx context.Context) (connections.Delivery, error) {
	return e.Delivery, ctx.Err()
}
func (e *endless) Receiver(context.Context, any, int) (connections.Receiver, error) { return e, nil }
func (e *endless) Sender(context.Context, any) (connections.Sender, error)          { panic("not used") }
func (e *endless) Close() error                                                     { return nil }

// BenchmarkEngine measures what the engine itself adds to a message.
func BenchmarkEngine(b *testing.B) {
	e := &endless{connections.Delivery{
		Message: connections.Message{Body: make([]byte, 1024), ContentType: "application/octet-stream", Identity: "ID:1"},
		Settle:  func(context.Context, framework.Outcome) error { return nil },
	}}
	ctx, cancel := context.WithCancel(b.Context())
	left := b.N
	t := triggers.New(triggers.Spec{
		Name: "bench", Connection: "c", Destination: "q", Dial: func(context.Context) (connections.Conn, error) { return e, nil },
		Function: "f", Handler: framework.Sink(func(context.Context, event.Event) error {
			if left--; left == 0 {
				cancel()
			}
			return nil
		}),
		Concurrency: 1, Prefetch: 100, Timeout: 30 * time.Second, Grace: time.Second, Log: slog.New(slog.DiscardHandler),
	})
	b.ReportAllocs()
	if err := t.Run(ctx); err != nil {
		b.Fatal(err)
	}
}
