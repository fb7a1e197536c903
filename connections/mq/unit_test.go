package mq

import (
	"errors"
	"fmt"
	"testing"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// numbers returns the numbers from 0 below n as texts.
func numbers(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(i)
	}
	return list
}

func accept(t testing.TB, r connections.Receiver, want string) {
	t.Helper()
	d := receive(t, r)
	if string(d.Body) != want {
		t.Fatalf("received %q, want %q", d.Body, want)
	}
	if err := d.Settle(t.Context(), framework.Accept); err != nil {
		t.Fatal(err)
	}
}

// TestBatch accepts messages in units of work of five, and what is left when
// nothing comes.
func TestBatch(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		queue := queueName()
		send(t, b.sender(t, target(queue)), numbers(12)...)
		s := source(queue)
		s.Batch = 5
		r := b.receiver(t, s)
		for i := range 12 {
			accept(t, r, fmt.Sprint(i))
			wantDepth(t, b, queue, 12-(i+1)/5*5)
		}
		wantNothing(t, r)
		wantDepth(t, b, queue, 0)
	})
}

// TestBatchClosed commits what was accepted when the receiver is closed.
func TestBatchClosed(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		queue := queueName()
		send(t, b.sender(t, target(queue)), numbers(3)...)
		s := source(queue)
		s.Batch = 5
		r := b.receiver(t, s)
		accept(t, r, "0")
		accept(t, r, "1")
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		wantDepth(t, b, queue, 1)
	})
}

// TestBatchBroken loses the connection before the commit: all come again.
func TestBatchBroken(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		queue := queueName()
		send(t, b.sender(t, target(queue)), numbers(3)...)
		s := source(queue)
		s.Batch = 5
		r := b.receiver(t, s)
		accept(t, r, "0")
		accept(t, r, "1")
		b.Break()
		r = b.receiver(t, s)
		for i := range 3 {
			accept(t, r, fmt.Sprint(i))
		}
	})
}

// TestBatchBackedOut fails in the middle of a batch: those before it come again,
// and from there each message has a unit of its own until all are past it.
func TestBatchBackedOut(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		queue := queueName()
		send(t, b.sender(t, target(queue)), numbers(8)...)
		s := source(queue)
		s.Batch = 4
		r := b.receiver(t, s)
		accept(t, r, "0")
		accept(t, r, "1")
		if err := receive(t, r).Settle(t.Context(), framework.Modify); err != nil {
			t.Fatal(err)
		}
		for i, depth := range []int{7, 6, 5, 5, 5, 5, 1} { // of 8; in units of 1, 1, 1, and then 4
			d := receive(t, r)
			if want := min(1, max(0, 3-i)); d.Count != want || string(d.Body) != fmt.Sprint(i) {
				t.Errorf("got %q, Count %d; want %d, %d", d.Body, d.Count, i, want)
			}
			if err := d.Settle(t.Context(), framework.Accept); err != nil {
				t.Fatal(err)
			}
			wantDepth(t, b, queue, depth)
		}
	})
}

// TestAtomic sends in the unit of work of the delivery in hand.
func TestAtomic(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		queue, out := queueName(), queueName()
		send(t, b.sender(t, target(queue)), "in")
		r := b.receiver(t, source(queue))
		to := target(out)
		to.Atomic = true
		if !to.WantsAtomic() {
			t.Error("the target does not want what it was told to")
		}
		for _, o := range []framework.Outcome{framework.Release, framework.Accept} {
			d := receive(t, r)
			s, err := r.Sender(t.Context(), to)
			if err != nil {
				t.Fatal(err)
			}
			send(t, s, "out", "out too")
			if n := len(b.Messages(out)); n != 0 {
				t.Errorf("%d messages are there before the commit, want none", n)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if err := d.Settle(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			if o == framework.Release {
				wantDepth(t, b, out, 0)
				wantDepth(t, b, queue, 1)
			}
		}
		wantDepth(t, b, out, 2)
		wantDepth(t, b, queue, 0)
	})
}

// TestAtomicQueues sends to more queues than are kept open, twice to each.
func TestAtomicQueues(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		queue := queueName()
		send(t, b.sender(t, target(queue)), "in")
		r := b.receiver(t, source(queue))
		d := receive(t, r)
		for i := range 4 * maxOutputs {
			s, err := r.Sender(t.Context(), target(fmt.Sprint(queue, i%(2*maxOutputs))))
			if err != nil {
				t.Fatal(err)
			}
			send(t, s, "out")
		}
		if err := d.Settle(t.Context(), framework.Accept); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		for i := range 2 * maxOutputs {
			wantDepth(t, b, fmt.Sprint(queue, i), 2)
		}
		if _, err := r.Sender(t.Context(), target(queue)); !errors.Is(err, connections.ErrConnLost) {
			t.Errorf("a closed receiver: got error %v, want ErrConnLost", err)
		}
	})
}

// TestSendBatch puts more messages than one unit of work may have, one of them
// refused.
func TestSendBatch(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		queue := queueName()
		batch := make([]connections.Message, maxPuts+100)
		for i := range batch {
			batch[i] = connections.Message{Body: []byte(fmt.Sprint(i)), Text: true}
		}
		batch[3].Priority = new(-2)
		batch[4].ReplyTo = "not a queue"
		errs := b.sender(t, target(queue)).Send(t.Context(), batch)
		for i, err := range errs {
			_, isRefusal := err.(*framework.SendError)
			if isRefusal != (i == 3) || framework.IsTerminal(err) != (i == 4) || err == nil == (i == 3 || i == 4) {
				t.Errorf("message %d: got error %v", i, err)
			}
		}
		wantDepth(t, b, queue, len(batch)-2)
	})
}
