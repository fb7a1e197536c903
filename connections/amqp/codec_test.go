package amqp

import (
	"math"
	"reflect"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/Azure/go-amqp"
	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/connections"
)

// wire sends m over the wire.
func wire(t interface{ Fatal(...any) }, m *amqp.Message) *amqp.Message {
	b, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	got := new(amqp.Message)
	if err := got.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	return got
}

// send encodes m and returns what arrives.
func send(t interface{ Fatal(...any) }, m connections.Message) *amqp.Message {
	out, err := encode(&m, nil)
	if err != nil {
		t.Fatal(err)
	}
	return wire(t, out)
}

func TestDecodeBody(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123)
	for _, tt := range []struct {
		name    string
		message amqp.Message
		want    string
		text    bool
		json    bool
	}{
		{"data", amqp.Message{Data: [][]byte{[]byte("\x00\xff")}}, "\x00\xff", false, false},
		{"several data sections", amqp.Message{Data: [][]byte{[]byte("a"), nil, []byte("b")}}, "ab", false, false},
		{"text as data", amqp.Message{Annotations: amqp.Annotations{jmsMessageType: jmsText}, Data: [][]byte{[]byte("a")}}, "a", true, false},
		{"string", amqp.Message{Value: "é"}, "é", true, false},
		{"empty string", amqp.Message{Value: ""}, "", true, false},
		{"binary", amqp.Message{Value: []byte("\x00")}, "\x00", false, false},
		{"null", amqp.Message{Value: amqp.Null{}}, "", false, false},
		{"null of a JMS text message", amqp.Message{Annotations: amqp.Annotations{jmsMessageType: jmsText}, Value: amqp.Null{}}, "", true, false},
		{"none", amqp.Message{}, "", false, false},
		{"map", amqp.Message{Value: map[string]any{"b": int64(1), "a": map[string]any{"<": true}, "n": nil}}, `{"a":{"<":true},"b":1,"n":null}`, true, true},
		{"map with other keys", amqp.Message{Value: map[any]any{int32(1): "i", true: "b", amqp.UUID{}: "u", at: "t"}},
			`{"00000000-0000-0000-0000-000000000000":"u","1":"i","2023-11-14T22:13:20.123Z":"t","true":"b"}`, true, true},
		{"list", amqp.Message{Value: []any{"a", uint64(math.MaxUint64), int64(math.MinInt64), 1.5, float32(0.1), []byte("b"), at, amqp.UUID{1}, math.NaN(), math.Inf(-1)}},
			`["a",18446744073709551615,-9223372036854775808,1.5,0.1,"Yg==","2023-11-14T22:13:20.123Z","01000000-0000-0000-0000-000000000000","NaN","-Inf"]`, true, true},
		{"array", amqp.Message{Value: []int16{1, -2}}, `[1,-2]`, true, true},
		{"array of symbols", amqp.Message{Value: []amqp.Symbol{"a"}}, `["a"]`, true, true},
		{"number", amqp.Message{Value: int32(-7)}, `-7`, true, true},
		{"boolean", amqp.Message{Value: false}, `false`, true, true},
		{"sequence", amqp.Message{Sequence: [][]any{{"a", int32(1)}, {}, {nil}}}, `["a",1,null]`, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := decode(wire(t, &tt.message))
			if string(d.Body) != tt.want || d.Text != tt.text || d.Bad != nil {
				t.Errorf("got %q, text %t, bad %v, want %q, text %t", d.Body, d.Text, d.Bad, tt.want, tt.text)
			}
			if got := d.ContentType == jsonType; got != tt.json {
				t.Errorf("got content type %q, want JSON %t", d.ContentType, tt.json)
			}
		})
	}
}

