package stomp_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	gostomp "github.com/go-stomp/stomp/v3"
	"github.com/go-stomp/stomp/v3/frame"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/stomp"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// kib is a persistent message of 1 KiB.
func kib() connections.Message { return connections.Message{Body: bytes.Repeat([]byte("x"), 1<<10)} }

// BenchmarkReceive compares this driver with go-stomp's own receive-and-ack loop
// at the same prefetch. One operation is one round of both; the figures of
// interest are the metrics, of which ratio is the median of the rounds.
func BenchmarkReceive(b *testing.B) {
	broker := services.Artemis(b)
	for _, prefetch := range []int{32, 100, 1000} {
		b.Run(fmt.Sprintf("prefetch=%d", prefetch), func(b *testing.B) {
			const n = 1500
			var c comparison
			for b.Loop() {
				queue := "q.bench." + rand.Text()
				fill(b, broker, queue, 2*n)
				c.add(n,
					func() { receiveOurs(b, broker, queue, prefetch, n) },
					func() { receiveRaw(b, broker, queue, prefetch, n) })
			}
			c.report(b)
		})
	}
}

// A comparison measures two ways of doing the same, in turn, so that what else
// the machine does hits both.
type comparison struct {
	ours, raw cost
	ratios    []float64 // of the rounds; more than 1: ours is faster
}

// A cost is time on the clock and on the processors.
type cost struct {
	messages  int
	wall, cpu time.Duration
}

func (c *comparison) add(messages int, ours, raw func()) {
	var o, r time.Duration
	if len(c.ratios)%2 == 0 {
		o, r = c.ours.add(messages, ours), c.raw.add(messages, raw)
	} else {
		r, o = c.raw.add(messages, raw), c.ours.add(messages, ours)
	}
	c.ratios = append(c.ratios, r.Seconds()/o.Seconds())
}

func (c *cost) add(messages int, f func()) time.Duration {
	start, cpu := time.Now(), cpuTime()
	f()
	took := time.Since(start)
	c.messages += messages
	c.wall += took
	c.cpu += cpuTime() - cpu
	return took
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (c *comparison) report(b *testing.B) {
	slices.Sort(c.ratios)
	b.ReportMetric(c.ratios[len(c.ratios)/2], "ratio")
	b.ReportMetric(float64(c.ours.messages)/c.ours.wall.Seconds(), "msg/s")
	b.ReportMetric(float64(c.raw.messages)/c.raw.wall.Seconds(), "raw-msg/s")
	b.ReportMetric(float64(c.ours.cpu.Microseconds())/float64(c.ours.messages), "cpu-µs/msg")
	b.ReportMetric(float64(c.raw.cpu.Microseconds())/float64(c.raw.messages), "raw-cpu-µs/msg")
	b.ReportMetric(0, "ns/op")
}

func benchConn(b testing.TB, broker services.Broker) connections.Conn {
	dial, err := stomp.Driver().Open("bench", &stomp.Connection{URL: "stomp://" + broker.STOMP, User: broker.User, Password: broker.Password})
	if err != nil {
		b.Fatal(err)
	}
	conn, err := dial(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	return conn
}

func fill(b testing.TB, broker services.Broker, queue string, n int) {
	conn := benchConn(b, broker)
	defer conn.Close()
	s, err := conn.Sender(b.Context(), &stomp.Target{Destination: connections.Destination{Queue: queue}})
	if err != nil {
		b.Fatal(err)
	}
	batch := make([]connections.Message, 200)
	for i := range batch {
		batch[i] = kib()
	}
	for ; n > 0; n -= len(batch) {
		for _, err := range s.Send(b.Context(), batch[:min(n, len(batch))]) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func receiveOurs(b *testing.B, broker services.Broker, queue string, prefetch, n int) {
	conn := benchConn(b, broker)
	defer conn.Close()
	r, err := conn.Receiver(b.Context(), &stomp.Source{Destination: connections.Destination{Queue: queue}}, prefetch)
	if err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	for range n {
		d, err := r.Receive(ctx)
		if err != nil {
			b.Fatal(err)
		}
		if err := d.Settle(ctx, framework.Accept); err != nil {
			b.Fatal(err)
		}
	}
}

func rawConn(b testing.TB, broker services.Broker) *gostomp.Conn {
	c, err := gostomp.Dial("tcp", broker.STOMP, gostomp.ConnOpt.Login(broker.User, broker.Password), gostomp.ConnOpt.Host("/"))
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func receiveRaw(b *testing.B, broker services.Broker, queue string, prefetch, n int) {
	c := rawConn(b, broker)
	defer c.Disconnect()
	sub, err := c.Subscribe("/queue/"+queue, gostomp.AckClientIndividual,
		gostomp.SubscribeOpt.Header("consumer-window-size", strconv.Itoa(prefetch*stomp.WindowPerMessage)))
	if err != nil {
		b.Fatal(err)
	}
	for range n {
		m := <-sub.C
		if m.Err != nil {
			b.Fatal(m.Err)
		}
		if err := c.Ack(m); err != nil {
			b.Fatal(err)
		}
	}
	go func() { // it must be read, or Disconnect hangs
		for range sub.C {
		}
	}()
}

// BenchmarkSend compares confirmed sends.
func BenchmarkSend(b *testing.B) {
	broker := services.Artemis(b)
	for _, concurrency := range []int{1, 8} {
		b.Run(fmt.Sprintf("concurrency=%d", concurrency), func(b *testing.B) {
			const n = 800
			var c comparison
			for b.Loop() {
				queue := "q.bench." + rand.Text()
				c.add(n,
					func() { sendOurs(b, broker, queue, concurrency, n) },
					func() { sendRaw(b, broker, queue, concurrency, n) })
				receiveOurs(b, broker, queue, 100, 2*n) // leave nothing behind
			}
			c.report(b)
		})
	}
}

func sendOurs(b *testing.B, broker services.Broker, queue string, concurrency, n int) {
	conn := benchConn(b, broker)
	defer conn.Close()
	senders := make([]connections.Sender, concurrency)
	for i := range senders {
		var err error
		if senders[i], err = conn.Sender(b.Context(), &stomp.Target{Destination: connections.Destination{Queue: queue}}); err != nil {
			b.Fatal(err)
		}
	}
	sideBySide(b, concurrency, n, func(i int) error {
		return senders[i].Send(context.Background(), []connections.Message{kib()})[0]
	})
}

func sendRaw(b *testing.B, broker services.Broker, queue string, concurrency, n int) {
	conns := make([]*gostomp.Conn, concurrency)
	for i := range conns {
		conns[i] = rawConn(b, broker)
		defer conns[i].Disconnect()
	}
	sideBySide(b, concurrency, n, func(i int) error {
		return conns[i].Send("/queue/"+queue, "", kib().Body, gostomp.SendOpt.Receipt, gostomp.SendOpt.Header("persistent", "true"),
			func(f *frame.Frame) error { f.Header.Set("destination-type", "ANYCAST"); return nil })
	})
}

// sideBySide runs do n times in all, from several goroutines that know their number.
func sideBySide(b *testing.B, goroutines, n int, do func(i int) error) {
	var wg sync.WaitGroup
	for i := range goroutines {
		wg.Go(func() {
			for range n / goroutines {
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
