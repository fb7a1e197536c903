package bindings_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/bindings"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/memory"
	"github.com/fairlead/fairlead/framework"
)

// TestDrain drains a pool while a send waits for room in its queue.
func TestDrain(t *testing.T) {
	for name, room := range map[string]bool{"there is room in time": true, "there is none": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := new(memory.Broker)
				d := b.Driver()
				dial, err := d.Open("main", &memory.Connection{Limit: 1})
				if err != nil {
					t.Fatal(err)
				}
				pool := bindings.NewPool("main", dial, connections.Reconnect{})
				to := bindings.At("", d.Target(), "q", false)
				send := func() error { return pool.Send(t.Context(), to, connections.Message{Body: []byte("x")}) }
				if err := send(); err != nil {
					t.Fatal(err)
				}
				sent, drained := make(chan error, 1), make(chan error, 1)
				go func() { sent <- send() }()
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				go func() { drained <- pool.Drain(ctx) }()
				synctest.Wait()
				if err := send(); !errors.Is(err, bindings.ErrClosed) || !errors.Is(err, framework.ErrUnavailable) {
					t.Errorf("sending while it drains: got error %v, want ErrClosed and ErrUnavailable", err)
				}
				select {
				case err := <-drained:
					t.Fatalf("Drain returned %v while a send runs", err)
				default:
				}
				if room {
					if _, err := b.Take(t.Context(), "q"); err != nil {
						t.Fatal(err)
					}
				}
				if err := <-sent; (err == nil) != room {
					t.Errorf("the send that ran: got error %v, with room in time: %t", err, room)
				}
				if err := <-drained; err != nil {
					t.Errorf("Drain: %v", err)
				}
			})
		})
	}
}