func TestDecodeProperties(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	in := &amqp.Message{
		Header:      &amqp.MessageHeader{Durable: true, Priority: 7, TTL: time.Minute, DeliveryCount: 3},
		Annotations: amqp.Annotations{"x-opt-a": "a"},
		Properties: &amqp.MessageProperties{MessageID: uint64(5), CorrelationID: "c", ReplyTo: new("r"), ContentType: new("text/plain"),
			GroupID: new("g"), CreationTime: &at},
		ApplicationProperties: map[string]any{"colour": "red", "none": nil, "i": int8(1)},
		Value:                 "hi",
	}
	m := wire(t, in)
	got := decode(m)
	want := connections.Delivery{Count: 3, Message: connections.Message{
		Body: []byte("hi"), ContentType: "text/plain", Text: true, Header: map[string]any{"colour": "red", "i": int8(1)},
		ID: uint64(5), Identity: "ulong:5", CorrelationID: "c", ReplyTo: "r", Correlate: "c", Key: "g", Priority: new(7), TTL: time.Minute, Time: at, Native: m,
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, ok := m.ApplicationProperties["none"]; !ok {
		t.Error("the native message lost a property")
	}
	if d := decode(wire(t, &amqp.Message{Properties: &amqp.MessageProperties{MessageID: "m"}, Data: [][]byte{nil}})); d.Correlate != "m" {
		t.Errorf("without a correlation id: got Correlate %v, want the message id", d.Correlate)
	}
	if d := decode(wire(t, &amqp.Message{Data: [][]byte{nil}})); d.Identity != "" || d.ID != nil || d.Correlate != nil || d.Priority != nil {
		t.Errorf("without properties: got %+v, want nothing", d)
	}
}

func TestDecodeReplyTo(t *testing.T) {
	for _, tt := range []struct {
		replyTo    string
		annotation any
		want       string
	}{
		{"r", nil, "r"}, {"r", int8(0), "r"}, {"r", int8(2), "r"}, {"r", "topic", "r"},
		{"r", int8(1), "topic://r"}, {"r", int8(3), "topic://r"}, // topic, temporary topic
		{"topic://r", int8(1), "topic://r"}, {"temp-topic://r", int8(3), "temp-topic://r"}, // Classic
	} {
		m := &amqp.Message{Annotations: amqp.Annotations{jmsReplyTo: tt.annotation}, Properties: &amqp.MessageProperties{ReplyTo: &tt.replyTo}, Value: "x"}
		if got := decode(wire(t, m)).ReplyTo; got != tt.want {
			t.Errorf("%s, %v: got %q, want %q", tt.replyTo, tt.annotation, got, tt.want)
		}
	}
}

func TestIdentity(t *testing.T) {
	uuid := amqp.UUID{0x12, 0x34}
	seen := make(map[string]any)
	for _, tt := range []struct {
		id   any
		want string
	}{
		{nil, ""}, {"", ""}, {"1", "1"}, {"ID:a-1", "ID:a-1"}, {"http://a:1", "http://a:1"}, {"ulong", "ulong"},
		{uint64(1), "ulong:1"}, {"ulong:1", "string:ulong:1"}, {"string:ulong:1", "string:string:ulong:1"},
		{uuid, "uuid:12340000-0000-0000-0000-000000000000"}, {uuid.String(), uuid.String()},
		{[]byte{1}, "binary:01"}, {"binary:01", "string:binary:01"}, {int32(1), "other:1"},
	} {
		got := canonical(tt.id)
		if got != tt.want {
			t.Errorf("%#v: got %q, want %q", tt.id, got, tt.want)
		}
		if other, ok := seen[got]; ok && got != "" {
			t.Errorf("%#v and %#v are both %q", tt.id, other, got)
		}
		seen[got] = tt.id
	}
}

func TestEncodeBody(t *testing.T) {
	attributes := map[string]any{connections.Prefix + "specversion": "1.0"}
	for _, tt := range []struct {
		name    string
		message connections.Message
		want    any // a string or bytes
		jms     int8
	}{
		{"text", connections.Message{Body: []byte("é"), Text: true, ContentType: "text/plain"}, "é", jmsText},
		{"text that is none", connections.Message{Body: []byte("\xff"), Text: true}, []byte("\xff"), jmsBytes},
		{"bytes", connections.Message{Body: []byte("a"), ContentType: "text/plain"}, []byte("a"), jmsBytes},
		{"nothing", connections.Message{}, []byte{}, jmsBytes},
		{"text of a CloudEvent", connections.Message{Body: []byte("a"), Text: true, Header: attributes}, []byte("a"), jmsText},
		{"bytes of a CloudEvent", connections.Message{Body: []byte("a"), Header: attributes}, []byte("a"), jmsBytes},
		{"structured CloudEvent", connections.Message{Body: []byte("{}"), Text: true, ContentType: event.ApplicationCloudEventsJSON}, []byte("{}"), jmsText},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := send(t, tt.message)
			var body any = got.Value
			if got.Data != nil {
				body = got.Data[0]
			}
			if !reflect.DeepEqual(body, tt.want) || got.Annotations[jmsMessageType] != tt.jms {
				t.Errorf("got %#v, type %v, want %#v, type %v", body, got.Annotations[jmsMessageType], tt.want, tt.jms)
			}
			if text(got.Properties.ContentType) != tt.message.ContentType {
				t.Errorf("got content type %q, want %q", text(got.Properties.ContentType), tt.message.ContentType)
			}
		})
	}
}

