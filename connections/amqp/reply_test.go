package amqp_test

import (
	"crypto/rand"
	"testing"

	goamqp "github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/test/services"
)

// rawSession is a session of a client that is not ours.
func rawSession(t *testing.T, broker services.Broker) *goamqp.Session {
	t.Helper()
	conn := check(goamqp.Dial(within(t), "amqp://"+broker.AMQP, &goamqp.ConnOptions{SASLType: goamqp.SASLTypePlain(broker.User, broker.Password)}))(t)
	t.Cleanup(func() { conn.Close() })
	return check(conn.NewSession(within(t), nil))(t)
}

// answered fails unless what is sent to a reply-to arrives at link.
func answered(t *testing.T, broker services.Broker, replyTo string, link *goamqp.Receiver) {
	t.Helper()
	send(t, dial(t, settings(broker)), nativeTarget(replyTo), text("answer"))
	m := check(link.Receive(within(t), nil))(t)
	if m.Value != "answer" {
		t.Errorf("got %v, want the answer", m.Value)
	}
}

func TestReplyToTemporaryQueue(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		link := check(rawSession(t, broker).NewReceiver(within(t), "", &goamqp.ReceiverOptions{DynamicAddress: true}))(t)
		answered(t, broker, link.Address(), link)
	})
}

// Who listens without saying what it listens to gets the answer, whatever the
// broker made of the name (Artemis: a topic).
func TestReplyToPlainName(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		name := "replies." + rand.Text()
		link := check(rawSession(t, broker).NewReceiver(within(t), name, nil))(t)
		answered(t, broker, name, link)
	})
}

// An answer to a queue that is not there yet waits for who asked.
func TestReplyToUnknownName(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		name := "replies." + rand.Text()
		send(t, dial(t, settings(broker)), nativeTarget(name), text("answer"))
		take(t, receiver(t, dial(t, settings(broker)), queueSource(name), 1), "answer")
	})
}

func TestReplyToTopic(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		topic := newTopic(broker)
		conn := dial(t, settings(broker))
		one, two := receiver(t, conn, topicSource(topic, "", false), 1), receiver(t, conn, topicSource(topic, "", false), 1)
		send(t, conn, nativeTarget("topic://"+topic), text("answer"))
		take(t, one, "answer")
		take(t, two, "answer")
	})
}

// A source in the broker's own words is taken as it is.
func TestNativeSource(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		conn, queue := dial(t, settings(broker)), newQueue()
		send(t, conn, queueTarget(queue), text("m"))
		source := queueSource("")
		source.SetAddress(queue, true)
		take(t, receiver(t, conn, source, 1), "m")
	})
}

// The reply to a request says to which request it is.
func TestRequestReply(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		session, queue := rawSession(t, broker), newQueue()
		replies := check(session.NewReceiver(within(t), "", &goamqp.ReceiverOptions{DynamicAddress: true}))(t)
		conn := dial(t, settings(broker))
		r := receiver(t, conn, queueSource(queue), 1)
		requests := check(session.NewSender(within(t), queue, &goamqp.SenderOptions{TargetCapabilities: []string{"queue"}}))(t)
		for _, id := range []any{uint64(7), goamqp.UUID{1, 2}, "text"} {
			request := &goamqp.Message{Value: "question", Properties: &goamqp.MessageProperties{MessageID: id, ReplyTo: new(replies.Address())}}
			if err := requests.Send(within(t), request, nil); err != nil {
				t.Fatal(err)
			}
			d := take(t, r, "question")
			send(t, conn, nativeTarget(d.ReplyTo), connections.Message{Body: []byte("answer"), Text: true, CorrelationID: d.Correlate})
			m := check(replies.Receive(within(t), nil))(t)
			if m.Properties.CorrelationID != id {
				t.Errorf("got correlation id %#v, want %#v", m.Properties.CorrelationID, id)
			}
			if err := replies.AcceptMessage(within(t), m); err != nil {
				t.Fatal(err)
			}
		}
	})
}
