package stomp

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/connections"
)

// messageFrame returns the frame that text, without its NUL, is read as.
func messageFrame(t testing.TB, text string) *frame.Frame {
	t.Helper()
	r := newFrameReader(strings.NewReader(text + "\x00"))
	r.version = v12
	f, err := r.next()
	if err != nil {
		t.Fatalf("read %q: %v", text, err)
	}
	return f.Frame
}

// The frames are what the brokers really send.
func TestReceivedMessage(t *testing.T) {
	tests := []struct {
		name  string
		kind  kind
		frame string
		want  connections.Message
	}{{
		name: "text from Artemis", kind: artemis,
		frame: "MESSAGE\nsubscription:1\nmessage-id:438,431\ndestination:/queue/q\ncorrelation-id:c1\nexpires:0\nredelivered:false\npriority:7\npersistent:true\n" +
			"reply-to:/queue/back\ntimestamp:1795254546130\ntype:mytype\ncontent-type:text/plain\ndestination-type:ANYCAST\n_AMQ_GROUP_ID:g1\nreceipt:r1\nfoo:bar\nack:438,431\ncontent-length:4\n\ntext",
		want: connections.Message{
			Body: []byte("text"), ContentType: "text/plain", Text: true,
			Header: map[string]any{"correlation-id": "c1", "expires": "0", "priority": "7", "persistent": "true", "reply-to": "/queue/back",
				"timestamp": "1795254546130", "type": "mytype", "_AMQ_GROUP_ID": "g1", "foo": "bar"},
			ID: "431@1795254546130", Identity: "431@1795254546130", CorrelationID: "c1", Correlate: "c1",
			ReplyTo: "/queue/back", Key: "g1", Priority: new(7), Time: time.UnixMilli(1795254546130),
		},
	}, {
		name: "bytes from Artemis", kind: artemis,
		frame: "MESSAGE\nsubscription:1\ncontent-length:2\nmessage-id:438,433\ndestination:q\ntimestamp:5\npriority:4\nack:438,433\n\na\x00",
		want: connections.Message{
			Body: []byte("a\x00"), Header: map[string]any{"timestamp": "5", "priority": "4"}, Priority: new(4),
			ID: "433@5", Identity: "433@5", Correlate: "433@5", Time: time.UnixMilli(5),
		},
	}, {
		name: "what a sender cannot feign on Artemis", kind: artemis, // its headers come again, after the broker's
		frame: "MESSAGE\nsubscription:1\nmessage-id:457,454\ntimestamp:7\nredelivered:false\nredelivered:true\nack:evil\nmessage-id:mine\nsubscription:evil\ntimestamp:12345\nack:457,454\ncontent-length:1\n\nA",
		want: connections.Message{
			Body: []byte("A"), Text: true, Header: map[string]any{"timestamp": "7"},
			ID: "454@7", Identity: "454@7", Correlate: "454@7", Time: time.UnixMilli(7),
		},
	}, {
		name: "text from Classic", kind: classic,
		frame: "MESSAGE\nexpires:0\ndestination:/queue/q\nack:ID\\cvm-1\nsubscription:1\npriority:4\nmessage-id:ID\\cvm-2\\c-1\\c1\nfairlead_key:g1\ntimestamp:1795254547790\n\ntext",
		want: connections.Message{
			Body: []byte("text"), Text: true, Header: map[string]any{"expires": "0", "priority": "4", "timestamp": "1795254547790"},
			ID: "ID:vm-2:-1:1", Identity: "ID:vm-2:-1:1", Correlate: "ID:vm-2:-1:1", Key: "g1", Priority: new(4), Time: time.UnixMilli(1795254547790),
		},
	}, {
		name: "bytes from Classic", kind: classic,
		frame: "MESSAGE\ncontent-length:1\nmessage-id:ID\\cvm-2\n\na",
		want:  connections.Message{Body: []byte("a"), Header: map[string]any{}, ID: "ID:vm-2", Identity: "ID:vm-2", Correlate: "ID:vm-2"},
	}, {
		name: "from RabbitMQ", kind: rabbit,
		frame: "MESSAGE\nsubscription:1\ndestination:/queue/q\nmessage-id:T_1@@session-x@@1\nredelivered:false\nack:T_1@@session-x@@1\nJMSXGroupID:g1\nexpiration:60000\ntimestamp:1795254546\ncontent-length:1\n\na",
		want: connections.Message{
			Body: []byte("a"), Header: map[string]any{"JMSXGroupID": "g1", "expiration": "60000", "timestamp": "1795254546"},
			Correlate: "T_1@@session-x@@1", Key: "g1", TTL: time.Minute, Time: time.Unix(1795254546, 0),
		},
	}, {
		name: "a sender's id on RabbitMQ", kind: rabbit,
		frame: "MESSAGE\nmessage-id:T_1@@session-x@@1\namqp-message-id:mine\n\n",
		want:  connections.Message{Header: map[string]any{}, Text: true, ID: "mine", Identity: "mine", Correlate: "mine"},
	}, {
		name: "a sender's id on Artemis", kind: artemis,
		frame: "MESSAGE\nmessage-id:1,2\ntimestamp:5\nfairlead_id:mine\n\n",
		want:  connections.Message{Header: map[string]any{"timestamp": "5"}, Text: true, ID: "mine", Identity: "mine", Correlate: "mine", Time: time.UnixMilli(5)},
	}, {
		name: "from an unknown broker", kind: unknown,
		frame: "MESSAGE\nmessage-id:1\npriority:high\nexpires:soon\ntimestamp:now\n\n",
		want:  connections.Message{Header: map[string]any{"priority": "high", "expires": "soon", "timestamp": "now"}, Text: true, Correlate: "1"},
	}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := messageFrame(t, test.frame)
			test.want.Native = f
			if test.want.Body == nil {
				test.want.Body = []byte{}
			}
			got := test.kind.message(f)
			if diff := cmp.Diff(test.want, got, cmp.Comparer(func(a, b *frame.Frame) bool { return a == b })); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestReceivedExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			expires time.Time
			want    time.Duration
		}{
			{time.Now().Add(5 * time.Second), 5 * time.Second},
			{time.Now().Add(-time.Second), time.Millisecond}, // by another clock; 0 would be for ever
		} {
			h := frame.NewHeader("expires", text(test.expires.UnixMilli()))
			if got := artemis.ttl(h); got != test.want {
				t.Errorf("got TTL %v at %v for %v, want %v", got, time.Now(), h, test.want)
			}
		}
	})
}

