package amqp_test

import (
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// These tests are the outcome matrix: what each broker does with a message after
// each outcome. The engine is built on it.

// An effect is what becomes of a message.
type effect struct {
	again  bool // it is delivered again
	counts bool // with a higher Count
}

func TestAccept(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		checkEffect(t, broker, framework.Accept, effect{})
	})
}

func TestRelease(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		checkEffect(t, broker, framework.Release, effect{again: true})
	})
}

func TestModify(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		checkEffect(t, broker, framework.Modify, effect{again: true, counts: true})
	})
}

// Broker-J gives a rejected message back, again and again, unless its queue has a
// limit and an alternate binding. So the engine must not rely on Reject.
func TestReject(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		again := broker.Name == "brokerj"
		queue, marker := checkEffect(t, broker, framework.Reject, effect{again: again, counts: again})
		if again {
			return
		}
		dead := queueSource("DLQ")
		if broker.Name == "classic" {
			dead.Queue = "DLQ." + queue
		}
		dead.Selector = "marker = '" + marker + "'" // Artemis has one for all
		take(t, receiver(t, dial(t, settings(broker)), dead, 1), "m")
	})
}

// checkEffect settles a message twice, if it comes again, and returns the queue
// and the property that marks the message.
func checkEffect(t *testing.T, broker services.Broker, o framework.Outcome, want effect) (queue, marker string) {
	t.Helper()
	queue, marker = newQueue(), rand.Text()
	conn := dial(t, settings(broker))
	m := text("m")
	m.Header = map[string]any{"marker": marker}
	send(t, conn, queueTarget(queue), m)
	in := receiver(t, conn, queueSource(queue), 1)

	d := receive(t, in)
	if d.Count != 0 {
		t.Fatalf("got Count %d at first, want 0", d.Count)
	}
	settle(t, d, o)
	if !want.again {
		nothing(t, in)
		return queue, marker
	}
	for i := 1; i <= 2; i++ {
		again := receive(t, in)
		count := 0
		if want.counts {
			count = i
		}
		if string(again.Body) != "m" || again.Count != count || again.Identity != d.Identity {
			t.Fatalf("after %v %d times: got %q, Count %d, identity %q, want the same message with Count %d", o, i, again.Body, again.Count, again.Identity, count)
		}
		if i == 2 {
			o = framework.Accept
		}
		settle(t, again, o)
	}
	nothing(t, in)
	return queue, marker
}

// Artemis may count a lost connection or not, as it happens to notice it: there a
// message that kills the process can look new every time.
func TestConnectionLost(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		proxy := services.Proxy(t, broker.AMQP)
		through := settings(broker)
		through.URL = "amqp://" + proxy.Addr
		conn, queue := dial(t, settings(broker)), newQueue()
		send(t, conn, queueTarget(queue), text("m"))

		first := receiver(t, dial(t, through), queueSource(queue), 1)
		d := receive(t, first)
		proxy.Cut()
		wantError(t, receiveError(t, first), connections.ErrConnLost)
		wantError(t, d.Settle(within(t), framework.Accept), connections.ErrConnLost)

		again := take(t, receiver(t, conn, queueSource(queue), 1), "m")
		if again.Count == 0 && broker.Name != "artemis" {
			t.Error("got Count 0, want it raised")
		}
	})
}

// What was only prefetched comes back with no delivery counted, on every broker.
func TestCloseGivesBackUncounted(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		const n = 20
		conn, queue := dial(t, settings(broker)), newQueue()
		send(t, conn, queueTarget(queue), make([]connections.Message, n)...)
		other := dial(t, settings(broker))
		for range 3 {
			r := receiver(t, other, queueSource(queue), n)
			settle(t, receive(t, r), framework.Release) // the rest has arrived by then
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
		r := receiver(t, conn, queueSource(queue), n)
		for i := range n {
			d := receive(t, r)
			if d.Count != 0 {
				t.Errorf("message %d: got Count %d, want 0", i, d.Count)
			}
			settle(t, d, framework.Accept)
		}
		nothing(t, r)
	})
}

// Closing waits for what is still on its way from a broker that is far off. It
// takes a few round trips, however slow those are.
func TestCloseFarFromTheBroker(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		const n, delay = 20, 300 * time.Millisecond
		proxy := services.Proxy(t, broker.AMQP)
		through := settings(broker)
		through.URL = "amqp://" + proxy.Addr
		conn, queue := dial(t, settings(broker)), newQueue()
		send(t, conn, queueTarget(queue), make([]connections.Message, n)...)
		proxy.Slow(delay)
		far := dial(t, through)
		r := receiver(t, far, queueSource(queue), n) // its credit is not there yet
		begin := time.Now()
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("closing took %v, at %v to the broker and as much back", time.Since(begin), delay)
		back := receiver(t, conn, queueSource(queue), n)
		for i := range n {
			if d := take(t, back, ""); d.Count != 0 {
				t.Errorf("message %d: got Count %d, want 0", i, d.Count)
			}
		}
	})
}

// receiveError receives until there is an error.
func receiveError(t testing.TB, r connections.Receiver) error {
	t.Helper()
	for range 1000 {
		if _, err := r.Receive(within(t)); err != nil {
			return err
		}
	}
	t.Fatal("got 1000 messages, want an error")
	return nil
}

// The broker's refusal of one message is told as it is.
func TestRejectedSend(t *testing.T) {
	conn := dial(t, settings(services.Artemis(t)))
	queue := newQueue()
	limitQueue(t, services.Artemis(t), queue)
	s := check(conn.Sender(within(t), queueTarget(queue)))(t)
	defer s.Close()
	for range 100 {
		err := s.Send(within(t), []connections.Message{{Body: make([]byte, 10_000)}})[0]
		if err == nil {
			continue
		}
		refusal, ok := errors.AsType[*framework.SendError](err)
		if !ok || refusal.Outcome != framework.Reject || refusal.Condition != "amqp:resource-limit-exceeded" || refusal.Description == "" || refusal.Destination != queue {
			t.Fatalf("got error %#v, want the broker's refusal", err)
		}
		return
	}
	t.Fatal("got no error, want a full queue")
}
