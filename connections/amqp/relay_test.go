package amqp_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	goamqp "github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/amqp"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// anyTarget is a target of a binding without a destination of its own.
func anyTarget(name string) *amqp.Target {
	t := new(amqp.Target)
	t.SetAddress(name, false)
	return t
}

// A binding without a destination reaches queues and topics that are not there
// yet, by one link where the broker can.
func TestAnyDestination(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		conn, topic := dial(t, settings(broker)), newTopic(broker)
		subscriber := receiver(t, conn, topicSource(topic, "", false), 5)
		send(t, conn, anyTarget("topic:"+topic), text("to the topic"))
		take(t, subscriber, "to the topic")
		for i := range 5 {
			queue := newQueue()
			if i%2 == 1 {
				queue = "any." + rand.Text() // Artemis would make a topic of that
			}
			body := fmt.Sprint("to queue ", i)
			send(t, conn, anyTarget(queue), text(body), text("2"), text("3"))
			r := receiver(t, conn, queueSource(queue), 5)
			d := take(t, r, body)
			take(t, r, "2")
			take(t, r, "3")
			m := d.Native.(*goamqp.Message)
			if to := *m.Properties.To; m.Annotations["x-opt-jms-dest"] != int8(0) || to != queue && to != "queue://"+queue {
				t.Errorf("got x-opt-jms-dest %v and to %q, want a queue called %s", m.Annotations["x-opt-jms-dest"], to, queue)
			}
		}
	})
}

// What the broker refuses is a refusal of that message, and the link goes on for
// the others that share it.
func TestAnyDestinationRefused(t *testing.T) {
	broker := services.Artemis(t)
	conn, full, other := dial(t, settings(broker)), newQueue(), newQueue()
	limitQueue(t, broker, full)
	s := check(conn.Sender(within(t), anyTarget(full)))(t)
	defer s.Close()
	for range 100 {
		err := s.Send(within(t), []connections.Message{{Body: make([]byte, 10_000)}})[0]
		if err == nil {
			continue
		}
		refusal, ok := errors.AsType[*framework.SendError](err)
		if !ok || refusal.Outcome != framework.Reject || refusal.Condition != "amqp:resource-limit-exceeded" || refusal.Destination != full {
			t.Fatalf("got error %#v, want the broker's refusal", err)
		}
		send(t, conn, anyTarget(other), text("m"))
		take(t, receiver(t, conn, queueSource(other), 1), "m")
		return
	}
	t.Fatal("got no error, want a full queue")
}

// A broker that settles nothing is not waited for.
func TestPresettledSend(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		conn, queue := dial(t, settings(broker)), newQueue()
		target := queueTarget(queue)
		target.Presettled = true
		r := receiver(t, conn, queueSource(queue), 5)
		send(t, conn, target, text("1"), text("2"))
		take(t, r, "1")
		take(t, r, "2")
		anywhere := anyTarget(newQueue())
		anywhere.Presettled = true
		send(t, conn, anywhere, text("3"))
		take(t, receiver(t, conn, queueSource(anywhere.Queue), 1), "3")
		if broker.Name == "artemis" {
			limitQueue(t, broker, queue)
			s := check(conn.Sender(within(t), target))(t)
			for range 100 { // it is full soon, and nobody says so
				if err := s.Send(within(t), []connections.Message{{Body: make([]byte, 10_000)}})[0]; err != nil {
					t.Fatalf("got error %v, want none", err)
				}
			}
		}
	})
}

// The queue of a dynamic trigger is one that the broker made, and a binding of
// the same connection gives it to others as their reply-to.
func TestDynamicQueue(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		driver := amqp.Driver()
		open := check(driver.Open("orders", settings(broker)))(t)
		dialed := func() connections.Conn {
			conn := check(open(within(t)))(t)
			t.Cleanup(func() { conn.Close() })
			return conn
		}
		in, out, requests := dialed(), dialed(), newQueue()
		target := queueTarget(requests)
		target.ReplyTo = "dynamic:answers"
		s := check(out.Sender(within(t), target))(t)
		if err := s.Send(within(t), []connections.Message{text("too early")})[0]; err == nil || framework.IsTerminal(err) || errors.Is(err, connections.ErrConnLost) {
			t.Fatalf("without a trigger: got error %v, want one that may pass", err)
		}

		source := queueSource("answers")
		source.Dynamic = true
		answers := receiver(t, in, source, 5)
		if errs := s.Send(within(t), []connections.Message{text("question")}); errs[0] != nil {
			t.Fatal(errs[0])
		}
		other := dial(t, settings(broker))
		d := take(t, receiver(t, other, queueSource(requests), 1), "question")
		if kind := d.Native.(*goamqp.Message).Annotations["x-opt-jms-reply-to"]; kind != int8(2) || d.ReplyTo == "" || d.ReplyTo == "answers" {
			t.Fatalf("got reply-to %q of type %v, want a temporary queue", d.ReplyTo, kind)
		}
		send(t, other, nativeTarget(d.ReplyTo), connections.Message{Body: []byte("answer"), Text: true, CorrelationID: d.Correlate})
		if got := take(t, answers, "answer"); got.CorrelationID != d.ID {
			t.Errorf("got correlation id %v, want %v", got.CorrelationID, d.ID)
		}
		answers.Close()
		if err := s.Send(within(t), []connections.Message{text("too late")})[0]; err == nil {
			t.Error("after the trigger: got no error, want one")
		}
	})
}

// Two dynamic queues are two, whatever we call them.
func TestDynamicQueuesAreDistinct(t *testing.T) {
	conn := dial(t, settings(services.Artemis(t)))
	source := queueSource("same")
	source.Dynamic = true
	receiver(t, conn, source, 1)
	newest := receiver(t, conn, source, 1)
	target := queueTarget(newQueue())
	target.ReplyTo = "dynamic:same"
	send(t, conn, target, text("m"))
	d := take(t, receiver(t, conn, queueSource(target.Queue), 1), "m")
	send(t, conn, nativeTarget(d.ReplyTo), text("answer"))
	take(t, newest, "answer")
}
