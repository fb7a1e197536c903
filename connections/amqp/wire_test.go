package amqp

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
)

// raw is a value in its encoded form.
func raw(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			b = append(b, byte(p))
		case string:
			b = append(b, p...)
		case []byte:
			b = append(b, p...)
		}
	}
	return b
}

// short is a list, map or array with one byte each for size and count.
func short(code, count int, parts ...any) []byte {
	body := raw(parts...)
	return raw(code, len(body)+1, count, body)
}

func section(code int, value ...any) []byte { return raw(0, 0x53, code, raw(value...)) }

func TestDecodable(t *testing.T) {
	data := section(0x75, 0xa0, 2, "hi")
	nested := raw(0x45)
	for range maxDepth + 1 {
		nested = raw(0xd0, 0, 0, (len(nested)+4)>>8, (len(nested)+4)&0xff, 0, 0, 0, 1, nested)
	}
	for _, tt := range []struct {
		name    string
		message []byte
		want    string // part of the error; empty: decodable
	}{
		{"data", data, ""},
		{"every section", raw(
			section(0x70, short(0xc0, 5, 0x41, 0x50, 7, 0x70, 0, 0, 1, 0, 0x42, 0x52, 3)),
			section(0x71, short(0xc1, 2, 0xa3, 1, "d", 0x40)),
			section(0x72, short(0xc1, 2, 0xa3, 1, "a", 0x51, 5)),
			section(0x73, short(0xc0, 1, 0xa1, 2, "id")),
			section(0x74, short(0xc1, 2, 0xa1, 1, "p", 0x41)),
			data,
			section(0x78, short(0xc1, 0)),
		), ""},
		{"several data sections", raw(data, data), ""},
		{"long description", raw(0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x75, 0xa0, 2, "hi"), ""},
		{"null value", section(0x77, 0x40), ""},
		{"map value", section(0x77, short(0xc1, 2, 0xa1, 1, "k", short(0xc0, 1, 0x41))), ""},
		{"described value", section(0x77, 0, 0xa3, 3, "a:b", 0xa1, 1, "v"), ""},
		{"array value", section(0x77, short(0xe0, 2, 0x71, 0, 0, 0, 1, 0, 0, 0, 2)), ""},
		{"no sections", nil, ""},

		{"decimal", section(0x77, 0x74, 0, 0, 0, 0), "decimal32"},
		{"char", section(0x77, 0x73, 0, 0, 0, 0x78), "char"},
		{"array of lists", section(0x77, short(0xe0, 1, 0xc0, 1, 0)), "array"},
		{"unknown type", section(0x77, 0x3f), "unknown type 0x3f"},
		{"unknown section", section(0x60, 0x40), "0x60"},
		{"wrong header", section(0x70, short(0xc0, 1, 0xa1, 1, "x")), "bool"},
		{"header with too many fields", section(0x70, short(0xc0, 6, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40)), "field count"},
		{"cut off", data[:len(data)-1], errShort.Error()},
		{"only a description", raw(0, 0x53, 0x75), errShort.Error()},
		{"binary key of an annotation", section(0x72, short(0xc1, 2, 0xa0, 1, "k", 0x40)), "map key"},
		{"list as key", section(0x77, short(0xc1, 2, 0x45, 0x40)), "map key"},
		{"described key", section(0x77, short(0xc1, 2, 0, 0x53, 1, 0x45, 0x40)), "map key"},
		{"odd map", section(0x77, short(0xc1, 1, 0xa1, 1, "k")), "size"},
		{"list longer than it is", section(0x77, 0xd0, 0, 0, 0, 5, 0, 0, 0xff, 0xff, 0x40), errShort.Error()},
		{"list shorter than it is", section(0x77, short(0xc0, 1, 0x40, 0x40)), "size"},
		{"array of nothing, long", section(0x77, 0xf0, 0, 0, 0, 5, 0, 0, 0xff, 0xff, 0x43), errShort.Error()},
		{"nested too deeply", section(0x77, nested), "nested"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := decodable(tt.message)
			if tt.want == "" && err != nil {
				t.Fatalf("got error %v, want none", err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Fatalf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// The usual messages must not be decoded twice.
func TestPlainSections(t *testing.T) {
	now := time.Now()
	usual := &amqp.Message{
		Header:                &amqp.MessageHeader{Durable: true, Priority: 4, TTL: time.Second, DeliveryCount: 3},
		DeliveryAnnotations:   amqp.Annotations{"x": int64(1)},
		Annotations:           amqp.Annotations{"x-opt-jms-msg-type": int8(5)},
		Properties:            &amqp.MessageProperties{MessageID: amqp.UUID{1}, UserID: []byte("u"), ContentType: new("text/plain"), CreationTime: &now, GroupSequence: new(uint32(7))},
		ApplicationProperties: map[string]any{"s": "v", "i": int32(1), "t": now, "n": nil, "f": 1.5},
	}
	for _, body := range []*amqp.Message{{Data: [][]byte{make([]byte, 1000)}}, {Data: [][]byte{{1}, {2}}}, {Value: "text"}, {Value: int64(1)}, {Value: amqp.Null{}}} {
		m := *usual
		m.Data, m.Value = body.Data, body.Value
		b, err := m.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if !plainSections(b) {
			t.Errorf("body %T/%d: got false, want true", m.Value, len(m.Data))
		}
	}
}

func FuzzDecodable(f *testing.F) {
	for _, m := range samples() {
		b, err := m.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(section(0x72, short(0xc1, 2, 0xa0, 1, "k", 0x40)))
	f.Add(section(0x77, 0xd0, 0, 0, 0, 5, 0, 0, 0xff, 0xff, 0x40))
	for _, tt := range foreignValues() {
		f.Add(section(0x77, tt.encoded))
		f.Add(raw(section(0x74, short(0xc1, 2, 0xa1, 1, "p", tt.encoded)), section(0x75, 0xa0, 0)))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		if instead, _ := presentable(message); instead != nil {
			message = instead
		}
		var m amqp.Message
		if err := m.UnmarshalBinary(message); err != nil {
			t.Fatalf("passed as decodable, but: %v", err)
		}
		d := decode(&m)
		out, err := encode(&connections.Message{Body: d.Body, ContentType: d.ContentType, Text: d.Text, Header: d.Header, Native: d.Native}, nil)
		if err != nil {
			return // it has what AMQP knows and our Header does not
		}
		again, err := out.MarshalBinary()
		if err != nil {
			return // names or values that are no UTF-8
		}
		if instead, err := presentable(again); err != nil {
			t.Fatalf("relayed: %v", err)
		} else if instead != nil {
			again = instead
		}
		var relayed amqp.Message
		if err := relayed.UnmarshalBinary(again); err != nil {
			t.Fatalf("relayed: %v", err)
		}
		if got := decode(&relayed); !bytes.Equal(got.Body, d.Body) {
			t.Fatalf("relayed: got body %q, want %q", got.Body, d.Body)
		}
	})
}

// samples are messages with every kind of body and property.
func samples() []*amqp.Message {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	return []*amqp.Message{
		{Data: [][]byte{[]byte("data")}},
		{Data: [][]byte{[]byte("two "), []byte("sections")}},
		{Value: "text"},
		{Value: []byte("binary")},
		{Value: map[string]any{"a": int64(1), "b": []any{true, nil, "x"}, "c": map[any]any{int32(1): "one"}}},
		{Value: []any{uint8(1), uint16(2), uint32(3), uint64(4), int8(-1), int16(-2), int32(-3), float32(1.5), 2.5, at, amqp.UUID{1}, []byte("b")}},
		{Value: []int32{1, 2, 3}},
		{Sequence: [][]any{{"a", int32(1)}, {"b"}}},
		{
			Header:              &amqp.MessageHeader{Durable: true, Priority: 7, TTL: time.Minute, DeliveryCount: 2},
			DeliveryAnnotations: amqp.Annotations{"x-opt-da": "d"},
			Annotations:         amqp.Annotations{"x-opt-jms-msg-type": int8(5), "x-opt-jms-reply-to": int8(1)},
			Properties: &amqp.MessageProperties{
				MessageID: "ID:1", UserID: []byte("u"), To: new("q"), Subject: new("s"), ReplyTo: new("r"), CorrelationID: uint64(9),
				ContentType: new("text/plain"), ContentEncoding: new("identity"), AbsoluteExpiryTime: &at, CreationTime: &at,
				GroupID: new("g"), GroupSequence: new(uint32(3)), ReplyToGroupID: new("rg"),
			},
			ApplicationProperties: map[string]any{"colour": "red", "n": int32(1), "none": nil, "at": at, "id": amqp.UUID{2}},
			Value:                 "text",
			Footer:                amqp.Annotations{"x-opt-f": "f"},
		},
	}
}