func TestEncodeHeader(t *testing.T) {
	for _, tt := range []struct {
		name    string
		message connections.Message
		want    amqp.MessageHeader
	}{
		{"default", connections.Message{}, amqp.MessageHeader{Durable: true, Priority: 4}},
		{"priority", connections.Message{Priority: new(0)}, amqp.MessageHeader{Durable: true}},
		{"priority too high", connections.Message{Priority: new(300)}, amqp.MessageHeader{Durable: true, Priority: 9}},
		{"TTL", connections.Message{TTL: time.Second}, amqp.MessageHeader{Durable: true, Priority: 4, TTL: time.Second}},
		{"TTL that is almost nothing", connections.Message{TTL: 1}, amqp.MessageHeader{Durable: true, Priority: 4, TTL: time.Millisecond}},
		{"TTL of 100 days", connections.Message{TTL: 2400 * time.Hour}, amqp.MessageHeader{Durable: true, Priority: 4}},
	} {
		got := send(t, tt.message)
		if *got.Header != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, *got.Header, tt.want)
		}
		if at := got.Properties.AbsoluteExpiryTime; (at != nil) != (tt.message.TTL > math.MaxUint32*time.Millisecond) {
			t.Errorf("%s: got expiry time %v", tt.name, at)
		}
	}
}

func TestEncodeProperties(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	got := send(t, connections.Message{ID: "i", CorrelationID: amqp.UUID{1}, ReplyTo: "r", Key: "k", Time: at, ContentType: "a/b"}).Properties
	want := &amqp.MessageProperties{MessageID: "i", CorrelationID: amqp.UUID{1}, ReplyTo: new("r"), GroupID: new("k"), CreationTime: got.CreationTime, ContentType: new("a/b")}
	if !reflect.DeepEqual(got, want) || !got.CreationTime.Equal(at) {
		t.Errorf("got %+v, want %+v at %v", got, want, at)
	}

	first, second := send(t, connections.Message{}).Properties, send(t, connections.Message{ID: ""}).Properties
	if first.MessageID == second.MessageID || first.MessageID == "" {
		t.Errorf("got ids %v and %v, want two", first.MessageID, second.MessageID)
	}
	if time.Since(*first.CreationTime).Abs() > time.Minute {
		t.Errorf("got creation time %v, want now", first.CreationTime)
	}
	if _, err := encode(&connections.Message{ID: struct{}{}}, nil); err == nil {
		t.Error("id without a form: got no error, want one")
	}
}

func TestEncodeApplicationProperties(t *testing.T) {
	at := time.Date(2026, 2, 3, 4, 5, 6, 7_000_000, time.UTC)
	header := map[string]any{
		"s": "v", "b": true, "bytes": []byte{1}, "i": int32(1), "u": amqp.UUID{1}, "sym": amqp.Symbol("y"), "t": at, "none": nil,
		connections.Prefix + "n":    int32(7),
		connections.Prefix + "uri":  types.URI{URL: types.ParseURI("http://a").URL},
		connections.Prefix + "ms":   types.Timestamp{Time: at},
		connections.Prefix + "nano": types.Timestamp{Time: at.Add(1)},
	}
	got := send(t, connections.Message{Header: header}).ApplicationProperties
	want := map[string]any{
		"s": "v", "b": true, "bytes": []byte{1}, "i": int32(1), "u": amqp.UUID{1}, "sym": "y", "t": at, "none": nil,
		connections.Prefix + "n":    int64(7), // an Integer of a CloudEvent is a long
		connections.Prefix + "uri":  "http://a",
		connections.Prefix + "ms":   at,
		connections.Prefix + "nano": "2026-02-03T04:05:06.007000001Z", // finer than AMQP's
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("properties (-want +got):\n%s", diff)
	}
	if _, err := encode(&connections.Message{Header: map[string]any{"x": []any{1}}}, nil); err == nil {
		t.Error("a list as a property: got no error, want one")
	}
}

func TestBindingHeaders(t *testing.T) {
	native := &amqp.Message{ApplicationProperties: map[string]any{"env": "theirs", "a": "native"}, Value: "x"}
	out, err := encode(&connections.Message{Native: native, Header: map[string]any{"b": "message"}}, map[string]string{"env": "ours", "b": "binding"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"env": "ours", "a": "native", "b": "message"}, out.ApplicationProperties); diff != "" {
		t.Errorf("properties (-want +got):\n%s", diff)
	}
}

