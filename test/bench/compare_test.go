package bench

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/bindings"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/triggers"
)

// A receiveCase compares a trigger with a raw receive-and-acknowledge loop.
type receiveCase struct {
	driver   connections.Driver
	settings any
	fill     func(queue string, n int)
	raw      func(queue string, n, prefetch int)
}

const (
	rounds   = 5 // of each side, in turn; the median counts
	messages = 20_000
	prefetch = 100
)

var queues atomic.Int64

func newQueue() string { return fmt.Sprintf("q.bench.%d.%d", time.Now().UnixNano(), queues.Add(1)) }

// compareReceive reports the rate of a trigger, and its CPU time per message, as
// ratios to the raw loop's.
func compareReceive(b *testing.B, c receiveCase) {
	var raw, ours sample
	for range rounds {
		raw.add(messages, func(queue string) func() {
			c.fill(queue, messages)
			return func() { c.raw(queue, messages, prefetch) }
		})
		ours.add(messages, func(queue string) func() {
			c.fill(queue, messages)
			return func() { runTrigger(b, c, queue, messages) }
		})
	}
	report(b, raw, ours)
}

// runTrigger runs a trigger on queue until its function was called n times.
func runTrigger(b *testing.B, c receiveCase, queue string, n int) {
	dial, err := c.driver.Open("bench", c.settings)
	if err != nil {
		b.Fatal(err)
	}
	source := c.driver.Source()
	source.(connections.Addressed).SetAddress(queue, false)
	ctx, cancel := context.WithCancel(b.Context())
	left := n
	t := triggers.New(triggers.Spec{
		Name: "bench", Connection: "c", Destination: queue, Dial: dial, Source: source,
		Function: "f", Handler: framework.Sink(func(context.Context, event.Event) error {
			if left--; left == 0 {
				cancel()
			}
			return nil
		}),
		Retry: framework.RetryPolicy{Attempts: 5}, Concurrency: 1, Prefetch: prefetch,
		Timeout: 30 * time.Second, Grace: 25 * time.Second, Log: slog.New(slog.DiscardHandler),
	})
	if err := t.Run(ctx); err != nil || left != 0 {
		b.Fatalf("%v, %d left", err, left)
	}
}

// A sendCase compares a binding's Send with the raw client's confirmed send.
type sendCase struct {
	driver   connections.Driver
	settings any
	raw      func(queue string, n, concurrency int)
	drain    func(queue string, n int)
}

const sends = 1600

func compareSend(b *testing.B, c sendCase) {
	for _, concurrency := range []int{1, 8} {
		b.Run(fmt.Sprintf("concurrency=%d", concurrency), func(b *testing.B) {
			dial, err := c.driver.Open("bench", c.settings)
			if err != nil {
				b.Fatal(err)
			}
			pool := bindings.NewPool("c", dial, connections.Reconnect{})
			defer pool.Close()
			binding := &bindings.Binding{Name: "out", Pool: pool, Target: c.driver.Target()}
			var raw, ours sample
			for range rounds {
				queue := raw.add(sends, func(queue string) func() { return func() { c.raw(queue, sends, concurrency) } })
				c.drain(queue, sends)
				queue = ours.add(sends, func(queue string) func() {
					return func() { sendAll(b, binding, queue, sends, concurrency) }
				})
				c.drain(queue, sends)
			}
			report(b, raw, ours)
		})
	}
}

func sendAll(b *testing.B, binding *bindings.Binding, queue string, n, concurrency int) {
	body := make([]byte, 1024)
	var wg sync.WaitGroup
	for range concurrency {
		wg.Go(func() {
			for range n / concurrency {
				ev, err := framework.Data(body)
				if err == nil {
					err = binding.Send(b.Context(), queue, ev, framework.SendOptions{})
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// A sample holds the time and CPU time per message of each round.
type sample struct{ wall, cpu []time.Duration }

// add measures what prepare returns, on a fresh queue, which it returns.
func (s *sample) add(n int, prepare func(queue string) func()) string {
	queue := newQueue()
	work := prepare(queue)
	cpu, begin := cpuTime(), time.Now()
	work()
	s.wall = append(s.wall, time.Since(begin)/time.Duration(n))
	s.cpu = append(s.cpu, (cpuTime()-cpu)/time.Duration(n))
	return queue
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

// cpuTime is what this process has used, in user and system.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// report gives the medians and their ratios. A rate ratio of 1 is as fast as
// raw; a cpu ratio of 1 costs as much.
func report(b *testing.B, raw, ours sample) {
	b.ReportMetric(float64(median(raw.wall))/float64(median(ours.wall)), "rate-ratio")
	b.ReportMetric(float64(median(ours.cpu))/float64(median(raw.cpu)), "cpu-ratio")
	b.ReportMetric(float64(median(raw.wall).Nanoseconds()), "raw-ns/msg")
	b.ReportMetric(float64(median(ours.wall).Nanoseconds()), "ours-ns/msg")
	b.ReportMetric(float64(median(raw.cpu).Nanoseconds()), "raw-cpu-ns/msg")
	b.ReportMetric(0, "ns/op") // hides a figure that says nothing here
}
