package amqp_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/test/services"
)

// A peer is a client that somebody else wrote; it is run with a command and a
// queue, and returns the lines that it prints.
type peer func(t *testing.T, broker services.Broker, command, queue string) []string

// start runs the peer beside the test.
func (p peer) start(t *testing.T, broker services.Broker, command, queue string) <-chan []string {
	out := make(chan []string, 1)
	go func() { out <- p(t, broker, command, queue) }()
	return out
}

func run(t *testing.T, name string, args ...string) []string {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var failed strings.Builder
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s: %v\n%s", name, err, failed.String())
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// jms is a client of Qpid JMS.
func jms(t *testing.T) peer {
	qpid, _ := jmsClients(t)
	return qpid
}

// jmsClients are clients of Qpid JMS, and of the broker's own JMS client, which does
// not speak AMQP. Both are testdata/Peer.java.
func jmsClients(t *testing.T) (qpid, own peer) {
	t.Helper()
	path, classes := services.JMSClasspath(t), t.TempDir()
	if out, err := exec.Command("javac", "-cp", path, "-d", classes, "testdata/Peer.java").CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	client := func(t *testing.T, url string, broker services.Broker, command, queue string) []string {
		return run(t, "java", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-Dorg.apache.qpid.jms.deserialization_policy=*",
			"-cp", classes+string(filepath.ListSeparator)+path, "Peer", url, broker.User, broker.Password, command, queue)
	}
	qpid = func(t *testing.T, broker services.Broker, command, queue string) []string {
		return client(t, "amqp://"+broker.AMQP, broker, command, queue)
	}
	own = func(t *testing.T, broker services.Broker, command, queue string) []string {
		url := "tcp://" + broker.Core
		if broker.OpenWire != "" {
			url = "openwire://" + broker.OpenWire
		}
		return client(t, url, broker, command, queue)
	}
	return qpid, own
}

// proton is a client of Qpid Proton for Python.
func proton(t *testing.T) peer {
	t.Helper()
	python := services.Python(t)
	return func(t *testing.T, broker services.Broker, command, queue string) []string {
		return run(t, python, "testdata/client.py", fmt.Sprintf("amqp://%s:%s@%s", broker.User, broker.Password, broker.AMQP), command, queue)
	}
}

// outgoing are messages of each kind, the last one being the end.
func outgoing(t *testing.T) []connections.Message {
	ev := event.New()
	ev.SetID("1")
	ev.SetSource("/s")
	ev.SetType("t")
	if err := ev.SetData(event.ApplicationJSON, map[string]int{"a": 1}); err != nil {
		t.Fatal(err)
	}
	cloudEvent := check(connections.Encode(ev))(t)
	return []connections.Message{
		{Body: []byte("héllo"), Text: true, Header: map[string]any{"colour": "red", "number": int32(-42), "big": int64(1) << 40, "yes": true, "half": 0.5}, Priority: new(7)},
		{Body: []byte("\x00\xff")},
		{Body: []byte(`{"a":1}`), Text: true, ContentType: "application/json"},
		{Body: []byte(`{"a":1}`), ContentType: "application/json"},
		cloudEvent,
		{},
		{Body: []byte("end"), Text: true},
	}
}

func TestJMS(t *testing.T) {
	peer := jms(t)
	t.Run("to", func(t *testing.T) { testToJMS(t, peer) })
	t.Run("from", func(t *testing.T) { testFromJMS(t, peer) })
	t.Run("request", func(t *testing.T) { testRequest(t, peer, "ask") })
	t.Run("request with topic", func(t *testing.T) { testRequest(t, peer, "ask-topic") })
}

func testToJMS(t *testing.T, peer peer) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		queue := newQueue()
		lines := peer.start(t, broker, "receive", queue)
		send(t, dial(t, settings(broker)), queueTarget(queue), outgoing(t)...)
		const rest = " persistent=true id=true time=true"
		json := hex.EncodeToString([]byte(`{"a":1}`))
		want := []string{
			"text " + hex.EncodeToString([]byte("héllo")) + " priority=7" + rest + " big=1099511627776:Long colour=red:String half=0.5:Double number=-42:Integer yes=true:Boolean",
			"bytes 00ff priority=4" + rest,
			"text " + json + " priority=4" + rest,
			"bytes " + json + " priority=4" + rest,
			"text " + json + " priority=4" + rest + " cloudEvents_id=1:String cloudEvents_source=/s:String cloudEvents_specversion=1.0:String cloudEvents_type=t:String",
			"bytes  priority=4" + rest,
			"text " + hex.EncodeToString([]byte("end")) + " priority=4" + rest,
		}
		if diff := cmp.Diff(want, <-lines); diff != "" {
			t.Errorf("what the JMS client got (-want +got):\n%s", diff)
		}
	})
}

func testFromJMS(t *testing.T, peer peer) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		queue := newQueue()
		lines := peer.start(t, broker, "send", queue)
		r := receiver(t, dial(t, settings(broker)), queueSource(queue), 10)
		d := take(t, r, "héllo")
		header := map[string]any{"colour": "red", "number": int32(-42), "big": int64(1) << 40, "yes": true, "half": 0.5}
		if diff := cmp.Diff(header, d.Header); diff != "" {
			t.Errorf("properties (-want +got):\n%s", diff)
		}
		if !d.Text || *d.Priority != 7 || d.Key != "group" || d.CorrelationID != "correlation" || !strings.HasPrefix(d.Identity, "ID:") || d.TTL <= 0 || time.Since(d.Time).Abs() > time.Minute {
			t.Errorf("got %+v, want what JMS says", d.Message)
		}
		if d := take(t, r, ""); !d.Text {
			t.Error("empty text: got bytes")
		}
		if d := take(t, r, "\x00\xffx"); d.Text {
			t.Error("bytes: got text")
		}
		if d := take(t, r, `{"big":9007199254740993,"name":"wörth","raw":"AQID"}`); d.ContentType != "application/json" {
			t.Errorf("map: got content type %q", d.ContentType)
		}
		take(t, r, `[1,"two"]`)
		take(t, r, "")
		<-lines
	})
}