func TestRelay(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	received := wire(t, &amqp.Message{
		Header:              &amqp.MessageHeader{Priority: 7, TTL: time.Minute, DeliveryCount: 2, FirstAcquirer: true},
		DeliveryAnnotations: amqp.Annotations{"x-opt-da": "d"},
		Annotations:         amqp.Annotations{jmsMessageType: int8(2), "x-opt-own": "o", jmsReplyTo: int8(1), "x-opt-jms-dest": int8(0), "x-opt-delivery-delay": int64(5)},
		Properties: &amqp.MessageProperties{MessageID: "first", UserID: []byte("u"), To: new("q"), Subject: new("s"), ReplyTo: new("r"), CorrelationID: "c",
			ContentType: new("x/y"), ContentEncoding: new("gzip"), CreationTime: &at, GroupID: new("g"), GroupSequence: new(uint32(3))},
		ApplicationProperties: map[string]any{"colour": "red", "_AMQ_DUPL_ID": "d", "JMSXDeliveryCount": int32(2), "cloudEvents:old": "o"},
		Value:                 map[string]any{"a": int64(1)},
		Footer:                amqp.Annotations{"x-opt-sum": "1"},
	})
	d := decode(received)
	relay := connections.Message{Body: d.Body, ContentType: d.ContentType, Text: d.Text, Header: d.Header, Native: d.Native}
	got := send(t, relay)

	if diff := cmp.Diff(&amqp.MessageHeader{Durable: true, Priority: 7, TTL: time.Minute}, got.Header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(amqp.Annotations{jmsMessageType: int8(2), "x-opt-own": "o"}, got.Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	want := &amqp.MessageProperties{MessageID: got.Properties.MessageID, Subject: new("s"), CorrelationID: "c", ContentType: new("x/y"), ContentEncoding: new("gzip"),
		CreationTime: got.Properties.CreationTime, GroupID: new("g"), GroupSequence: new(uint32(3))}
	if diff := cmp.Diff(want, got.Properties); diff != "" || got.Properties.MessageID == "first" || !got.Properties.CreationTime.Equal(at) {
		t.Errorf("properties (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"colour": "red", "cloudEvents:old": "o"}, got.ApplicationProperties); diff != "" {
		t.Errorf("application properties (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(received.Value, got.Value); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if got.Footer["x-opt-sum"] != "1" || got.DeliveryAnnotations["x-opt-da"] != "d" {
		t.Errorf("got footer %v and delivery annotations %v, want what came", got.Footer, got.DeliveryAnnotations)
	}

	t.Run("with changes", func(t *testing.T) {
		changed := relay
		changed.Body, changed.ContentType, changed.Text = []byte("new"), "text/plain", true
		changed.CorrelationID, changed.Key, changed.Priority, changed.TTL, changed.ID = "other", "k", new(1), time.Hour, "second"
		changed.Header = map[string]any{"colour": "blue", "_AMQ_DUPL_ID": "mine", connections.Prefix + "specversion": "1.0"}
		got := send(t, changed)
		if string(got.Data[0]) != "new" || got.Value != nil || got.Annotations[jmsMessageType] != jmsText || got.Annotations["x-opt-own"] != "o" {
			t.Errorf("got %+v, want the new body with its own type", got)
		}
		p := got.Properties
		if *p.ContentType != "text/plain" || p.ContentEncoding != nil || p.CorrelationID != "other" || *p.GroupID != "k" || p.MessageID != "second" {
			t.Errorf("got properties %+v, want the new ones", p)
		}
		if got.Header.Priority != 1 || got.Header.TTL != time.Hour {
			t.Errorf("got header %+v, want the new one", got.Header)
		}
		// What the function says wins, even if it is of the kind that is not inherited; the old event's attributes are gone.
		if diff := cmp.Diff(map[string]any{"colour": "blue", "_AMQ_DUPL_ID": "mine", connections.Prefix + "specversion": "1.0"}, got.ApplicationProperties); diff != "" {
			t.Errorf("application properties (-want +got):\n%s", diff)
		}
	})
	t.Run("for ever", func(t *testing.T) {
		received.Properties.AbsoluteExpiryTime = &at
		forever := relay
		forever.TTL = -1
		if got := send(t, forever); got.Header.TTL != 0 || got.Properties.AbsoluteExpiryTime != nil {
			t.Errorf("got TTL %v, expiry %v, want none", got.Header.TTL, got.Properties.AbsoluteExpiryTime)
		}
	})
	t.Run("without a body", func(t *testing.T) {
		empty := wire(t, &amqp.Message{ApplicationProperties: map[string]any{"a": "b"}})
		if got := send(t, connections.Message{Native: empty}); got.Data != nil || got.Value != nil || got.ApplicationProperties["a"] != "b" {
			t.Errorf("got %+v, want no body", got)
		}
	})
	t.Run("reserved annotation", func(t *testing.T) {
		odd := &amqp.Message{Annotations: amqp.Annotations{uint64(1): "x", int64(2): "y"}, Value: "x"}
		if got := send(t, connections.Message{Native: odd, Body: []byte("x"), Text: true}); len(got.Annotations) != 1 {
			t.Errorf("got annotations %v, want only what can be sent", got.Annotations)
		}
	})
}

// Native of another driver is no business of this one.
func TestRelayFromElsewhere(t *testing.T) {
	got := send(t, connections.Message{Body: []byte("a"), Native: "frame", Header: map[string]any{"_AMQ_DUPL_ID": "d"}})
	if string(got.Data[0]) != "a" || got.ApplicationProperties["_AMQ_DUPL_ID"] != "d" {
		t.Errorf("got %+v, want an ordinary message", got)
	}
}

func TestCloudEvent(t *testing.T) {
	ev := event.New()
	ev.SetID("1")
	ev.SetSource("/a")
	ev.SetType("t")
	ev.SetTime(time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC))
	ev.SetExtension("num", 7)
	ev.SetExtension("flag", true)
	ev.SetExtension("bin", []byte{1})
	ev.SetExtension("at", time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC))
	if err := ev.SetData(event.ApplicationJSON, map[string]int{"a": 1}); err != nil {
		t.Fatal(err)
	}
	m, err := connections.Encode(ev)
	if err != nil {
		t.Fatal(err)
	}
	got := send(t, m)
	if string(got.Data[0]) != `{"a":1}` || *got.Properties.ContentType != "application/json" {
		t.Errorf("got %+v, want the data in a Data section", got)
	}
	d := decode(got)
	events, _, err := connections.NewCodec("c", "q").Decode(&d.Message)
	if err != nil || len(events) != 1 {
		t.Fatalf("got %v and error %v, want the event", events, err)
	}
	if diff := cmp.Diff(ev.String(), events[0].String()); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(ev.Extensions(), events[0].Extensions()); diff != "" {
		t.Errorf("extensions (-want +got):\n%s", diff)
	}
}

// What is sent arrives.
func TestRoundTrip(t *testing.T) {
	value := rapid.OneOf(
		rapid.String().Filter(utf8.ValidString).AsAny(), rapid.Bool().AsAny(), rapid.Int32().AsAny(), rapid.Int64().AsAny(), rapid.Uint8().AsAny(),
		rapid.Float64().Filter(func(f float64) bool { return f == f }).AsAny(), rapid.SliceOf(rapid.Byte()).AsAny(),
	)
	id := rapid.OneOf(rapid.StringN(1, 50, -1).AsAny(), rapid.Uint64().AsAny(), rapid.SliceOfN(rapid.Byte(), 1, 20).AsAny(),
		rapid.Custom(func(t *rapid.T) amqp.UUID { return amqp.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid")) }).AsAny())
	name := rapid.StringMatching(`[a-z][a-zA-Z0-9_-]{0,10}`)
	rapid.Check(t, func(t *rapid.T) {
		in := connections.Message{
			Body:          rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
			ContentType:   rapid.SampledFrom([]string{"", "text/plain", "application/json"}).Draw(t, "content type"),
			Header:        rapid.MapOfN(name, value, 1, 5).Draw(t, "header"),
			ID:            id.Draw(t, "id"),
			CorrelationID: id.Draw(t, "correlation id"),
			ReplyTo:       name.Draw(t, "reply to"),
			Key:           name.Draw(t, "key"),
			TTL:           time.Duration(rapid.Uint32().Draw(t, "ttl")) * time.Millisecond,
			Time:          time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(t, "time")).UTC(),
			Priority:      new(rapid.IntRange(0, 9).Draw(t, "priority")),
		}
		in.Text = utf8.Valid(in.Body) && rapid.Bool().Draw(t, "text")
		m := send(t, in)
		got := decode(m)

		want := in
		want.Native, want.Identity, want.Correlate = m, canonical(in.ID), in.CorrelationID
		if *in.Priority == defaultPriority {
			want.Priority = nil
		}
		want.Body = append([]byte{}, in.Body...) // never nil on the wire
		for k, v := range want.Header {
			if b, ok := v.([]byte); ok {
				want.Header[k] = append([]byte{}, b...)
			}
		}
		if got.Bad != nil || !reflect.DeepEqual(got.Message, want) {
			t.Fatalf("got %+v (%v), want %+v", got.Message, got.Bad, want)
		}
	})
}
