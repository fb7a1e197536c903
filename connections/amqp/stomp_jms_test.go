package amqp_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/stomp"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// What goes out over STOMP arrives at a JMS program, and back: text without a
// content-length, bytes with one. The JMS client is the broker's own: by AMQP, what
// Classic hands to STOMP is the encoded message, unless its connector for AMQP says
// transport.transformer=jms.
func TestSTOMPAndJMS(t *testing.T) {
	_, peer := jmsClients(t)
	for _, find := range []func(testing.TB) services.Broker{services.Artemis, services.Classic} {
		broker := find(t)
		t.Run(broker.Name, func(t *testing.T) {
			testSTOMPToJMS(t, broker, peer)
			testJMSToSTOMP(t, broker, peer)
		})
	}
}

func dialSTOMP(t *testing.T, broker services.Broker) connections.Conn {
	t.Helper()
	open := check(stomp.Driver().Open("stomp", &stomp.Connection{URL: "stomp://" + broker.STOMP, User: broker.User, Password: broker.Password}))(t)
	conn := check(open(within(t)))(t)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// transformation asks Classic for maps as JSON, of a kind of its own.
var transformation = map[string]string{"transformation": "jms-map-json"}

func testSTOMPToJMS(t *testing.T, broker services.Broker, peer peer) {
	queue, conn := newQueue(), dialSTOMP(t, broker)
	sendSTOMP := func(headers map[string]string, m connections.Message) {
		t.Helper()
		s := check(conn.Sender(within(t), &stomp.Target{Destination: connections.Destination{Queue: queue}, Headers: headers}))(t)
		defer s.Close()
		if err := s.Send(within(t), []connections.Message{m})[0]; err != nil {
			t.Fatal(err)
		}
	}
	sendSTOMP(nil, connections.Message{Body: []byte("wörth"), Text: true, Header: map[string]any{"colour": "red"}, CorrelationID: "c", Key: "k", ReplyTo: "/queue/answers"})
	sendSTOMP(nil, connections.Message{Body: []byte("\x00\xff")})
	want := []string{"text wörth:String |", "bytes 00ff:bytes |"}
	if broker.Name == "classic" {
		sendSTOMP(transformation, connections.Message{Text: true, Body: []byte(`{"map":{"entry":[{"string":["name","wörth"]},{"string":"long","long":9007199254740993}]}}`)})
		want = append(want, "map long=9007199254740993:Long name=wörth:String |")
	}
	sendSTOMP(nil, text("end"))
	lines := peer(t, broker, "receive-all", queue)
	for i, want := range append(want, "text end:String |") {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Errorf("message %d: got %q, want %s…", i+1, lines, want)
		}
	}
	for _, want := range []string{"colour=red:String", "correlation=c", "reply=queue", "JMSXGroupID=k:String"} {
		if !strings.Contains(lines[0], want) {
			t.Errorf("got %q, want %s in it", lines[0], want)
		}
	}
}

func testJMSToSTOMP(t *testing.T, broker services.Broker, peer peer) {
	queue := newQueue()
	peer(t, broker, "send-few", queue)
	source := &stomp.Source{Destination: connections.Destination{Queue: queue}}
	if broker.Name == "classic" {
		source.Headers = transformation
	}
	r := check(dialSTOMP(t, broker).Receiver(within(t), source, 5))(t)
	var got []string
	for end := false; !end; {
		d := check(r.Receive(within(t)))(t)
		if d.Bad != nil {
			t.Errorf("%q: %v", d.Body, d.Bad)
		}
		if err := d.Settle(within(t), framework.Accept); err != nil {
			t.Fatal(err)
		}
		kind := "bytes "
		if d.Text {
			kind = "text "
		}
		got = append(got, kind+string(d.Body))
		end = string(d.Body) == "end"
	}
	if broker.Name == "artemis" { // it has no form of a map for STOMP
		got = slices.Delete(got, 3, 4)
	} else if !strings.HasPrefix(got[3], `text {"map":{"entry":[`) || !strings.Contains(got[3], `{"string":"long","long":9007199254740993}`) || !strings.Contains(got[3], `{"string":["string","wörth"]}`) {
		t.Errorf("got %q, want the map as JSON", got[3])
	} else {
		got = slices.Delete(got, 3, 4)
	}
	if diff := cmp.Diff([]string{"text wörth", "text ", "bytes \x00\xffx", "text end"}, got); diff != "" {
		t.Errorf("what came (-want +got):\n%s", diff)
	}
}