func TestSentFrame(t *testing.T) {
	tests := []struct {
		name    string
		kind    kind
		target  Target
		message connections.Message
		want    []string // headers, but for persistent:true at the end
	}{{
		name: "text to Artemis", kind: artemis, target: Target{Destination: connections.Destination{Queue: "q"}},
		message: connections.Message{Body: []byte("a"), Text: true, ContentType: "text/plain"},
		want:    []string{"destination", "q", "destination-type", "ANYCAST", "content-type", "text/plain"},
	}, {
		name: "bytes to a topic on Artemis", kind: artemis, target: Target{Destination: connections.Destination{Topic: "t"}},
		message: connections.Message{Body: []byte("abc")},
		want:    []string{"destination", "t", "destination-type", "MULTICAST", "content-length", "3"},
	}, {
		name: "text with a NUL", kind: classic, target: Target{Destination: connections.Destination{Queue: "q"}},
		message: connections.Message{Body: []byte("a\x00"), Text: true},
		want:    []string{"destination", "/queue/q", "content-length", "2"},
	}, {
		name: "text that is not UTF-8", kind: classic, target: Target{Destination: connections.Destination{Topic: "t"}},
		message: connections.Message{Body: []byte("\xff"), Text: true},
		want:    []string{"destination", "/topic/t", "content-length", "1"},
	}, {
		name: "every field, on Classic", kind: classic, target: Target{Destination: connections.Destination{Queue: "/topic/as/it/is"}},
		message: connections.Message{Text: true, ID: "i", CorrelationID: []byte("c"), ReplyTo: "/queue/r", Key: "k", Priority: new(9)},
		want: []string{"destination", "/topic/as/it/is", "JMSXGroupID", "k", "fairlead_key", "k", "fairlead_id", "i",
			"correlation-id", "Yw==", "reply-to", "/queue/r", "priority", "9"},
	}, {
		name: "every field, on RabbitMQ", kind: rabbit, target: Target{Destination: connections.Destination{Queue: "a/b%"}},
		message: connections.Message{Text: true, ID: 17, Key: "k", TTL: time.Nanosecond},
		want:    []string{"destination", "/queue/a%2Fb%25", "JMSXGroupID", "k", "amqp-message-id", "17", "expiration", "1"},
	}, {
		name: "the binding's headers, unless the message has its own", kind: rabbit,
		target:  Target{Destination: connections.Destination{Queue: "q"}, Headers: map[string]string{"colour": "red"}},
		message: connections.Message{Text: true, Header: map[string]any{"colour": "blue"}},
		want:    []string{"destination", "/queue/q", "colour", "blue"},
	}, {
		name: "the binding's headers", kind: rabbit,
		target:  Target{Destination: connections.Destination{Queue: "q"}, Headers: map[string]string{"colour": "red"}},
		message: connections.Message{Text: true},
		want:    []string{"destination", "/queue/q", "colour", "red"},
	}, {
		name: "a relay does not take along what was one delivery's", kind: artemis, target: Target{Destination: connections.Destination{Queue: "q"}},
		message: connections.Message{Text: true, Header: map[string]any{
			"message-id": "1", "redelivered": "true", "ack": "1", "subscription": "1", "receipt": "1", "transaction": "t", "reply-to": "r",
			"_AMQ_DUPL_ID": "1", "delivery-count": "3", "JMSXDeliveryCount": "3", "timestamp": "5", "content-length": "7", "destination": "x",
			"destination-type": "x", "fairlead_id": "1", "amqp-message-id": "1", "_AMQ_GROUP_ID": "g",
		}},
		want: []string{"destination", "q", "destination-type", "ANYCAST", "JMSXGroupID", "g"},
	}, {
		name: "a native name that a JMS client wrote", kind: artemis, target: Target{Destination: connections.Destination{Queue: "temp-queue://x", Native: true}},
		message: connections.Message{Text: true},
		want:    []string{"destination", "x", "destination-type", "ANYCAST"},
	}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := test.kind.sendFrame(&test.target, &test.message)
			want := append(test.want, "persistent", "true")
			if diff := cmp.Diff(want, headersOf(f)); diff != "" || f.Command != frame.SEND || !bytes.Equal(f.Body, test.message.Body) {
				t.Errorf("got %s with body %q; headers, -want +got:\n%s", f.Command, f.Body, diff)
			}
		})
	}
}

func TestSentExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := connections.Message{TTL: time.Minute, Header: map[string]any{"expires": "1", "persistent": "false"}}
		h := classic.sendFrame(&Target{}, &m).Header
		if got, want := h.Get("expires"), text(time.Now().Add(time.Minute).UnixMilli()); got != want || h.Get("persistent") != "false" {
			t.Errorf("got %v, want expires:%s, and persistent:false kept", h, want)
		}
	})
}

func TestText(t *testing.T) {
	type other struct{ A, B int }
	for want, v := range map[string]any{
		"": nil, "a": "a", "true": true, "-7": int64(-7), "1099511627776": int64(1) << 40, "2.5": 2.5, "0.1": float32(0.1), "1e+300": 1e300, "18446744073709551615": uint64(math.MaxUint64),
		"AP8=": []byte{0, 255}, "2026-02-03T04:05:06Z": time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC), "{1 2}": other{1, 2},
	} {
		if got := text(v); got != want {
			t.Errorf("%#v: got %q, want %q", v, got, want)
		}
	}
}

// delivered turns a SEND frame into the MESSAGE frame that a broker makes of it.
func delivered(t testing.TB, sent *frame.Frame) *frame.Frame {
	t.Helper()
	f := frame.New(frame.MESSAGE, frame.MessageId, "1,2", "timestamp", "5")
	f.Header.AddHeader(sent.Header)
	f.Body = sent.Body
	text, err := appendFrame(nil, f, v12)
	if err != nil {
		t.Skip(err) // STOMP cannot carry it
	}
	return messageFrame(t, string(text[:len(text)-1]))
}

func TestMessageRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		word := rapid.StringMatching(`[a-zé:\\ \n]{1,8}`)
		m := connections.Message{
			Body: rapid.SliceOf(rapid.Byte()).Draw(rt, "body"), ContentType: rapid.SampledFrom([]string{"", "text/plain", "a: b"}).Draw(rt, "type"),
			Text: rapid.Bool().Draw(rt, "text"), Header: map[string]any{}, Key: word.Draw(rt, "key"), ID: word.Draw(rt, "id"),
			CorrelationID: word.Draw(rt, "correlation"), ReplyTo: word.Draw(rt, "reply-to"), Priority: new(rapid.IntRange(0, 9).Draw(rt, "priority")),
		}
		for range rapid.IntRange(0, 5).Draw(rt, "headers") {
			m.Header["x"+word.Draw(rt, "name")] = word.Draw(rt, "value")
		}
		k := rapid.SampledFrom([]kind{artemis, classic, rabbit, embedded, unknown}).Draw(rt, "kind")
		got := k.message(delivered(t, k.sendFrame(&Target{Destination: connections.Destination{Queue: "q"}}, &m)))
		for name, v := range m.Header {
			if got.Header[name] != v {
				rt.Fatalf("header %q: got %q, want %q", name, got.Header[name], v)
			}
		}
		m.Header, got.Header, got.Native, got.Time = nil, nil, nil, time.Time{}
		m.Identity, m.Correlate, m.Text = m.ID.(string), m.CorrelationID, got.Text // text depends on the body
		if diff := cmp.Diff(m, got); diff != "" {
			rt.Fatalf("-sent +received:\n%s", diff)
		}
	})
}

// FuzzMessage maps any frame to a message and back: nothing panics, and what a
// relay sends has nothing of the delivery.
func FuzzMessage(f *testing.F) {
	f.Add("MESSAGE\nmessage-id:1,2\nexpires:99999999999999999999\npriority:-1\ntimestamp:9223372036854775807\n\nbody", 1)
	f.Add("MESSAGE\nmessage-id:,\nack:\nexpiration:-5\nfairlead_id:\ncontent-length:0\n\n", 3)
	f.Fuzz(func(t *testing.T, in string, n int) {
		r := newFrameReader(strings.NewReader(in + "\x00"))
		r.version = v12
		got, err := r.next()
		if err != nil {
			return
		}
		k := kind(uint(n) % 5)
		m := k.message(got.Frame)
		if m.TTL < 0 || len(m.Header) > got.Header.Len() {
			t.Errorf("got TTL %v and %d headers of %d", m.TTL, len(m.Header), got.Header.Len())
		}
		relay := connections.Message{Body: m.Body, ContentType: m.ContentType, Text: m.Text, Header: m.Header, Native: m.Native}
		sent := k.sendFrame(&Target{Destination: connections.Destination{Queue: "q"}}, &relay).Header
		for _, name := range []string{"message-id", "ack", "subscription", "receipt", "transaction", "reply-to", "redelivered", IDHeader} {
			if value, ok := sent.Contains(name); ok {
				t.Errorf("the relayed message has %s:%s", name, value)
			}
		}
	})
}
