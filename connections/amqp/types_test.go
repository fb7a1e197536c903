package amqp

import (
	"fmt"
	"testing"

	"github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections"
)

// arrive returns the message that go-amqp decodes when these bytes come.
func arrive(t *testing.T, message []byte) *amqp.Message {
	t.Helper()
	if instead, err := presentable(message); err != nil {
		t.Fatal(err)
	} else if instead != nil {
		message = instead
	}
	m := new(amqp.Message)
	if err := m.UnmarshalBinary(message); err != nil {
		t.Fatal(err)
	}
	return m
}

// A foreignValue is one that go-amqp does not know, or not rightly.
type foreignValue struct {
	name    string
	encoded []byte
	want    any
	json    string // as a body
}

func foreignValues() []foreignValue {
	decimal := raw(0x74, 0x31, 0x80, 0x04, 0xe2)
	return []foreignValue{
		{"decimal32", decimal, Decimal32{[4]byte{0x31, 0x80, 0x04, 0xe2}}, `12.50`},
		{"decimal64", raw(0x84, 0x31, 0xc0, 0, 0, 0, 0, 0, 7), Decimal64{[8]byte{0x31, 0xc0, 7: 7}}, `7`},
		{"decimal128", raw(0x94, 0x30, 0x40, make([]byte, 13), 9), Decimal128{[16]byte{0x30, 0x40, 15: 9}}, `9`},
		{"not a number", raw(0x74, 0x7c, 0, 0, 0), Decimal32{[4]byte{0x7c}}, `"NaN"`},
		{"char", raw(0x73, 0, 0, 0x20, 0xac), Char('€'), `"€"`},
		{"symbol", raw(0xa3, 3, "a:b"), amqp.Symbol("a:b"), `a:b`},
		{"long symbol", raw(0xb3, 0, 0, 0, 3, "a:b"), amqp.Symbol("a:b"), `a:b`},
		{"described", raw(0, 0xa3, 3, "a:b", short(0xc0, 2, 0xa1, 1, "v", 0x41)), Described{amqp.Symbol("a:b"), []any{"v", true}}, `["v",true]`},
		{"described twice", raw(0, 0xa3, 1, "a", 0, 0xa3, 1, "b", decimal), Described{amqp.Symbol("a"), Described{amqp.Symbol("b"), Decimal32{[4]byte{0x31, 0x80, 0x04, 0xe2}}}}, `12.50`},
		{"described as the standard does", raw(0, 0x53, 0x24, 0x45), Described{uint64(0x24), []any{}}, `[]`},
		{"described by what has parts", raw(0, short(0xc0, 1, 0x41), 0x54, 5), Described{[]any{true}, int32(5)}, `5`},
		{"list", short(0xc0, 2, 0x54, 5, decimal), []any{int32(5), Decimal32{[4]byte{0x31, 0x80, 0x04, 0xe2}}}, `[5,12.50]`},
		{"map", short(0xc1, 2, 0xa1, 1, "k", decimal), map[string]any{"k": Decimal32{[4]byte{0x31, 0x80, 0x04, 0xe2}}}, `{"k":12.50}`},
		{"map with symbols as keys", short(0xc1, 4, 0xa3, 1, "k", 0x41, 0xa1, 1, "l", 0x42), map[any]any{amqp.Symbol("k"): true, "l": false}, `{"k":true,"l":false}`},
		{"map with characters as keys", short(0xc1, 2, 0x73, 0, 0, 0, 0x78, 0x41), map[any]any{Char('x'): true}, `{"x":true}`},
		{"map with binary keys", short(0xc1, 2, 0xa0, 1, "k", decimal), Encoded(short(0xc1, 2, 0xa0, 1, "k", decimal)), `{"aw==":12.50}`},
		{"array of decimals", short(0xe0, 2, 0x74, 0x31, 0x80, 0x04, 0xe2, 0x32, 0x80, 0, 1), Encoded(short(0xe0, 2, 0x74, 0x31, 0x80, 0x04, 0xe2, 0x32, 0x80, 0, 1)), `[12.50,1]`},
		{"array of lists", short(0xe0, 2, 0xc0, 3, 1, 0x54, 5, 1, 0), Encoded(short(0xe0, 2, 0xc0, 3, 1, 0x54, 5, 1, 0)), `[[5],[]]`},
		{"list of arrays", short(0xc0, 1, short(0xe0, 1, 0x73, 0, 0, 0, 0x78)), []any{Encoded(short(0xe0, 1, 0x73, 0, 0, 0, 0x78))}, `[["x"]]`},
	}
}

