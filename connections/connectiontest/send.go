package connectiontest

import (
	"context"
	"errors"
	"fmt"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

func sendPromises() []promise {
	return []promise{{
		name:  "batch",
		text:  "Send takes a batch, in order, and returns one result for each message",
		check: checkBatch,
	}, {
		name:   "refused in a batch",
		text:   "a message that the broker refuses is a SendError in its place, and no other's business",
		unless: func(s *Subject) string { return unless(s.Refused != nil, "no message is refused by itself") },
		check:  checkRefused,
	}, {
		name:  "senders side by side",
		text:  "several Senders of one Conn, each with its own goroutine, mix nothing up",
		check: checkSendersSideBySide,
	}, {
		name:   "conn side by side",
		text:   "several goroutines may open and use Receivers, or Senders, of one Conn at once",
		unless: func(s *Subject) string { return cannot(s.Driver.Serial, "be used by two goroutines") },
		check:  checkConnSideBySide,
	}, {
		name:  "send honours ctx",
		text:  "Send returns soon when ctx has ended, and never says nil for a message that does not arrive",
		check: checkSendHonoursCtx,
	}, {
		name: "send without a receiver",
		text: "what is sent to a queue waits there until someone receives",
		check: func(e *env) {
			s := e.sender(e.queue)
			e.send(s, text("a"))
			e.must("close the sender", s.Close())
			e.accept(e.receiver(e.queue), "a")
		},
	}}
}

func checkBatch(e *env) {
	s := e.sender(e.queue)
	if errs := s.Send(e.ctx, nil); len(errs) != 0 {
		e.fail("got %d results for an empty batch, want none", len(errs))
	}
	const n = 150
	e.send(s, numbered(n)...)
	in := e.receiver(e.queue)
	for i := range n {
		e.accept(in, fmt.Sprint(i))
	}
}

func checkRefused(e *env) {
	batch := numbered(5)
	e.subject.Refused(&batch[2])
	errs := e.sender(e.queue).Send(e.ctx, batch)
	if len(errs) != len(batch) {
		e.fail("got %d results for %d messages", len(errs), len(batch))
	}
	in := e.receiver(e.queue)
	for i, err := range errs {
		if i == 2 {
			var refused *framework.SendError
			if !errors.As(err, &refused) {
				e.fail("got error %v for the message that is refused, want a *framework.SendError", err)
			}
			continue
		}
		e.must(fmt.Sprintf("send message %d, while message 2 is refused", i), err)
		e.accept(in, fmt.Sprint(i))
	}
	e.nothing(in, "the message was refused")
}

func checkSendersSideBySide(e *env) {
	const each = 25
	conn := e.dial()
	queues, sending := make([]string, 4), make([]func() error, 4)
	for i := range queues {
		queues[i] = e.newQueue()
		s := e.senderOn(conn, queues[i])
		sending[i] = func() error {
			for j := 0; j < each; j += 5 {
				var batch []connections.Message
				for k := j; k < j+5; k++ {
					batch = append(batch, text(fmt.Sprintf("%d/%d", i, k)))
				}
				if err := send(e.ctx, s, batch...); err != nil {
					return err
				}
			}
			return nil
		}
	}
	e.must("send", together(sending...))
	for i, queue := range queues {
		in := e.receiver(queue)
		for j := range each {
			e.accept(in, fmt.Sprintf("%d/%d", i, j))
		}
		e.must("close", in.conn.Close())
	}
}

// checkConnSideBySide opens Senders of one Conn, and Receivers of another, at
// once, and uses each.
func checkConnSideBySide(e *env) {
	from, to := e.dial(), e.dial()
	use := make([]func() error, 4)
	for i := range use {
		queue := e.newQueue()
		use[i] = func() error { return e.sendAndReceive(to, from, queue) }
	}
	e.must("use Conns from several goroutines", together(use...))
}

// sendAndReceive sends the name of a queue to it, and receives it.
func (e *env) sendAndReceive(to, from connections.Conn, queue string) error {
	s, err := to.Sender(e.ctx, addressed(e.subject.Driver.Target(), queue))
	if err != nil {
		return err
	}
	r, err := from.Receiver(e.ctx, e.source(queue), 1)
	if err != nil {
		return err
	}
	if err := send(e.ctx, s, text(queue)); err != nil {
		return err
	}
	seen, err := collect(e.ctx, r, 1)
	if err == nil && seen[queue] != 1 {
		err = fmt.Errorf("received %v from queue %s, want what was sent there", seen, queue)
	}
	return err
}

func checkSendHonoursCtx(e *env) {
	s := e.sender(e.queue)
	ended, cancel := context.WithCancel(e.ctx)
	cancel()
	err := e.within("send with a ctx that has ended", func() error { return send(ended, s, text("ended")) })
	in := e.receiver(e.queue)
	if err == nil {
		e.accept(in, "ended")
		return
	}
	if !errors.Is(err, context.Canceled) && !errors.Is(err, connections.ErrConnLost) {
		e.fail("send with a ctx that has ended: got error %v, want ctx's or ErrConnLost", err)
	}
}
