package amqp_test

import (
	"fmt"
	"strings"
	"testing"

	goamqp "github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/amqp"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// What a JMS program sends goes through us to another as it was: every kind of
// message, every header, every property.
func TestJMSRelay(t *testing.T) {
	peer, own := jmsClients(t)
	t.Run("qpid", func(t *testing.T) {
		eachBroker(t, func(t *testing.T, broker services.Broker) { testJMSRelay(t, broker, "send-all", peer, peer) })
	})
	t.Run("artemis core", func(t *testing.T) { testJMSRelay(t, services.Artemis(t), "send-most", own, own) })
	t.Run("qpid to core", func(t *testing.T) { testJMSRelay(t, services.Artemis(t), "send-most", peer, own) })
	t.Run("core to qpid", func(t *testing.T) { testJMSRelay(t, services.Artemis(t), "send-most", own, peer) })
}

func testJMSRelay(t *testing.T, broker services.Broker, command string, from, to peer) {
	first, second := newQueue(), newQueue()
	sent := from(t, broker, command, first)
	conn := dial(t, settings(broker))
	in, out := receiver(t, conn, queueSource(first), 10), check(conn.Sender(within(t), queueTarget(second)))(t)
	for end := false; !end; {
		d := receive(t, in)
		if d.Bad != nil {
			t.Errorf("%s: %v", d.Body, d.Bad)
		}
		m := connections.Message{
			Body: d.Body, ContentType: d.ContentType, Text: d.Text, Header: d.Header, CorrelationID: d.CorrelationID, ReplyTo: d.ReplyTo, Native: d.Native,
		}
		if err := out.Send(within(t), []connections.Message{m})[0]; err != nil {
			t.Errorf("relay %s: %v", d.Body, err)
		}
		settle(t, d, framework.Accept)
		end = string(d.Body) == "end"
	}
	if diff := cmp.Diff(sent, to(t, broker, "receive-all", second)); diff != "" {
		t.Errorf("messages (-sent +got):\n%s", diff)
	}
}

// Kinds of messages that no media type tells are made when the binding says so.
func TestSendJMSKinds(t *testing.T) {
	qpid, own := jmsClients(t)
	broker := services.Artemis(t)
	for name, peer := range map[string]peer{"qpid": qpid, "core": own} {
		t.Run(name, func(t *testing.T) {
			queue := newQueue()
			conn := dial(t, settings(broker))
			target := func(kind string) *amqp.Target {
				target := queueTarget(queue)
				target.JMS = kind
				return target
			}
			json := func(body string) connections.Message {
				return connections.Message{
					Body: []byte(body), ContentType: "application/json", Text: true, Key: "g", ReplyTo: "topic:answers",
					Header: map[string]any{"JMSType": "kind", "JMSXGroupSeq": 3},
				}
			}
			send(t, conn, target("map"), json(`{"big":9007199254740993,"half":0.5,"name":"wörth","yes":true,"no":null}`))
			send(t, conn, target("stream"), json(`["a",1,2.5,false]`))
			send(t, conn, queueTarget(queue), text("end"))
			const rest = " | type=kind correlation=null mode=2 priority=4 expires=false reply=topic to=queue redelivered=false JMSXGroupID=g:String JMSXGroupSeq=3:Integer"
			want := []string{
				"map big=9007199254740993:Long half=0.5:Double name=wörth:String no=null yes=true:Boolean" + rest,
				"stream a:String 1:Long 2.5:Double false:Boolean" + rest,
				"text end:String | type=null correlation=null mode=2 priority=4 expires=false reply=none to=queue redelivered=false",
			}
			if diff := cmp.Diff(want, peer(t, broker, "receive-all", queue)); diff != "" {
				t.Errorf("what the JMS client got (-want +got):\n%s", diff)
			}
		})
	}
}

// What is no map or stream is refused, and never tried again.
func TestSendWrongJMSKind(t *testing.T) {
	conn := dial(t, settings(services.Artemis(t)))
	for _, tt := range []struct{ kind, body, want string }{
		{"map", `[1]`, "not an object of JSON"}, {"stream", `{}`, "not an array of JSON"}, {"map", `{`, "data as JSON"}, {"map", `{} {}`, "more behind"},
		{"map", `{"n":18446744073709551616}`, "no exact form"},
	} {
		target := queueTarget(newQueue())
		target.JMS = tt.kind
		s := check(conn.Sender(within(t), target))(t)
		err := s.Send(within(t), []connections.Message{text(tt.body)})[0]
		if !framework.IsTerminal(err) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s as %s: got error %v, want a final one with %q", tt.body, tt.kind, err, tt.want)
		}
	}
}

// An ObjectMessage is opaque to us, and what we send as one is what Java wrote.
func TestJMSObject(t *testing.T) {
	peer, broker := jms(t), services.Artemis(t)
	first, second := newQueue(), newQueue()
	peer(t, broker, "send-all", first)
	conn := dial(t, settings(broker))
	in := receiver(t, conn, queueSource(first), 10)
	objects := queueTarget(second)
	objects.JMS = "object"
	for end := false; !end; {
		d := receive(t, in)
		settle(t, d, framework.Accept)
		if d.ContentType == "application/x-java-serialized-object" {
			if d.Text || !strings.Contains(string(d.Body), "java.util.ArrayList") {
				t.Errorf("got %q, want a serialized list", d.Body)
			}
			if kind := d.Native.(*goamqp.Message).Annotations["x-opt-jms-msg-type"]; kind != int8(1) {
				t.Errorf("got kind %v, want 1", kind)
			}
			send(t, conn, objects, connections.Message{Body: d.Body}) // without what came with it
		}
		end = string(d.Body) == "end"
	}
	send(t, conn, queueTarget(second), text("end"))
	if lines := peer(t, broker, "receive-all", second); !strings.HasPrefix(lines[0], "object [a, 7] |") {
		t.Errorf("got %q, want the object", lines)
	}
}

// A JMS program answers our request, to the queue that the broker made for us.
func TestJMSAnswers(t *testing.T) {
	qpid, own := jmsClients(t)
	for name, peer := range map[string]peer{"qpid": qpid, "core": own} {
		t.Run(name, func(t *testing.T) {
			eachBroker(t, func(t *testing.T, broker services.Broker) {
				if name == "core" && broker.Name != "artemis" {
					return
				}
				conn, queue := dial(t, settings(broker)), newQueue()
				lines := peer.start(t, broker, "answer", queue)
				source := queueSource("answers")
				source.Dynamic = true
				answers := receiver(t, conn, source, 1)
				target := queueTarget(queue)
				target.ReplyTo = "dynamic:answers"
				question := text("question")
				question.ID = "ID:ours"
				send(t, conn, target, question)
				d := take(t, answers, "answer to question")
				if d.CorrelationID == nil || !strings.Contains(fmt.Sprint(d.CorrelationID), "ours") && name == "qpid" {
					t.Errorf("got correlation id %v, want that of the question", d.CorrelationID)
				}
				if got := <-lines; !strings.Contains(got[0], "reply=temporary-queue") && !strings.Contains(got[0], "reply=queue") {
					t.Errorf("the JMS client says %q, want a queue as reply-to", got)
				}
			})
		})
	}
}
