package amqp_test

import (
	"testing"

	goamqp "github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/amqp"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// stored returns what is left of a message in the store: Native as it was packed,
// and headers and ids with none of the wire's own types.
func stored(t *testing.T, m connections.Message) connections.Message {
	t.Helper()
	packed := check(amqp.Driver().Pack(&m))(t)
	out := connections.Message{Body: m.Body, ContentType: m.ContentType, Text: m.Text, Header: map[string]any{"lost": "types"}}
	if err := amqp.Driver().Unpack(packed, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// A message of every type of AMQP goes through the store and out again as it was:
// what Proton sent, Proton gets.
func TestPackEveryType(t *testing.T) {
	peer := proton(t)
	broker := services.Artemis(t)
	in, out := newQueue(), newQueue()
	sent := peer.start(t, broker, "types", in)
	conn := dial(t, settings(broker))
	r := receiver(t, conn, queueSource(in), 10)
	got := peer.start(t, broker, "dump", out)
	for end := false; !end; {
		d := receive(t, r)
		m := stored(t, d.Message)
		if diff := cmp.Diff(d.Header, m.Header); diff != "" {
			t.Errorf("%.40q: headers (-received +unpacked):\n%s", d.Body, diff)
		}
		if d.CorrelationID != nil && !cmp.Equal(d.CorrelationID, m.CorrelationID) || !cmp.Equal(d.ID, m.ID) {
			t.Errorf("%.40q: got ids %#v, %#v; want %#v, %#v", d.Body, m.ID, m.CorrelationID, d.ID, d.CorrelationID)
		}
		send(t, conn, queueTarget(out), m)
		settle(t, d, framework.Accept)
		end = string(d.Body) == "end"
	}
	if diff := cmp.Diff(<-sent, <-got); diff != "" {
		t.Errorf("what came out of the store (-sent +got):\n%s", diff)
	}
}

func sections(m *goamqp.Message) []any {
	return []any{m.Header, m.DeliveryAnnotations, m.Annotations, m.Properties, m.ApplicationProperties, m.Data, m.Value, m.Sequence, m.Footer}
}

// A body that the store has anyway is not packed a second time.
func TestPackWithoutBody(t *testing.T) {
	broker := services.Artemis(t)
	queue := newQueue()
	conn := dial(t, settings(broker))
	body := make([]byte, 100_000)
	send(t, conn, queueTarget(queue), connections.Message{Body: body}, text(string(body)), connections.Message{})
	r := receiver(t, conn, queueSource(queue), 5)
	for range 3 {
		d := receive(t, r)
		if packed := check(amqp.Driver().Pack(&d.Message))(t); len(packed) > 1000 {
			t.Errorf("got %d bytes for a message of %d, want no body in them", len(packed), len(d.Body))
		}
		m := stored(t, d.Message)
		received, unpacked := d.Native.(*goamqp.Message), m.Native.(*goamqp.Message)
		if diff := cmp.Diff(sections(received), sections(unpacked)); diff != "" {
			t.Errorf("(-received +unpacked):\n%s", diff)
		}
		settle(t, d, framework.Accept)
	}
	if packed, err := amqp.Driver().Pack(&connections.Message{Native: "of another driver"}); packed != nil || err != nil {
		t.Errorf("another driver's: got %q, %v; want nothing", packed, err)
	}
	if err := amqp.Driver().Unpack([]byte("no message"), new(connections.Message)); err == nil {
		t.Error("no message: got no error")
	}
}
