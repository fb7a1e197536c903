package amqp_test

import (
	"bytes"
	"net"
	"strings"
	"testing"

	goamqp "github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// An annotation with a binary key, which go-amqp would panic on, in a goroutine of
// its own. Artemis does not take such a message, others do.
func TestPoison(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		queue := newQueue()
		m := &goamqp.Message{Annotations: goamqp.Annotations{"poison": "x"}, Value: "m"}
		if err := sendForged(t, broker, queue, m, "\xa3\x06poison", "\xa0\x06poison"); err != nil {
			if broker.Name != "artemis" {
				t.Fatal(err)
			}
			return
		}
		conn := dial(t, settings(broker))
		send(t, conn, queueTarget(queue), text("next"))
		r := receiver(t, conn, queueSource(queue), 5)
		d := receive(t, r)
		if d.Bad == nil || !strings.Contains(d.Bad.Error(), "map key") {
			t.Errorf("got Bad %v, want one about the key", d.Bad)
		}
		settle(t, d, framework.Accept)
		take(t, r, "next")
	})
}

// sendMalformed sends a message with a value in it of a type that there is not.
func sendMalformed(t testing.TB, broker services.Broker, queue string) {
	t.Helper()
	m := &goamqp.Message{Header: &goamqp.MessageHeader{Durable: true, Priority: 4}, Value: []any{int32(0x5eadbeef)}}
	if err := sendForged(t, broker, queue, m, "\x71\x5e\xad\xbe\xef", "\x3f\x5e\xad\xbe\xef"); err != nil {
		t.Fatal(err)
	}
}

// sendForged sends m, with other bytes than go-amqp encoded.
func sendForged(t testing.TB, broker services.Broker, queue string, m *goamqp.Message, old, forged string) error {
	t.Helper()
	ctx := within(t)
	bare := check(net.Dial("tcp", broker.AMQP))(t)
	conn := check(goamqp.NewConn(ctx, forger{bare, []byte(old), []byte(forged)}, &goamqp.ConnOptions{SASLType: goamqp.SASLTypePlain(broker.User, broker.Password)}))(t)
	defer conn.Close()
	session := check(conn.NewSession(ctx, nil))(t)
	link := check(session.NewSender(ctx, queue, &goamqp.SenderOptions{TargetCapabilities: []string{"queue"}}))(t)
	return link.Send(ctx, m, nil)
}

type forger struct {
	net.Conn
	old, forged []byte
}

func (f forger) Write(p []byte) (int, error) {
	return f.Conn.Write(bytes.ReplaceAll(p, f.old, f.forged))
}
