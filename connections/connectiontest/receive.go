package connectiontest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

func receivePromises() []promise {
	return []promise{{
		name:  "order",
		text:  "one receiver gets the messages of one sender in the order they were sent",
		check: checkOrder,
	}, {
		name:  "receive ends with ctx",
		text:  "Receive returns ctx's error soon after ctx ends, and the next one works",
		check: checkReceiveEndsWithCtx,
	}, {
		name:  "cancel storm",
		text:  "a Receive whose ctx ends takes nothing: every message arrives, once",
		check: checkCancelStorm,
	}, {
		name:  "prefetch",
		text:  "no more than prefetch messages are unsettled, and settling one makes room for the next",
		check: checkPrefetch,
	}, {
		name: "prefetch leaves the rest",
		text: "what is beyond one receiver's prefetch goes to another",
		unless: func(s *Subject) string {
			return cannot(s.Cannot.CountPrefetch, "bound what it hands out by messages")
		},
		check: checkPrefetchLeavesTheRest,
	}, {
		name:  "competing receivers",
		text:  "the receivers of one queue share its messages: each comes once, to one of them",
		check: checkCompeting,
	}, {
		name:   "selector",
		text:   "a selector receives what matches, and leaves the rest to others",
		unless: func(s *Subject) string { return unless(s.Selector != nil, "the broker does not select") },
		check:  checkSelector,
	}, {
		name:   "expiry",
		text:   "a message is not delivered after its TTL, and is before",
		unless: func(s *Subject) string { return cannot(s.Cannot.Expire, "expire messages") },
		check:  checkExpiry,
	}, {
		name:   "malformed",
		text:   "a message that cannot be understood is a Delivery that says so in Bad, and is rejected like any other",
		unless: func(s *Subject) string { return unless(s.Malformed != nil, "every message can be understood") },
		check:  checkMalformed,
	}}
}

func checkOrder(e *env) {
	const n = 100
	in := e.receiver(e.queue)
	s := e.sender(e.queue)
	e.send(s, numbered(n/2)...)
	for i := n / 2; i < n; i++ {
		e.send(s, text(fmt.Sprint(i)))
	}
	for i := range n {
		e.accept(in, fmt.Sprint(i))
	}
}

func checkReceiveEndsWithCtx(e *env) {
	in := e.receiver(e.queue)
	canceled, cancel := context.WithCancel(e.ctx)
	timer := time.AfterFunc(20*time.Millisecond, cancel)
	defer timer.Stop()
	short, cancelShort := context.WithTimeout(e.ctx, 20*time.Millisecond)
	defer cancelShort()
	for _, ctx := range []context.Context{canceled, canceled, short, short} { // running, and ended already
		err := e.within("receive with a ctx that ends", func() error { _, err := in.Receive(ctx); return err })
		if !errors.Is(err, ctx.Err()) || err == nil {
			e.fail("receive: got error %v, want ctx's: %v", err, ctx.Err())
		}
	}
	e.sendTo(e.queue, numbered(3)...)
	time.Sleep(20 * time.Millisecond) // so that a Receive that goes on takes one
	for i := range 3 {
		e.accept(in, fmt.Sprint(i))
	}
}

// checkCancelStorm receives with contexts that end at any moment of a message's
// arrival while another goroutine sends.
func checkCancelStorm(e *env) {
	const n = 60
	in := e.receiver(e.queue)
	s := e.sender(e.queue)
	sent := make(chan error, 1)
	go func() {
		var err error
		for _, m := range numbered(n) {
			err = errors.Join(err, send(e.ctx, s, m))
			time.Sleep(500 * time.Microsecond)
		}
		sent <- err
	}()
	seen := make(map[string]int)
	for i := range 200 {
		ctx, cancel := context.WithCancel(e.ctx)
		timer := time.AfterFunc(time.Duration(i%7)*100*time.Microsecond, cancel)
		d, err := in.Receive(ctx)
		switch {
		case err == nil:
			seen[string(d.Body)]++
			e.settle(d, framework.Accept)
		case !errors.Is(err, context.Canceled):
			e.fail("receive: got error %v, want that of ctx", err)
		}
		timer.Stop()
		cancel()
	}
	e.must("send", <-sent)
	rest, err := collect(e.ctx, in, n-len(seen))
	e.addUp(seen, rest)
	if err != nil {
		e.fail("receive: %v; %d of %d messages came", err, len(seen), n)
	}
	e.onceEach(n, seen)
	e.nothing(in, "every message has come")
}

func (e *env) addUp(seen, more map[string]int) {
	for body, times := range more {
		seen[body] += times
	}
}

// onceEach fails unless each of n numbered messages was seen once.
func (e *env) onceEach(n int, seen map[string]int) {
	for _, m := range numbered(n) {
		if times := seen[string(m.Body)]; times != 1 {
			e.fail("message %s came %d times, want 1 (%d of %d came)", m.Body, times, len(seen), n)
		}
	}
}

