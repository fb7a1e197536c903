package connectiontest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

func closePromises() []promise {
	return []promise{{
		name:  "closing a conn gives back",
		text:  "closing a Conn gives back what was received and not settled, and what was prefetched",
		check: checkConnCloseGivesBack,
	}, {
		name: "closing a receiver gives back",
		text: "closing a Receiver gives back what was received and not settled, and what was prefetched",
		unless: func(s *Subject) string {
			return cannot(s.Cannot.ReleaseReceiver, "give back before the Conn is closed")
		},
		check: checkReceiverCloseGivesBack,
	}, {
		name: "closing is not counted",
		text: "what is given back by closing has no delivery counted",
		unless: func(s *Subject) string {
			return cannot(s.Cannot.Count || s.Cannot.CloseUncounted, "give back on closing without counting")
		},
		check: checkCloseNotCounted,
	}, {
		name:  "close twice",
		text:  "closing a Receiver, a Sender or a Conn again, in any order, is not an error",
		check: checkCloseTwice,
	}, {
		name:  "close while receiving",
		text:  "closing a Receiver or its Conn ends a Receive that waits, with ErrConnLost",
		check: checkCloseWhileReceiving,
	}, {
		name:  "use after close",
		text:  "whatever is used after its Conn was closed says ErrConnLost",
		check: checkUseAfterClose,
	}, {
		name:  "settle after close",
		text:  "settling after the Conn was closed is ErrConnLost, and the message is delivered again",
		check: checkSettleAfterClose,
	}, {
		name:   "close from all sides",
		text:   "a Conn and a Receiver may be closed at once, while deliveries are settled: each is done, or says ErrConnLost",
		unless: func(s *Subject) string { return cannot(s.Driver.Serial, "be used by two goroutines") },
		check:  checkCloseFromAllSides,
	}, {
		name:  "nothing left behind",
		text:  "closing a Conn ends every goroutine that it started",
		check: checkNothingLeftBehind,
	}}
}

func checkConnCloseGivesBack(e *env) {
	in := e.receiver(e.queue)
	e.sendTo(e.queue, numbered(5)...)
	e.receive(in)
	e.must("close", in.conn.Close())
	e.allCome(e.receiver(e.queue), 5)
}

func checkReceiverCloseGivesBack(e *env) {
	in := e.receiver(e.queue)
	e.sendTo(e.queue, numbered(5)...)
	e.receive(in)
	e.must("close", in.Close())
	e.allCome(e.receiver(e.queue), 5)
}

// allCome fails unless n numbered messages come, each once, and nothing else.
func (e *env) allCome(in inbox, n int) {
	seen, err := collect(e.ctx, in, n)
	if err != nil {
		e.fail("receive: %v; %d of %d messages came", err, len(seen), n)
	}
	e.onceEach(n, seen)
	e.nothing(in, "every message has come")
}

func checkCloseNotCounted(e *env) {
	in := e.receiver(e.queue)
	e.sendTo(e.queue, numbered(3)...)
	e.receive(in)
	e.leave(in)
	in = e.receiver(e.queue)
	for range 3 {
		d := e.receive(in)
		if d.Count != 0 {
			e.fail("got Count %d for message %s after a Receiver was closed, want 0", d.Count, d.Body)
		}
		e.settle(d, framework.Accept)
	}
}

func checkCloseTwice(e *env) {
	conn := e.dial()
	r := e.receiverOn(conn, e.source(e.queue), 1)
	late := e.receiverOn(e.dial(), e.source(e.queue), 1)
	s := e.senderOn(e.dial(), e.queue)
	for range 2 {
		e.must("close a receiver", r.Close())
		e.must("close a conn", conn.Close())
		e.must("close a sender", s.Close())
	}
	e.must("close a conn", late.conn.Close())
	late.Close() // may say that the Conn is lost, but not panic
	late.Close()
}

