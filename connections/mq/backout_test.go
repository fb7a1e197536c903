package mq

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/connections/mq/rfh2"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/mqdouble/engine"
)

const deadLetters = "SYSTEM.DEAD.LETTER.QUEUE"

// poison defines a queue with a backout threshold of 2, puts one message there
// and gives it back until it is no longer delivered for processing.
func poison(t *testing.T, b bench, queue, backout string) (*receiver, connections.Delivery) {
	t.Helper()
	b.Define(queue, engine.Attributes{BackoutThreshold: 2, BackoutQueue: backout})
	if backout != "" {
		b.Define(backout, engine.Attributes{})
	}
	m := connections.Message{Body: []byte("poison"), Text: true, Header: map[string]any{"k": "v"}}
	if errs := b.sender(t, target(queue)).Send(t.Context(), []connections.Message{m}); errs[0] != nil {
		t.Fatal(errs[0])
	}
	r := b.receiver(t, source(queue))
	if limit, name := r.Backout(); limit != 2 || name != backout {
		t.Errorf("got backout threshold %d and queue %q, want 2 and %q", limit, name, backout)
	}
	for i := range 2 {
		d := receive(t, r)
		if d.Bad != nil || d.Count != i {
			t.Fatalf("delivery %d: got Count %d, Bad %v; want one to be processed", i+1, d.Count, d.Bad)
		}
		if err := d.Settle(t.Context(), framework.Modify); err != nil {
			t.Fatal(err)
		}
	}
	d := receive(t, r)
	if d.Bad == nil || d.Count != 2 || !strings.Contains(d.Bad.Error(), "backout threshold is 2") {
		t.Fatalf("third delivery: got Count %d, Bad %v; want one that is not to be processed", d.Count, d.Bad)
	}
	return r, d
}

// TestBackoutQueue moves a poison message as IBM's JMS classes do: to the
// backout queue as it is, in the context of who put it first.
func TestBackoutQueue(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		queue := queueName()
		r, d := poison(t, b, queue, queue+".BACKOUT")
		if err := d.Settle(t.Context(), framework.Reject); err != nil {
			t.Fatal(err)
		}
		wantNothing(t, r)
		wantDepth(t, b, queue, 0)
		wantDepth(t, b, deadLetters, 0)
		moved := b.Messages(queue + ".BACKOUT")
		if len(moved) != 1 {
			t.Fatalf("%d messages were moved, want 1", len(moved))
		}
		was, is := d.Native.(*Message), moved[0]
		if !bytes.Equal(is.Data, was.Data) {
			t.Errorf("got %q, want the same bytes %q", is.Data, was.Data)
		}
		want := was.MD
		want.BackoutCount = 0
		if is.MD != want {
			t.Errorf("got descriptor %+v, want %+v", is.MD, want)
		}
	})
}

// TestDeadLetterQueue has no backout queue, or one that takes nothing.
func TestDeadLetterQueue(t *testing.T) {
	for name, test := range map[string]struct {
		backout string
		reason  int32
	}{
		"no backout queue":   {"", mqi.MQRC_BACKOUT_THRESHOLD_REACHED},
		"full backout queue": {"FULL", mqi.MQRC_Q_FULL},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, config(), func(t *testing.T, b bench) {
				queue := queueName()
				b = b.as("consumer")
				_, d := poison(t, b, queue, test.backout)
				if test.backout != "" {
					b.Define(test.backout, engine.Attributes{MaxDepth: -1})
				}
				if err := d.Settle(t.Context(), framework.Reject); err != nil {
					t.Fatal(err)
				}
				wantDepth(t, b, queue, 0)
				checkDeadLetter(t, b, d, queue, test.reason)
			})
		})
	}
}

func checkDeadLetter(t *testing.T, b bench, d connections.Delivery, queue string, reason int32) {
	t.Helper()
	moved := b.Messages(deadLetters)
	if len(moved) != 1 {
		t.Fatalf("%d messages are on the dead-letter queue, want 1", len(moved))
	}
	was, is := d.Native.(*Message), moved[0]
	headers, next, _, err := rfh2.Split(rfh2.Layout{Format: is.MD.Format, Encoding: is.MD.Encoding, CCSID: is.MD.CodedCharSetID}, is.Data)
	if err != nil {
		t.Fatal(err)
	}
	dlh, ok := rfh2.DecodeDeadLetter(headers[0])
	if !ok {
		t.Fatalf("got header %s, want an MQDLH", headers[0].Format)
	}
	want := rfh2.DeadLetterHeader{
		Reason: reason, Queue: queue, QueueManager: "QM1",
		Next:        rfh2.Layout{Format: was.MD.Format, Encoding: was.MD.Encoding, CCSID: was.MD.CodedCharSetID},
		PutApplType: mqi.MQAT_UNIX, PutApplName: "consumer", PutDate: dlh.PutDate, PutTime: dlh.PutTime,
	}
	if *dlh != want {
		t.Errorf("got %+v, want %+v", dlh, want)
	}
	buried := (&mqi.MD{PutDate: dlh.PutDate, PutTime: dlh.PutTime}).PutAt()
	if age := time.Since(buried); buried.Before(was.MD.PutAt()) || age < 0 || age > time.Hour {
		t.Errorf("got time %v, want when it was put on the dead-letter queue", buried)
	}
	if len(headers) != 2 || next != was.next || !bytes.Equal(is.Data[172:], was.Data) {
		t.Errorf("got %d headers and %q behind the first, want the message as it was: %q", len(headers), is.Data[172:], was.Data)
	}
	if is.MD.MsgID != was.MD.MsgID || is.MD.PutApplName != was.MD.PutApplName || is.MD.UserIdentifier != was.MD.UserIdentifier {
		t.Errorf("got id %v, context %q %q; want those of the message: %+v", is.MD.MsgID, is.MD.PutApplName, is.MD.UserIdentifier, was.MD)
	}
}

