package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
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
	rounds   = 15 // of each side, in turn; the median counts
	messages = 5000
	prefetch = 100
)

var queues atomic.Int64

func newQueue() string { return fmt.Sprintf("q.bench.%d.%d", time.Now().UnixNano(), queues.Add(1)) }

// compareReceive reports the rate of a trigger, and its CPU time per message, as
// ratios to the raw loop's.
func compareReceive(b *testing.B, c receiveCase) {
	dial, err := c.driver.Open("bench", c.settings)
	if err != nil {
		b.Fatal(err)
	}
	turn := func(name string, work func(queue string) func()) contestant {
		return contestant{name, func() func() func() {
			queue := newQueue()
			c.fill(queue, messages)
			return func() func() { return work(queue) }
		}}
	}
	race(b, rounds, messages,
		turn("raw", func(queue string) func() {
			c.raw(queue, messages, prefetch)
			return nil
		}),
		turn("driver", func(queue string) func() { return drain(b, dial, c.source(queue), messages) }),
		turn("trigger", func(queue string) func() { return runTrigger(b, dial, c.source(queue), c.driver.Serial, messages) }),
	)
}

func (c receiveCase) source(queue string) any {
	source := c.driver.Source()
	source.(connections.Addressed).SetAddress(queue, false)
	return source
}

// drain receives n messages with the driver alone. The function that it returns
// closes the connection.
func drain(b *testing.B, dial connections.Dial, source any, n int) (close func()) {
	conn, err := dial(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	r, err := conn.Receiver(b.Context(), source, prefetch)
	if err != nil {
		b.Fatal(err)
	}
	for range n {
		d, err := r.Receive(b.Context())
		if err == nil {
			err = d.Settle(b.Context(), framework.Accept)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	return func() {
		if err := errors.Join(r.Close(), conn.Close()); err != nil {
			b.Fatal(err)
		}
	}
}

// runTrigger runs a trigger on source until its function was called n times. The
// function that it returns waits until it has stopped.
func runTrigger(b *testing.B, dial connections.Dial, source any, serial bool, n int) (stopped func()) {
	queue, _ := source.(connections.Addressed).Address()
	ctx, cancel := context.WithCancel(b.Context())
	left := n
	t := triggers.New(triggers.Spec{
		Name: "bench", Connection: "c", Destination: queue, Dial: dial, Source: source, Serial: serial,
		Function: "f", Handler: framework.Sink(func(context.Context, event.Event) error {
			if left--; left == 0 {
				cancel()
			}
			return nil
		}),
		Retry: framework.RetryPolicy{Attempts: 5}, Concurrency: 1, Prefetch: prefetch,
		Timeout: 30 * time.Second, Grace: 25 * time.Second, Log: slog.New(slog.DiscardHandler),
	})
	done := make(chan error, 1)
	go func() { done <- t.Run(ctx) }()
	<-ctx.Done()
	return func() {
		if err := <-done; err != nil || left != 0 {
			b.Fatalf("%v, %d left", err, left)
		}
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
	s.measure(n, prepare(queue))
	return queue
}

func (s *sample) measure(n int, work func()) {
	cpu, begin := cpuTime(), time.Now()
	work()
	s.wall = append(s.wall, time.Since(begin)/time.Duration(n))
	s.cpu = append(s.cpu, (cpuTime()-cpu)/time.Duration(n))
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

// A contestant is one of those that are compared.
type contestant struct {
	name    string
	prepare func() (work func() (rest func())) // work is measured; the rest, if there is any, is not
}

// race lets each take its turn so often, in an order that changes, and reports
// the medians, and those of the ratios to the first one, pair by pair. A rate of 1
// is as fast; a cpu of 1 costs as much.
func race(b *testing.B, times, n int, turns ...contestant) {
	samples := make([]sample, len(turns))
	for round := range times + 1 {
		for i := range turns {
			which := (i + round) % len(turns)
			work := turns[which].prepare()
			var rest func()
			runtime.GC() // of what prepare has left
			samples[which].measure(n, func() { rest = work() })
			if rest != nil {
				rest()
			}
		}
	}
	for i := range samples {
		s, name := &samples[i], turns[i].name
		s.wall, s.cpu = s.wall[1:], s.cpu[1:] // the first one warms up
		if i > 0 {
			b.ReportMetric(ratio(samples[0].wall, s.wall), name+"-rate")
			b.ReportMetric(ratio(s.cpu, samples[0].cpu), name+"-cpu")
		}
		b.ReportMetric(float64(median(s.wall).Nanoseconds()), name+"-ns/msg")
		b.ReportMetric(float64(median(s.cpu).Nanoseconds()), name+"-cpu-ns/msg")
	}
	b.ReportMetric(0, "ns/op") // hides a figure that says nothing here
}

func ratio(a, b []time.Duration) float64 {
	all := make([]float64, len(a))
	for i := range a {
		all[i] = float64(a[i]) / float64(b[i])
	}
	slices.Sort(all)
	return all[len(all)/2]
}
