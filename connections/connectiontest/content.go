package connectiontest

import (
	"bytes"
	"reflect"
	"time"

	"github.com/cloudevents/sdk-go/v2/types"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

func contentPromises() []promise {
	return []promise{{
		name: "round trip",
		text: "a message arrives with the bytes, the content type and the headers it was sent with",
		check: func(e *env) {
			e.roundTrip(connections.Message{
				Body:        []byte("\x00{\"a\":1}\xff\x00"),
				ContentType: "application/x-test",
				Header:      map[string]any{"colour": "red", "CustomerNo": "0042", "spaces": " two  words ", "empty": ""},
			})
		},
	}, {
		name: "UTF-8",
		text: "text and headers keep every character, those that a wire escapes included",
		check: func(e *env) {
			const s = "é ß 漢字 \U0001F9ED a:b=c \\ \\n \n \t \" ' & < ; \\c"
			m := text(s)
			m.ContentType, m.Header = "text/plain; charset=utf-8", map[string]any{"escaped": s}
			e.roundTrip(m)
		},
	}, {
		name:  "empty body",
		text:  "a message without a body arrives without one",
		check: func(e *env) { e.roundTrip(connections.Message{Header: map[string]any{"colour": "red"}}) },
	}, {
		name: "large body",
		text: "a body of 1 MiB arrives whole",
		check: func(e *env) {
			body := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
			e.roundTrip(connections.Message{Body: body, ContentType: "application/octet-stream"})
		},
	}, {
		name:   "text and bytes",
		text:   "a text message arrives as text, and bytes as bytes",
		unless: func(s *Subject) string { return cannot(s.Cannot.TellText, "tell text from bytes") },
		check: func(e *env) {
			if d := e.roundTrip(text("words")); !d.Text {
				e.fail("got bytes, want text")
			}
			if d := e.roundTrip(connections.Message{Body: []byte("words"), ContentType: "application/octet-stream"}); d.Text {
				e.fail("got text, want bytes")
			}
		},
	}, {
		name:  "typed headers",
		text:  "a header keeps its type or, where the wire has only strings, arrives in its CloudEvents text form",
		check: checkTypedHeaders,
	}, {
		name:  "no sharing",
		text:  "what a caller does with a message after Send, or with one that it received, changes no other",
		check: checkNoSharing,
	}, {
		name:  "relay",
		text:  "a received message that is sent on keeps body and headers, and is a new message: it has an identity of its own, and no ReplyTo",
		check: checkRelay,
	}}
}

func cannot(flag bool, what string) string {
	if flag {
		return "the broker cannot " + what
	}
	return ""
}

// roundTrip sends m to a queue of its own, receives it, accepts it and compares
// what every broker keeps.
func (e *env) roundTrip(m connections.Message) connections.Delivery {
	queue := e.newQueue()
	e.sendTo(queue, m)
	d := e.receive(e.receiver(queue))
	e.same(d.Message, m)
	e.settle(d, framework.Accept)
	return d
}

func (e *env) same(got, want connections.Message) {
	if !bytes.Equal(got.Body, want.Body) {
		e.fail("got body %q, want %q", brief(string(got.Body)), brief(string(want.Body)))
	}
	if got.ContentType != want.ContentType {
		e.fail("got content type %q, want %q", got.ContentType, want.ContentType)
	}
	for name, v := range want.Header {
		if !sameValue(got.Header[name], v) {
			e.fail("got header %s %#v, want %#v", name, got.Header[name], v)
		}
	}
}

func sameValue(got, want any) bool {
	if t, ok := want.(time.Time); ok {
		g, ok := got.(time.Time)
		return ok && g.Equal(t)
	}
	return reflect.DeepEqual(got, want)
}

func checkTypedHeaders(e *env) {
	header := map[string]any{
		"yes": true, "no": false, "number": int32(-42), "bytes": []byte("\x00\xff"),
		"time": time.Date(2026, 2, 3, 4, 5, 6, 7_000_000, time.UTC),
	}
	if !e.subject.Cannot.TypeHeaders {
		header["long"], header["double"] = int64(1)<<40, 2.5
		e.roundTrip(connections.Message{Body: []byte("a"), Header: header})
		return
	}
	m := connections.Message{Body: []byte("a"), Header: header}
	e.sendTo(e.queue, m)
	d := e.receive(e.receiver(e.queue))
	for name, v := range header {
		want, err := types.Format(v)
		e.must("format "+name, err)
		if d.Header[name] != want {
			e.fail("got header %s %#v, want %q", name, d.Header[name], want)
		}
	}
	e.settle(d, framework.Accept)
}

func checkNoSharing(e *env) {
	m := text("untouched")
	m.Header = map[string]any{"colour": "red"}
	want := text("untouched")
	want.Header = map[string]any{"colour": "red"}
	e.sendTo(e.queue, m)
	m.Body[0], m.Header["colour"] = 'X', "blue"
	in := e.receiver(e.queue)
	d := e.receive(in)
	e.same(d.Message, want)
	d.Body[0], d.Header["colour"] = 'X', "blue"
	in = e.giveBack(in, d, framework.Release)
	d = e.receive(in)
	e.same(d.Message, want)
	e.settle(d, framework.Accept)
}

func checkRelay(e *env) {
	m := text("a")
	m.Header = map[string]any{"colour": "red", "customer_no": "0042"}
	m.ReplyTo = e.newQueue()
	if e.subject.ReplyTo != nil {
		m.ReplyTo = e.subject.ReplyTo(m.ReplyTo)
	}
	if !e.subject.Cannot.KeepID {
		m.ID = "id-1"
	}
	e.sendTo(e.queue, m)
	in := e.receiver(e.queue)
	in = e.giveBack(in, e.receive(in), framework.Release) // so that it has marks of a redelivery, too
	first := e.receive(in)
	next := e.newQueue()
	e.sendTo(next, connections.Message{Body: first.Body, ContentType: first.ContentType, Text: first.Text, Header: first.Header, Native: first.Native})
	e.settle(first, framework.Accept)

	got := e.receive(e.receiver(next))
	m.ReplyTo = ""
	e.same(got.Message, m)
	switch {
	case got.ReplyTo != "":
		e.fail("got ReplyTo %q, want none: it was for the first receiver", got.ReplyTo)
	case got.ID != nil && reflect.DeepEqual(got.ID, first.ID):
		e.fail("got the first message's id %#v", got.ID)
	case got.Identity != "" && got.Identity == first.Identity:
		e.fail("got the first message's identity %q", got.Identity)
	case got.Count != 0:
		e.fail("got a new message with %d deliveries", got.Count)
	}
	e.settle(got, framework.Accept)
}