// Values of every foreign type arrive as ours, wherever they are in a message, and
// go out as they came.
func TestForeignValues(t *testing.T) {
	for _, tt := range foreignValues() {
		t.Run(tt.name, func(t *testing.T) {
			m := arrive(t, section(0x77, tt.encoded))
			d := decode(m)
			if diff := cmp.Diff(tt.want, m.Value); diff != "" || string(d.Body) != tt.json || d.Bad != nil {
				t.Errorf("got body %s (%v), want %s; value (-want +got):\n%s", d.Body, d.Bad, tt.json, diff)
			}
			relayed := relayOf(t, d.Message)
			if diff := cmp.Diff(tt.want, relayed.Value); diff != "" {
				t.Errorf("relayed value (-want +got):\n%s", diff)
			}

			entry := short(0xc1, 2, 0xa1, 1, "p", tt.encoded)
			m = arrive(t, raw(
				section(0x71, short(0xc1, 2, 0xa3, 7, "x-opt-d", tt.encoded)), section(0x72, short(0xc1, 2, 0xa3, 7, "x-opt-a", tt.encoded)),
				section(0x74, entry), section(0x76, short(0xc0, 1, tt.encoded)), section(0x78, short(0xc1, 2, 0xa3, 7, "x-opt-f", tt.encoded))))
			d = decode(m)
			relayed = relayOf(t, d.Message)
			for name, got := range map[string]any{
				"delivery annotation": m.DeliveryAnnotations["x-opt-d"], "annotation": m.Annotations["x-opt-a"], "property": m.ApplicationProperties["p"],
				"sequence": m.Sequence[0][0], "footer": m.Footer["x-opt-f"],
				"relayed annotation": relayed.Annotations["x-opt-a"], "relayed property": relayed.ApplicationProperties["p"], "relayed sequence": relayed.Sequence[0][0],
				"relayed delivery annotation": relayed.DeliveryAnnotations["x-opt-d"], "relayed footer": relayed.Footer["x-opt-f"],
			} {
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

// relayOf returns what arrives of a received message that is sent on.
func relayOf(t *testing.T, m connections.Message) *amqp.Message {
	t.Helper()
	before := fmt.Sprintf("%v", m.Native)
	out, err := encode(&connections.Message{Body: m.Body, ContentType: m.ContentType, Text: m.Text, Header: m.Header, Native: m.Native}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := out.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if after := fmt.Sprintf("%v", m.Native); before != after {
		t.Errorf("the received message was changed from %s to %s", before, after)
	}
	relayed := arrive(t, b)
	decode(relayed)
	return relayed
}

// Our types may be used in what is sent, too.
func TestSendForeignValues(t *testing.T) {
	out, err := encode(&connections.Message{Header: map[string]any{"price": Decimal32{[4]byte{0x31, 0x80, 0x04, 0xe2}}, "c": Char('x'), "d": Described{uint64(1), "v"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := out.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	got := decode(arrive(t, b)).Header
	want := map[string]any{"price": Decimal32{[4]byte{0x31, 0x80, 0x04, 0xe2}}, "c": Char('x'), "d": Described{uint64(1), "v"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	for _, bad := range []any{Encoded{}, Encoded{0x3f}, Encoded{0x40, 0x40}, Described{struct{}{}, nil}} {
		if _, err := encode(&connections.Message{Header: map[string]any{"bad": bad}}, nil); err == nil {
			t.Errorf("%#v: got no error, want one", bad)
		}
	}
}

func TestDecimalText(t *testing.T) {
	for _, tt := range []struct {
		bits []byte
		want string
	}{
		{raw(0x32, 0x80, 0, 0), "0"}, {raw(0x32, 0x80, 0, 1), "1"}, {raw(0xb2, 0x80, 0, 1), "-1"}, {raw(0x31, 0x80, 0x04, 0xe2), "12.50"},
		{raw(0x31, 0x00, 0, 1), "0.001"}, {raw(0x2f, 0x80, 0, 1), "0.000001"}, {raw(0x2f, 0x00, 0, 1), "1E-7"}, {raw(0x33, 0, 0, 12), "1.2E+2"},
		{raw(0x77, 0xf8, 0x96, 0x7f), "9.999999E+96"}, {raw(0x77, 0xf8, 0x96, 0x80), "0E+90"}, // the largest, and one that is too large
		{raw(0x00, 0, 0, 1), "1E-101"}, {raw(0x78, 0, 0, 0), "Infinity"}, {raw(0xf8, 0, 0, 0), "-Infinity"}, {raw(0x7c, 0, 0, 0), "NaN"}, {raw(0x7e, 0, 0, 0), "NaN"},
		{raw(0x31, 0xc0, 0, 0, 0, 0, 0, 1), "1"}, {raw(0x77, 0xfb, 0x86, 0xf2, 0x6f, 0xc0, 0xff, 0xff), "9.999999999999999E+384"},
		{raw(0x30, 0x40, make([]byte, 13), 1), "1"},
		{raw(0x5f, 0xff, 0xed, 0x09, 0xbe, 0xad, 0x87, 0xc0, 0x37, 0x8d, 0x8e, 0x63, 0xff, 0xff, 0xff, 0xff), "9.999999999999999999999999999999999E+6144"},
	} {
		var got string
		switch len(tt.bits) {
		case 4:
			got = Decimal32{[4]byte(tt.bits)}.String()
		case 8:
			got = Decimal64{[8]byte(tt.bits)}.String()
		case 16:
			got = Decimal128{[16]byte(tt.bits)}.String()
		}
		if got != tt.want {
			t.Errorf("%x: got %s, want %s", tt.bits, got, tt.want)
		}
	}
}
