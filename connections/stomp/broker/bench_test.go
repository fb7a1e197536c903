package broker

import (
	"testing"

	"github.com/go-stomp/stomp/v3"
)

// BenchmarkQueue moves small messages from one connection of go-stomp's to
// another, each acknowledged by itself; 10,000 of them a second is the least
// that is good enough.
func BenchmarkQueue(b *testing.B) {
	address, err := Start(b.Context(), "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var conns [2]*stomp.Conn
	for i := range conns {
		c, err := stomp.Dial("tcp", address, stomp.ConnOpt.Logger(quiet{}))
		if err != nil {
			b.Fatal(err)
		}
		defer c.Disconnect()
		conns[i] = c
	}
	sub, err := conns[0].Subscribe("/queue/q", stomp.AckClientIndividual)
	if err != nil {
		b.Fatal(err)
	}
	body := make([]byte, 100)
	b.ReportAllocs()
	b.ResetTimer()
	sent := make(chan error, 1)
	go func() {
		for range b.N {
			if err := conns[1].Send("/queue/q", "text/plain", body); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	received := make(chan *stomp.Message, defaultPrefetch)
	go func() { // go-stomp stands still when acks wait behind messages that nobody takes
		for m := range sub.C {
			received <- m
		}
	}()
	for range b.N {
		m := <-received
		if m.Err != nil {
			b.Fatal(m.Err)
		}
		if err := conns[0].Ack(m); err != nil {
			b.Fatal(err)
		}
	}
	if err := <-sent; err != nil {
		b.Fatal(err)
	}
	rate := float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "msg/s")
	if b.N > 10_000 && rate < 10_000 {
		b.Errorf("got %.0f messages a second, want at least 10000", rate)
	}
}

// BenchmarkReceipts sends with a receipt each time.
func BenchmarkReceipts(b *testing.B) {
	address, err := Start(b.Context(), "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	c, err := stomp.Dial("tcp", address, stomp.ConnOpt.Logger(quiet{}))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Disconnect()
	for b.Loop() {
		if err := c.Send("/topic/nobody", "", nil, stomp.SendOpt.Receipt); err != nil {
			b.Fatal(err)
		}
	}
}
