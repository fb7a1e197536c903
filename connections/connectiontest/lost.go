package connectiontest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

func lostPromises() []promise {
	return []promise{{
		name:   "lost while receiving",
		text:   "a Receive that waits when the connection breaks says ErrConnLost",
		breaks: true,
		check:  checkLostWhileReceiving,
	}, {
		name:   "use of a lost conn",
		text:   "whatever is used after the connection broke says ErrConnLost, and Send never nil",
		breaks: true,
		check:  checkUseOfLost,
	}, {
		name:   "settle on a lost conn",
		text:   "settling after the connection broke is ErrConnLost, and the message is delivered again",
		breaks: true,
		check:  checkSettleOnLost,
	}, {
		name:   "watched",
		text:   "Done of a Conn is open while it lives and closed once it is lost",
		breaks: true,
		check:  checkWatched,
	}, {
		name:   "confirmed send survives",
		text:   "a message whose Send said nil is there after the connection broke",
		breaks: true,
		check:  checkConfirmedSurvives,
	}, {
		name:   "break while sending",
		text:   "when the connection breaks while messages are sent, every one that Send said nil for arrives",
		breaks: true,
		check:  checkBreakWhileSending,
	}, {
		name:   "close after a break",
		text:   "a lost Conn, its Receivers and its Senders can be closed, twice, without hanging",
		breaks: true,
		check:  checkCloseAfterBreak,
	}}
}

func checkLostWhileReceiving(e *env) {
	in := e.receiver(e.queue)
	received := e.receiving(e.ctx, in)
	e.breakAll()
	e.wantLost("receive while the connection breaks", e.within("receive on a lost conn", func() error { return (<-received).err }))
}

func checkUseOfLost(e *env) {
	in := e.receiver(e.queue)
	s := e.senderOn(in.conn, e.queue)
	e.breakAll()
	for doing, use := range e.uses(in, s) {
		doing += " after the connection broke"
		e.wantLost(doing, e.within(doing, use))
	}
}

func checkSettleOnLost(e *env) {
	in := e.receiver(e.queue)
	e.sendTo(e.queue, numbered(3)...)
	d := e.receive(in)
	e.breakAll()
	e.within("receive after the connection broke", func() error { return drain(e.ctx, in) }) // which may be how the driver learns of it
	e.wantLost("settle after the connection broke", e.within("settle", func() error { return d.Settle(e.ctx, framework.Accept) }))
	e.allCome(e.receiver(e.queue), 3)
}

// drain receives what a driver may have had when it lost its connection, and
// returns the error that comes after it.
func drain(ctx context.Context, in inbox) error {
	for {
		if _, err := in.Receive(ctx); err != nil {
			return err
		}
	}
}

func checkWatched(e *env) {
	conn := e.dial()
	w, ok := conn.(connections.Watched)
	if !ok {
		return // it is optional
	}
	select {
	case <-w.Done():
		e.fail("Done of a live conn is closed")
	default:
	}
	e.breakAll()
	e.ends("Done of a lost conn", w.Done())
}

func checkConfirmedSurvives(e *env) {
	for _, m := range numbered(10) {
		e.sendTo(e.queue, m)
		e.breakAll()
	}
	e.allCome(e.receiver(e.queue), 10)
}

// checkBreakWhileSending breaks the connection of a sender that never pauses, and
// goes on with a new one. What was not confirmed may come or not, but not twice.
func checkBreakWhileSending(e *env) {
	confirmed := make(map[string]bool)
	for i := range 4 {
		s := e.sender(e.queue)
		started, broken, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() { done <- sendAcross(e.ctx, s, i, started, broken, confirmed) }()
		e.ends("the first sends", started)
		e.breakAll()
		close(broken)
		e.must("send while the connection breaks", e.within("send", func() error { return <-done }))
	}
	e.confirmedCome(confirmed)
}

// sendAcross sends one message after the other until one is not confirmed, or
// some more were after broken was closed. It adds to confirmed, and closes
// started when it has begun.
func sendAcross(ctx context.Context, s connections.Sender, run int, started, broken chan struct{}, confirmed map[string]bool) error {
	begun := sync.OnceFunc(func() { close(started) })
	defer begun()
	for i, after := 0, 0; after < 20; i++ {
		if i == 3 {
			begun()
		}
		select {
		case <-broken:
			after++
		default:
		}
		body := fmt.Sprintf("%d/%d", run, i)
		if err := send(ctx, s, text(body)); errors.Is(err, connections.ErrConnLost) {
			return nil
		} else if err != nil {
			return fmt.Errorf("message %s: got error %w, want nil or ErrConnLost", body, err)
		}
		confirmed[body] = true
		runtime.Gosched() // a Send in memory lets nobody else run
	}
	return nil
}

// confirmedCome fails unless every confirmed message comes, once.
func (e *env) confirmedCome(confirmed map[string]bool) {
	in := e.receiver(e.queue)
	seen := make(map[string]bool)
	for len(confirmed) > 0 {
		d, err := receive(e.ctx, in)
		if err != nil {
			e.fail("%v; %d confirmed messages are missing", err, len(confirmed))
		}
		if seen[string(d.Body)] {
			e.fail("message %s came twice", d.Body)
		}
		seen[string(d.Body)] = true
		delete(confirmed, string(d.Body))
		e.settle(d, framework.Accept)
	}
}

func checkCloseAfterBreak(e *env) {
	in := e.receiver(e.queue)
	s := e.senderOn(in.conn, e.queue)
	e.sendTo(e.queue, text("a"))
	e.receive(in)
	e.breakAll()
	for range 2 {
		for doing, closing := range map[string]func() error{"close a lost receiver": in.Close, "close a lost sender": s.Close, "close a lost conn": in.conn.Close} {
			e.within(doing, closing) // an error is no news
		}
	}
}