func testRequest(t *testing.T, peer peer, command string) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		if broker.Name == "brokerj" && command == "ask-topic" {
			t.Skip("nothing that is sent to a temporary topic of Broker-J arrives, whoever sends it")
		}
		queue := newQueue()
		lines := peer.start(t, broker, command, queue)
		conn := dial(t, settings(broker))
		d := take(t, receiver(t, conn, queueSource(queue), 1), "question")
		send(t, conn, nativeTarget(d.ReplyTo), connections.Message{Body: []byte("answer"), Text: true, CorrelationID: d.Correlate})
		got := <-lines
		want := "text " + hex.EncodeToString([]byte("answer"))
		if len(got) != 2 || !strings.HasPrefix(got[0], want) || got[1] != "to this request: true" {
			t.Errorf("got %q after ReplyTo %q, want the answer", got, d.ReplyTo)
		}
	})
}

func TestToProton(t *testing.T) {
	peer := proton(t)
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		queue := newQueue()
		lines := peer.start(t, broker, "receive", queue)
		send(t, dial(t, settings(broker)), queueTarget(queue), outgoing(t)...)
		want := []string{
			"'héllo' None durable=True big=1099511627776:int colour=red:str half=0.5:float number=int32(-42):int32 yes=True:bool",
			`b'\x00\xff' None durable=True `,
			`'{"a":1}' application/json durable=True `,
			`b'{"a":1}' application/json durable=True `,
			`b'{"a":1}' application/json durable=True cloudEvents_id=1:str cloudEvents_source=/s:str cloudEvents_specversion=1.0:str cloudEvents_type=t:str`,
			`b'' None durable=True `,
			"'end' None durable=True",
		}
		if diff := cmp.Diff(want, <-lines); diff != "" {
			t.Errorf("what Proton got (-want +got):\n%s", diff)
		}
	})
}

func TestFromProton(t *testing.T) {
	peer := proton(t)
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		queue := newQueue()
		lines := peer.start(t, broker, "send", queue)
		r := receiver(t, dial(t, settings(broker)), queueSource(queue), 10)
		d := take(t, r, "héllo")
		if !d.Text || d.Identity != "ulong:7" || d.Key != "group" || d.Header["colour"] != "red" || d.Header["number"] != int32(-42) || !d.Header["at"].(time.Time).Equal(time.UnixMilli(1700000000123)) {
			t.Errorf("got %+v, want what Proton sent", d.Message)
		}
		if d := take(t, r, "\x00\xff"); d.Text || d.Identity != "uuid:00000000-0000-0000-0000-000000000007" || d.ContentType != "application/x-test" {
			t.Errorf("got %+v, want what Proton sent", d.Message)
		}
		if d := take(t, r, "\x00\xff"); d.Text || d.Identity != "binary:37" { // as a value
			t.Errorf("got %+v, want what Proton sent", d.Message)
		}
		if d := take(t, r, `{"big":9007199254740993,"name":"wörth"}`); d.Identity != "7" || d.ContentType != "application/json" {
			t.Errorf("got %+v, want what Proton sent", d.Message)
		}
		take(t, r, `[1,"two"]`)
		take(t, r, "")
		<-lines
	})
}

func TestProtonRequest(t *testing.T) {
	peer := proton(t)
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		queue := newQueue()
		conn := dial(t, settings(broker))
		r := receiver(t, conn, queueSource(queue), 1) // first: Proton does not say that it is a queue
		lines := peer.start(t, broker, "ask", queue)
		d := take(t, r, "question")
		send(t, conn, nativeTarget(d.ReplyTo), connections.Message{Body: []byte("answer"), Text: true, CorrelationID: d.Correlate})
		if got := <-lines; got[0] != "'answer' None durable=True" {
			t.Errorf("got %q, want the answer", got)
		}
	})
}

func TestProtonSelects(t *testing.T) {
	peer := proton(t)
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		queue := newQueue()
		var batch []connections.Message
		for _, colour := range []string{"blue", "red"} {
			batch = append(batch, connections.Message{Body: []byte(colour), Text: true, Header: map[string]any{"colour": colour}})
		}
		send(t, dial(t, settings(broker)), queueTarget(queue), batch...)
		if got := peer(t, broker, "select", queue); !strings.HasPrefix(got[0], "'red' ") {
			t.Errorf("got %q, want the red one", got)
		}
	})
}

func TestProtonSubscribes(t *testing.T) {
	peer := proton(t)
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		topic := newTopic(broker)
		address := topic
		if broker.Name == "classic" {
			address = "topic://" + topic
		}
		peer(t, broker, "subscribe", address)
		send(t, dial(t, settings(broker)), topicTarget(topic), text("1"))
		send(t, dial(t, settings(broker)), anyTarget("topic:"+topic), text("2"))
		got := peer(t, broker, "resume", address)
		if len(got) != 2 || !strings.HasPrefix(got[0], "'1' ") || !strings.HasPrefix(got[1], "'2' ") {
			t.Errorf("got %q, want what was sent while it was away", got)
		}
	})
}