func checkPrefetch(e *env) {
	n := min(3, e.prefetch())
	in := e.receiverOn(e.dial(), e.source(e.queue), n)
	e.sendTo(e.queue, numbered(n+3)...)
	var held []connections.Delivery
	for range n {
		held = append(held, e.receive(in))
	}
	e.nothing(in, fmt.Sprintf("%d messages were unsettled, and the prefetch was that", n))
	for i := n; i < n+3; i++ {
		e.settle(held[0], framework.Accept)
		held = append(held[1:], e.receive(in))
	}
	e.nothing(in, fmt.Sprintf("%d messages were unsettled, and the prefetch was that", n))
	for _, d := range held {
		e.settle(d, framework.Accept)
	}
}

func checkPrefetchLeavesTheRest(e *env) {
	n := min(3, e.prefetch())
	first := e.receiverOn(e.dial(), e.source(e.queue), n)
	e.sendTo(e.queue, numbered(n+2)...)
	seen := make(map[string]int)
	for range n {
		seen[string(e.receive(first).Body)]++
	}
	second := e.receiver(e.queue)
	rest, err := collect(e.ctx, second, 2)
	if err != nil {
		e.fail("another receiver: %v, though %d messages were beyond the first one's prefetch", err, 2-len(rest))
	}
	e.addUp(seen, rest)
	e.onceEach(n+2, seen)
}

func checkCompeting(e *env) {
	const n, receivers = 90, 3
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	came, errs := make(chan string, 10*n), make(chan error, receivers)
	for range receivers {
		in := e.receiver(e.queue)
		go func() { errs <- accepting(ctx, in, came) }()
	}
	e.sendTo(e.queue, numbered(n)...)
	seen := e.cameIn(came, n)
	time.Sleep(e.subject.quiet()) // for what comes twice
	cancel()
	for range receivers {
		if err := <-errs; !errors.Is(err, context.Canceled) {
			e.fail("receive: %v", err)
		}
	}
	close(came)
	for body := range came {
		seen[body]++
	}
	e.onceEach(n, seen)
}

// accepting accepts messages, and tells of each, until ctx ends.
func accepting(ctx context.Context, in inbox, came chan<- string) error {
	for {
		d, err := in.Receive(ctx)
		if err != nil {
			return err
		}
		if err := d.Settle(context.WithoutCancel(ctx), framework.Accept); err != nil {
			return err
		}
		came <- string(d.Body)
	}
}

// cameIn returns how often each body was among the first n.
func (e *env) cameIn(came <-chan string, n int) map[string]int {
	timer := time.NewTimer(arrival)
	defer timer.Stop()
	seen := make(map[string]int)
	for i := range n {
		select {
		case body := <-came:
			seen[body]++
		case <-timer.C:
			e.fail("%d of %d messages came within %v", i, n, arrival)
		}
	}
	return seen
}

func checkSelector(e *env) {
	var messages []connections.Message
	for _, colour := range []string{"red", "blue", "red", "green"} {
		m := text(colour)
		m.Header = map[string]any{"colour": colour}
		messages = append(messages, m)
	}
	red := e.receiverOn(e.dial(), addressed(e.subject.Selector("colour = 'red'"), e.queue), e.prefetch())
	e.sendTo(e.queue, messages...)
	e.accept(red, "red")
	e.accept(red, "red")
	e.nothing(red, "nothing else matches the selector")
	e.must("close", red.Close())
	e.must("close", red.conn.Close())
	seen, err := collect(e.ctx, e.receiver(e.queue), 2)
	e.must("receive without a selector", err)
	if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, []string{"blue", "green"}) {
		e.fail("got %q without a selector, want the rest: blue, green", got)
	}
}

func checkExpiry(e *env) {
	short, long := text("short"), text("long")
	short.TTL, long.TTL = 200*time.Millisecond, time.Hour
	e.sendTo(e.queue, short, long, text("none"))
	time.Sleep(time.Second) // TTLs run by the broker's clock
	in := e.receiver(e.queue)
	e.accept(in, "long")
	e.accept(in, "none")
	e.nothing(in, "its TTL was over")
}

func checkMalformed(e *env) {
	e.ask(func(t testing.TB) { e.subject.Malformed(t, e.queue) })
	e.sendTo(e.queue, text("good"))
	in := e.receiver(e.queue)
	d, err := receive(e.ctx, in)
	e.must("receive what cannot be understood", err)
	if d.Bad == nil {
		e.fail("got no Bad for a message that cannot be understood")
	}
	o := framework.Reject
	if e.subject.Cannot.Reject {
		o = framework.Accept
	}
	e.settle(d, o)
	e.accept(in, "good")
	e.nothing(e.reopen(in), fmt.Sprintf("the malformed message was %v", o))
}
