package connectiontest

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

func eventPromises() []promise {
	return []promise{{
		name:  "event, binary",
		text:  "a CloudEvent in binary mode keeps its data and every attribute, of every type",
		check: func(e *env) { e.eventTrip(connections.Encode) },
	}, {
		name:  "event, structured",
		text:  "a CloudEvent in structured mode keeps its data and every attribute",
		check: func(e *env) { e.eventTrip(connections.EncodeStructured) },
	}, {
		name:  "event, batch",
		text:  "a batch of CloudEvents arrives whole and in order",
		check: checkEventBatch,
	}, {
		name:  "event of a plain message",
		text:  "a message that is no CloudEvent becomes one that is valid, with the same id and source each time it is delivered, unless that is said to be unstable",
		check: checkPlainEvent,
	}}
}

// fullEvent has every attribute, and an extension of every type.
func fullEvent() event.Event {
	ev := event.New()
	ev.SetID("e-1")
	ev.SetSource("/orders/é?x=1")
	ev.SetType("com.example.order")
	ev.SetSubject("order 17: \"é\"")
	ev.SetDataSchema("https://example.com/schema#order")
	ev.SetTime(time.Date(2026, 2, 3, 4, 5, 6, 7_000_000, time.UTC))
	ev.SetExtension("flag", true)
	ev.SetExtension("number", int32(-42))
	ev.SetExtension("word", "a=b; c")
	ev.SetExtension("blob", []byte("\x00\xff"))
	ev.SetExtension("link", types.ParseURI("https://example.com/a?b=c"))
	ev.SetExtension("ref", types.ParseURIRef("../a"))
	ev.SetExtension("at", time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
	ev.SetExtension("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	ev.DataEncoded = []byte(`{"total":12.50,"name":"é"}`)
	ev.SetDataContentType(event.ApplicationJSON)
	return ev
}

func (e *env) eventTrip(encode func(event.Event) (connections.Message, error)) {
	want := fullEvent()
	m, err := encode(want)
	e.must("encode", err)
	e.sendTo(e.queue, m)
	d := e.receive(e.receiver(e.queue))
	events := e.decode(d)
	if len(events) != 1 {
		e.fail("got %d events, want 1", len(events))
	}
	e.sameEvent(events[0], want)
	e.settle(d, framework.Accept)
}

func (e *env) decode(d connections.Delivery) []event.Event {
	events, _, err := connections.NewCodec("test", e.queue).Decode(&d.Message)
	e.must("decode", err)
	return events
}

func (e *env) sameEvent(got, want event.Event) {
	g, w := attributes(got), attributes(want)
	for name := range w {
		if g[name] != w[name] {
			e.fail("got attribute %s %q, want %q", name, g[name], w[name])
		}
	}
	for name := range g {
		if _, ok := w[name]; !ok {
			e.fail("got attribute %s %q, want none", name, g[name])
		}
	}
	if !bytes.Equal(got.Data(), want.Data()) {
		e.fail("got data %q, want %q", got.Data(), want.Data())
	}
}

// attributes returns all attributes in their text form, which is the same for a
// wire that has types and one that has not.
func attributes(ev event.Event) map[string]string {
	all := map[string]string{
		"specversion": ev.SpecVersion(), "id": ev.ID(), "source": ev.Source(), "type": ev.Type(), "subject": ev.Subject(),
		"dataschema": ev.DataSchema(), "datacontenttype": ev.DataContentType(), "time": types.FormatTime(ev.Time()),
	}
	for name, v := range ev.Extensions() {
		s, err := types.Format(v)
		if err != nil {
			s = err.Error()
		}
		all[name] = s
	}
	return all
}

func checkEventBatch(e *env) {
	want := []event.Event{fullEvent(), fullEvent(), fullEvent()}
	want[1].SetID("e-2")
	want[2].SetID("e-3")
	body, err := json.Marshal(want)
	e.must("encode", err)
	e.sendTo(e.queue, connections.Message{Body: body, ContentType: event.ApplicationCloudEventsBatchJSON, Text: true})
	d := e.receive(e.receiver(e.queue))
	got := e.decode(d)
	if len(got) != len(want) {
		e.fail("got %d events, want %d", len(got), len(want))
	}
	for i := range want {
		e.sameEvent(got[i], want[i])
	}
	e.settle(d, framework.Accept)
}

func checkPlainEvent(e *env) {
	in := e.receiver(e.queue)
	e.sendTo(e.queue, text("a"))
	d := e.receive(in)
	first := e.decode(d)[0]
	if err := first.Validate(); err != nil {
		e.fail("the event is not valid: %v", err)
	}
	in = e.giveBack(in, d, framework.Release)
	d = e.receive(in)
	again := e.decode(d)[0]
	if !e.subject.Cannot.KeepIdentity && (again.ID() != first.ID() || again.Source() != first.Source()) {
		e.fail("got event %s from %s when delivered again, want %s from %s as before", again.ID(), again.Source(), first.ID(), first.Source())
	}
	e.settle(d, framework.Accept)
}