// as is b for another application.
func (b bench) as(application string) bench {
	c := *b.settings
	c.ApplName = application
	b.settings = &c
	return b
}

// TestDeadLetterQueueItself rejects a message of the dead-letter queue, and one of
// a queue that is its own backout queue: neither may come again and again.
func TestDeadLetterQueueItself(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		b = b.as("consumer")
		send(t, b.sender(t, target(deadLetters)), "dead")
		if err := receive(t, b.receiver(t, source(deadLetters))).Settle(t.Context(), framework.Reject); err == nil {
			t.Error("a message of the dead-letter queue: got no error, though there is no queue for it")
		}
		accept(t, b.receiver(t, source(deadLetters)), "dead")
		queue := queueName()
		b.Define(queue, engine.Attributes{BackoutQueue: queue})
		send(t, b.sender(t, target(queue)), "a")
		d := receive(t, b.receiver(t, source(queue)))
		if err := d.Settle(t.Context(), framework.Reject); err != nil {
			t.Fatal(err)
		}
		checkDeadLetter(t, b, d, queue, mqi.MQFB_APPL_FIRST)
	})
}

// TestAlias has a queue with an alias, whose attributes count; if they may not be
// inquired, there are none.
func TestAlias(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		for _, secret := range []bool{false, true} {
			queue := queueName()
			b.Define(queue, engine.Attributes{BackoutThreshold: 2, BackoutQueue: queue + ".BACK", NoInquire: secret})
			b.Define(queue+".ALIAS", engine.Attributes{Base: queue})
			send(t, b.sender(t, target(queue+".ALIAS")), "a")
			r := b.receiver(t, source(queue+".ALIAS"))
			limit, name := r.Backout()
			if known := limit == 2 && name == queue+".BACK"; known == secret || secret && limit != 0 {
				t.Errorf("may not inquire: %v; got backout threshold %d and queue %q", secret, limit, name)
			}
			accept(t, r, "a")
			wantDepth(t, b, queue, 0)
		}
	})
}

// TestTerminal rejects a message at its first delivery.
func TestTerminal(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		queue := queueName()
		send(t, b.as("producer").sender(t, target(queue)), "a")
		d := receive(t, b.as("consumer").receiver(t, source(queue)))
		if err := d.Settle(t.Context(), framework.Reject); err != nil {
			t.Fatal(err)
		}
		checkDeadLetter(t, b, d, queue, mqi.MQFB_APPL_FIRST)
	})
}

// TestTerminalChanged rejects a message after its function has written over its
// data: the queue gets it as it came.
func TestTerminalChanged(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		for _, size := range []int{3, 2 * keepBuffer} {
			queue, body := queueName(), strings.Repeat("a", size)
			b.Define(queue, engine.Attributes{BackoutQueue: queue + ".BACK"})
			send(t, b.sender(t, target(queue)), body)
			d := receive(t, b.receiver(t, source(queue)))
			clear(d.Body)
			if err := d.Settle(t.Context(), framework.Reject); err != nil {
				t.Fatal(err)
			}
			moved := receive(t, b.receiver(t, source(queue+".BACK")))
			if string(moved.Body) != body {
				t.Errorf("got another body than the one of %d bytes that came", size)
			}
		}
	})
}

// TestNoDeadLetterQueue has nowhere to put a poison message: it stays.
func TestNoDeadLetterQueue(t *testing.T) {
	cfg := config()
	cfg.DeadLetterQueue = ""
	onBoth(t, cfg, func(t *testing.T, b bench) {
		queue := queueName()
		r, d := poison(t, b, queue, "")
		if err := d.Settle(t.Context(), framework.Reject); err == nil {
			t.Error("got no error, though there is no queue for dead letters")
		}
		if d := receive(t, r); d.Count != 3 || string(d.Body) != "poison" {
			t.Errorf("got %q, Count %d; want it again, given back three times", d.Body, d.Count)
		}
	})
}

// TestNothingToInquire has a queue manager that does not know the attributes.
func TestNothingToInquire(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		queue := queueName()
		send(t, b.sender(t, target(queue)), "a")
		b.Inject(engine.Fault{Verb: "MQINQ", Reason: mqi.MQRC_SELECTOR_ERROR})
		r := b.receiver(t, source(queue))
		if limit, name := r.Backout(); limit != 0 || name != "" || b.Faults() != 0 {
			t.Errorf("got threshold %d and queue %q, want none", limit, name)
		}
		accept(t, r, "a")
	})
}

// TestMayNotInquire has a user who may get, but not inquire.
func TestMayNotInquire(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		queue := queueName()
		b.Define(queue, engine.Attributes{BackoutThreshold: 2, NoInquire: true})
		send(t, b.sender(t, target(queue)), "a")
		r := b.receiver(t, source(queue))
		if limit, name := r.Backout(); limit != 0 || name != "" {
			t.Errorf("got threshold %d and queue %q, want none", limit, name)
		}
		if d := receive(t, r); string(d.Body) != "a" {
			t.Errorf("got %q, want a", d.Body)
		}
	})
}
