package connectiontest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

func settlePromises() []promise {
	return []promise{{
		name:  "accept",
		text:  "an accepted message is never delivered again",
		check: func(e *env) { e.settledForGood(framework.Accept) },
	}, {
		name:   "reject",
		text:   "a rejected message is never delivered again from the same queue",
		unless: func(s *Subject) string { return cannot(s.Cannot.Reject, "do away with a rejected message") },
		check:  func(e *env) { e.settledForGood(framework.Reject) },
	}, {
		name:  "release",
		text:  "a released message is delivered again, as it was",
		check: func(e *env) { e.deliveredAgain(framework.Release) },
	}, {
		name:  "modify",
		text:  "a message given back with a failure is delivered again, as it was",
		check: func(e *env) { e.deliveredAgain(framework.Modify) },
	}, {
		name:   "release is not counted",
		text:   "Count is 0 at first, and giving a message back does not raise it",
		unless: func(s *Subject) string { return cannot(s.releaseCounted(), "give back without counting") },
		check:  func(e *env) { e.counts(framework.Release, 0, 0, 0) },
	}, {
		name:   "modify is counted",
		text:   "Count is how often a delivery of the message failed before",
		unless: func(s *Subject) string { return cannot(s.Cannot.Count, "count deliveries") },
		check:  func(e *env) { e.counts(framework.Modify, 0, 1, 2) },
	}, {
		name:   "no count",
		text:   "where the broker does not count deliveries, Count is 0",
		unless: func(s *Subject) string { return unless(s.Cannot.Count, "the broker counts deliveries") },
		check:  func(e *env) { e.counts(framework.Modify, 0, 0) },
	}, {
		name:  "identity",
		text:  "a message has an identity that no other has and that stays the same when it is delivered again; where that cannot be, it has none",
		check: checkIdentity,
	}, {
		name:   "settle in any order",
		text:   "deliveries may be settled from any goroutine, in any order",
		unless: func(s *Subject) string { return cannot(s.Driver.Serial, "settle a message by itself") },
		check:  checkSettleAnyOrder,
	}, {
		name:   "settle only one",
		text:   "settling a delivery settles no other",
		unless: func(s *Subject) string { return cannot(s.Driver.Serial, "settle a message by itself") },
		check:  checkSettleOnlyOne,
	}, {
		name:   "settle while receiving",
		text:   "a Settle does not wait for a Receive that waits for a message",
		unless: func(s *Subject) string { return cannot(s.Driver.Serial, "be used by two goroutines") },
		check:  checkSettleWhileReceiving,
	}, {
		name:   "workers",
		text:   "while one goroutine receives, many settle, and each message comes once",
		unless: func(s *Subject) string { return cannot(s.Driver.Serial, "be used by two goroutines") },
		check:  checkWorkers,
	}}
}

func unless(flag bool, why string) string {
	if flag {
		return ""
	}
	return why
}

// releaseCounted says that a Release raises the count, or that there is none.
func (s *Subject) releaseCounted() bool {
	return s.Cannot.Count || s.Cannot.ReleaseUncounted || s.Cannot.CloseUncounted && (s.Cannot.ReleaseOne || s.Cannot.ReleaseReceiver)
}

func (e *env) settledForGood(o framework.Outcome) {
	in := e.receiver(e.queue)
	e.sendTo(e.queue, text("a"))
	e.settle(e.receive(in), o)
	e.nothing(in, fmt.Sprintf("the only message was %v", o))
	e.sendTo(e.queue, text("b"))
	e.settle(e.receive(in), o)
	in = e.reopen(in) // with nothing in between
	e.nothing(in, fmt.Sprintf("every message was %v before the receiver was closed", o))
	e.sendTo(e.queue, text("c"))
	e.accept(in, "c")
}

func (e *env) deliveredAgain(o framework.Outcome) {
	in := e.receiver(e.queue)
	m := text("a")
	m.Header = map[string]any{"colour": "red"}
	e.sendTo(e.queue, m)
	for range 2 {
		d := e.receive(in)
		e.same(d.Message, m)
		in = e.giveBack(in, d, o)
	}
	d := e.receive(in)
	e.same(d.Message, m)
	e.settle(d, framework.Accept)
	e.nothing(in, "the only message was accepted")
}

// counts gives one message back with o and wants those Counts.
func (e *env) counts(o framework.Outcome, want ...int) {
	in := e.receiver(e.queue)
	e.sendTo(e.queue, text("a"))
	for i, n := range want {
		d := e.receive(in)
		if d.Count != n {
			e.fail("got Count %d after it was %v %d times, want %d", d.Count, o, i, n)
		}
		in = e.giveBack(in, d, o)
	}
	e.accept(in, "a")
}