func checkCloseWhileReceiving(e *env) {
	for doing, closing := range map[string]func(inbox) error{
		"receive while the receiver is closed": func(in inbox) error { return in.Close() },
		"receive while the conn is closed":     func(in inbox) error { return in.conn.Close() },
	} {
		in := e.receiver(e.queue)
		received := e.receiving(e.ctx, in)
		e.must(doing, e.within("close", func() error { return closing(in) }))
		e.wantLost(doing, e.within(doing, func() error { return (<-received).err }))
	}
}

// uses is every use of a Conn and what came from it.
func (e *env) uses(in inbox, s connections.Sender) map[string]func() error {
	uses := map[string]func() error{
		"receive": func() error { _, err := in.Receive(e.ctx); return err },
		"send":    func() error { return send(e.ctx, s, text("a")) },
		"receiver": func() error {
			_, err := in.conn.Receiver(e.ctx, in.source, 1)
			return err
		},
		"sender": func() error {
			_, err := in.conn.Sender(e.ctx, addressed(e.subject.Driver.Target(), e.queue))
			return err
		},
	}
	if p, ok := in.conn.(connections.Pinger); ok {
		uses["ping"] = func() error { return p.Ping(e.ctx) }
	}
	return uses
}

func checkUseAfterClose(e *env) {
	in := e.receiver(e.queue)
	s := e.senderOn(in.conn, e.queue)
	e.must("close", in.conn.Close())
	for doing, use := range e.uses(in, s) {
		doing += " after close"
		e.wantLost(doing, e.within(doing, use))
	}
	if w, ok := in.conn.(connections.Watched); ok {
		e.ends("Done of a closed conn", w.Done())
	}
}

func (e *env) ends(what string, done <-chan struct{}) {
	timer := time.NewTimer(arrival)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		e.fail("%s did not end within %v", what, arrival)
	}
}

func checkSettleAfterClose(e *env) {
	for _, o := range []framework.Outcome{framework.Accept, framework.Release} {
		e.sendTo(e.queue, text(fmt.Sprint(o)))
		in := e.receiver(e.queue)
		d := e.receive(in)
		e.must("close", in.conn.Close())
		e.wantLost("settle after close", e.within("settle after close", func() error { return d.Settle(e.ctx, o) }))
		in = e.receiver(e.queue)
		e.accept(in, fmt.Sprint(o))
		e.must("close", in.conn.Close())
	}
}

func checkCloseFromAllSides(e *env) {
	const n = 8
	in := e.receiverOn(e.dial(), e.source(e.queue), n)
	e.sendTo(e.queue, numbered(n)...)
	all := []func() error{in.conn.Close, in.conn.Close, in.Close}
	var d connections.Delivery
	for range n {
		d = e.receive(in)
		all = append(all, lostOr(e.ctx, d.Settle))
	}
	slices.Reverse(all)
	e.must("close and settle", e.within("closing and settling", func() error { return together(all[1:]...) }))
	e.wantLost("settle after close", e.within("settle after close", func() error { return d.Settle(e.ctx, framework.Accept) }))
	e.within("close again", in.Close)
}

// lostOr accepts a delivery, or finds its connection lost.
func lostOr(ctx context.Context, settle func(context.Context, framework.Outcome) error) func() error {
	return func() error {
		if err := settle(ctx, framework.Accept); !errors.Is(err, connections.ErrConnLost) {
			return err
		}
		return nil
	}
}

// checkNothingLeftBehind uses connections in most ways and looks for goroutines
// that were started by it, which are marked by a label that they inherit.
func checkNothingLeftBehind(e *env) {
	in := e.receiver(e.queue)
	s := e.sender(e.queue)
	e.send(s, numbered(8)...)
	e.settle(e.receive(in), framework.Accept)
	e.receive(in)
	e.nothing(e.receiver(e.newQueue()), "nothing was sent")
	e.must("close the sender", s.Close())
	e.closeAll()
	var left []string
	for range 100 {
		left = slices.DeleteFunc(e.goroutines(), func(stack string) bool {
			return strings.Contains(stack, "(*env).run+") // this one
		})
		if len(left) == 0 {
			return
		}
		time.Sleep(arrival / 100)
	}
	e.fail("%v after everything was closed there is still\n%s", arrival, strings.Join(left, "\n\n"))
}