func checkIdentity(e *env) {
	in := e.receiver(e.queue)
	e.sendTo(e.queue, text("a"))
	first := e.receive(in)
	in = e.giveBack(in, first, framework.Release)
	again := e.accept(in, "a")
	e.sendTo(e.queue, text("a"))
	other := e.accept(in, "a")
	if e.subject.Cannot.KeepIdentity {
		if first.Identity != "" {
			e.fail("got identity %q, want none", first.Identity)
		}
		return
	}
	switch {
	case first.Identity == "":
		e.fail("got no identity")
	case again.Identity != first.Identity:
		e.fail("got identity %q when delivered again, want %q as before", again.Identity, first.Identity)
	case other.Identity == first.Identity:
		e.fail("got identity %q for two messages", other.Identity)
	}
}

// numbered returns n text messages, "0" to "n-1".
func numbered(n int) []connections.Message {
	messages := make([]connections.Message, n)
	for i := range messages {
		messages[i] = text(fmt.Sprint(i))
	}
	return messages
}

func checkSettleAnyOrder(e *env) {
	const n = 40
	in := e.receiverOn(e.dial(), e.source(e.queue), n)
	e.sendTo(e.queue, numbered(n)...)
	deliveries := make([]connections.Delivery, n)
	for i := range deliveries {
		deliveries[i] = e.receive(in)
	}
	settle := make([]func() error, n)
	for i := range settle {
		d := deliveries[(i*17+5)%n] // every one, in no order
		settle[i] = func() error { return d.Settle(e.ctx, framework.Accept) }
	}
	e.must("settle", together(settle...))
	in = e.reopen(in)
	e.nothing(in, "every message was accepted")
}

func checkSettleOnlyOne(e *env) {
	in := e.receiver(e.queue)
	e.sendTo(e.queue, numbered(5)...)
	unsettled := make(map[string]bool)
	for i := range 5 {
		d := e.receive(in)
		if i == 3 {
			e.settle(d, framework.Accept) // and not those before it
		} else {
			unsettled[string(d.Body)] = true
		}
	}
	in = e.reopen(in)
	for len(unsettled) > 0 {
		d := e.receive(in)
		if !unsettled[string(d.Body)] {
			e.fail("received %q again, want only what was unsettled", d.Body)
		}
		delete(unsettled, string(d.Body))
		e.settle(d, framework.Accept)
	}
	e.nothing(in, "every message was accepted")
}

func checkSettleWhileReceiving(e *env) {
	in := e.receiver(e.queue)
	s := e.sender(e.queue)
	for i := range 3 {
		e.send(s, text(fmt.Sprint(i)))
		d := e.receive(in)
		next := e.receiving(e.ctx, in)
		e.must("settle", e.within("settle while receiving", func() error { return d.Settle(e.ctx, framework.Accept) }))
		e.send(s, text("next"))
		r := <-next
		e.must("receive", r.err)
		e.settle(r.delivery, framework.Accept)
	}
}

func checkWorkers(e *env) {
	const n, workers = 300, 8
	in := e.receiverOn(e.dial(), e.source(e.queue), workers)
	e.sendTo(e.queue, numbered(n)...)
	work := make(chan connections.Delivery)
	errs := make([]error, workers)
	var working sync.WaitGroup
	for i := range workers {
		working.Go(func() {
			for d := range work {
				time.Sleep(time.Millisecond) // so that all are busy when one settles
				errs[i] = errors.Join(errs[i], d.Settle(e.ctx, framework.Accept))
			}
		})
	}
	seen := make(map[string]int)
	var err error
	for range n {
		var d connections.Delivery
		if d, err = receive(e.ctx, in); err != nil {
			break
		}
		seen[string(d.Body)]++
		work <- d
	}
	close(work)
	working.Wait()
	e.must("receive", err)
	e.must("settle", errors.Join(errs...))
	e.onceEach(n, seen)
	e.nothing(e.reopen(in), "every message was accepted")
}

// collect receives and accepts until n messages have come, and returns how often
// each body did. It may run on any goroutine.
func collect(ctx context.Context, r connections.Receiver, n int) (map[string]int, error) {
	seen := make(map[string]int)
	for range n {
		d, err := receive(ctx, r)
		if err != nil {
			return seen, err
		}
		seen[string(d.Body)]++
		if err := d.Settle(ctx, framework.Accept); err != nil {
			return seen, fmt.Errorf("settle: %w", err)
		}
	}
	return seen, nil
}
