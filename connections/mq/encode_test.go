package mq

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/connections/mq/rfh2"
	"github.com/fairlead/fairlead/framework"
)

var (
	withJMS    = &encoder{jms: true, to: address{queue: "Q1"}}
	withoutJMS = &encoder{to: address{queue: "Q1"}}
)

// texts returns the folders of a message as they stand in it, and what is behind.
func texts(t *testing.T, e encoded) (folders []string, next rfh2.Layout, body string) {
	t.Helper()
	headers, next, rest, err := rfh2.Split(rfh2.Layout{Format: e.MD.Format, Encoding: e.MD.Encoding, CCSID: e.MD.CodedCharSetID}, e.Data)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		if h.Format != rfh2.FormatRFH2 {
			continue
		}
		r, err := rfh2.Decode(h)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Folders {
			folders = append(folders, f.Text)
		}
	}
	return folders, next, string(rest)
}

// TestJMS has the headers that a JMS client reads.
func TestJMS(t *testing.T) {
	m := connections.Message{
		Body: []byte("é"), Text: true, ContentType: "text/plain",
		Header:        map[string]any{"number": int32(1), "empty": "", "my-name": "x", headerType: "order"},
		CorrelationID: "corr-1", ReplyTo: "ANSWERS", Key: "customer-1", Priority: new(7), TTL: time.Second,
	}
	e := mustEncode(t, withJMS, m)
	folders, next, body := texts(t, e)
	want := []string{
		`<mcd><Msd>jms_text</Msd><Type>order</Type></mcd>`,
		`<jms><Dst>queue:///Q1</Dst><Rto>queue:///ANSWERS</Rto><Pri>7</Pri><Tms>1700000000123</Tms><Exp>1700000001123</Exp>` +
			`<Cid>corr-1</Cid><Gid>customer-1</Gid><Seq>1</Seq><Dlv>2</Dlv></jms>`,
		`<usr><contentType>text/plain</contentType><empty></empty><my_x002D_name>x</my_x002D_name><number dt="i4">1</number>` +
			`<fairlead_types>empty=empty</fairlead_types></usr>`,
	}
	if diff := cmp.Diff(want, folders); diff != "" {
		t.Errorf("folders (-want +got):\n%s", diff)
	}
	if next != (rfh2.Layout{Format: rfh2.FormatString, Encoding: encoding, CCSID: rfh2.UTF8}) || body != "é" {
		t.Errorf("got %+v and %q behind the header, want text in UTF-8", next, body)
	}
	md := mqi.NewMD()
	md.Format, md.Encoding, md.CodedCharSetID = rfh2.FormatRFH2, encoding, rfh2.UTF8
	md.MsgType, md.ReplyToQ, md.Priority, md.Persistence, md.Expiry = mqi.MQMT_REQUEST, "ANSWERS", 7, mqi.MQPER_PERSISTENT, 10
	md.CorrelID, md.GroupID, md.MsgFlags = mqi.ParseID("corr-1"), mqi.ParseID("customer-1"), mqi.MQMF_MSG_IN_GROUP
	if diff := cmp.Diff(md, e.MD); diff != "" {
		t.Errorf("descriptor (-want +got):\n%s", diff)
	}
}

// TestKinds has every JMS type that can be asked for.
func TestKinds(t *testing.T) {
	for _, test := range []struct {
		name   string
		m      connections.Message
		kind   kind
		format string
		body   string
	}{
		{"text", connections.Message{Body: []byte("a"), Text: true}, kindText, rfh2.FormatString, "a"},
		{"bytes", connections.Message{Body: []byte("a"), ContentType: "image/png"}, kindBytes, "", "a"},
		{"none", connections.Message{}, kindNone, "", ""},
		{"object", connections.Message{Body: []byte("\xac\xed"), Header: map[string]any{headerKind: "jms_object"}}, kindObject, "", "\xac\xed"},
		{"map", connections.Message{Body: []byte(`{"a":1,"b":5000000000,"c":1.5,"d":"x","e":true,"f":null}`), Text: true, Header: map[string]any{headerKind: "jms_map"}}, kindMap, rfh2.FormatString,
			`<map><elt name="a" dt='i4'>1</elt><elt name="b" dt='i8'>5000000000</elt><elt name="c" dt='r8'>1.5</elt><elt name="d">x</elt><elt name="e" dt='boolean'>1</elt><elt name="f" xsi:nil='true'></elt></map>`},
		{"stream", connections.Message{Body: []byte(`["a",-1]`), Text: true, Header: map[string]any{headerKind: "jms_stream"}}, kindStream, rfh2.FormatString,
			`<stream><elt>a</elt><elt dt='i4'>-1</elt></stream>`},
	} {
		folders, next, body := texts(t, mustEncode(t, withJMS, test.m))
		if opaque := test.format == rfh2.FormatNone; opaque != (next.Encoding == rfh2.BigEndian) {
			t.Errorf("%s: got encoding %d behind the header, want %d for bytes alone", test.name, next.Encoding, rfh2.BigEndian)
		}
		if want := "<mcd><Msd>" + string(test.kind) + "</Msd></mcd>"; folders[0] != want || next.Format != test.format || body != test.body {
			t.Errorf("%s: got %s, format %q, body %s; want %s, %q, %s", test.name, folders[0], next.Format, body, want, test.format, test.body)
		}
	}
	for name, body := range map[string]string{"jms_map": `[1]`, "jms_stream": `{"a":1}`} {
		for _, body := range []string{body, `{"a":{}}`, `[[1]]`, "x", `{"a":1}x`, ``, `{"a":1`} {
			m := connections.Message{Body: []byte(body), Header: map[string]any{headerKind: name}}
			if _, _, err := withJMS.encode(m, time.Time{}); !framework.IsTerminal(err) {
				t.Errorf("%s of %q: got error %v, want a terminal one", name, body, err)
			}
		}
	}
}

// TestWithoutJMS sends plain messages.
func TestWithoutJMS(t *testing.T) {
	e := mustEncode(t, withoutJMS, connections.Message{Body: []byte("é"), Text: true, Header: map[string]any{"a": "lost"}, CorrelationID: "c-1"})
	if e.MD.Format != rfh2.FormatString || e.MD.CodedCharSetID != rfh2.UTF8 || string(e.Data) != "é" || e.MD.CorrelID.String() != "c-1" {
		t.Errorf("text: got %+v, %q", e.MD, e.Data)
	}
	e = mustEncode(t, withoutJMS, connections.Message{Body: []byte{0, 255}})
	if e.MD.Format != rfh2.FormatNone || !bytes.Equal(e.Data, []byte{0, 255}) {
		t.Errorf("bytes: got %+v, %q", e.MD, e.Data)
	}
	e = mustEncode(t, withoutJMS, connections.Message{Body: []byte("a"), Header: map[string]any{"fairlead_error": "why"}})
	if folders, _, body := texts(t, e); len(folders) != 3 || !strings.Contains(folders[2], "why") || body != "a" {
		t.Errorf("a dead letter: got folders %q and body %q, want its story", folders, body)
	}
	e = mustEncode(t, &encoder{jms: true, to: address{queue: "Q1", plain: true}}, connections.Message{Body: []byte("a"), Text: true})
	if e.MD.Format != rfh2.FormatString || string(e.Data) != "a" {
		t.Errorf("to a queue that wants no MQRFH2: got %+v, %q", e.MD, e.Data)
	}
}

// TestEventTime has an attribute that is a time, and stays one.
func TestEventTime(t *testing.T) {
	at := time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC)
	ev := event.New()
	ev.SetID("e-1")
	ev.SetSource("/a")
	ev.SetType("t")
	ev.SetExtension("at", at)
	m, err := connections.Encode(ev)
	if err != nil {
		t.Fatal(err)
	}
	e := mustEncode(t, withJMS, m)
	back := mustDecode(t, e.MD, e.Data)
	events, _, err := connections.NewCodec("c", "q").Decode(&back)
	if err != nil || len(events) != 1 {
		t.Fatalf("got %v, %v; want the event", events, err)
	}
	if got, ok := events[0].Extensions()["at"].(types.Timestamp); !ok || !got.Equal(at) {
		t.Errorf("got %#v, want the time %v", events[0].Extensions()["at"], at)
	}
}

// TestEventWithoutJMS sends a CloudEvent where messages have no properties.
func TestEventWithoutJMS(t *testing.T) {
	ev := event.New()
	ev.SetID("e-1")
	ev.SetSource("/a")
	ev.SetType("t")
	ev.SetExtension("empty", "")
	if err := ev.SetData("application/json", map[string]int{"n": 1}); err != nil {
		t.Fatal(err)
	}
	m, err := connections.Encode(ev)
	if err != nil {
		t.Fatal(err)
	}
	e := mustEncode(t, withoutJMS, m)
	back := mustDecode(t, e.MD, e.Data)
	events, _, err := connections.NewCodec("c", "q").Decode(&back)
	if err != nil || len(events) != 1 || events[0].ID() != "e-1" || string(events[0].Data()) != `{"n":1}` {
		t.Errorf("got %v, %v; want the event", events, err)
	}
}

// TestHeaders has every value that a header may have there and back, and every
// name.
func TestHeaders(t *testing.T) {
	header := map[string]any{
		"text": "a<&>'\"é", "empty": "", "control": "a\x00\x01b", "invalid": "\xff", "yes": true, "i8": int8(-1), "i16": int16(-2),
		"i32": int32(-3), "i64": int64(-4), "f32": float32(1.5), "f64": 2.5, "bytes": []byte{0, 1},
		"time":    time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC),
		"my-name": "a", "a.b": "b", "1st": "c", "$x": "d", "größe": "e", "_x0041_": "f", "漢\U0001F9ED": "g", "a b": "h",
	}
	e := mustEncode(t, withJMS, connections.Message{Header: header})
	if diff := cmp.Diff(header, mustDecode(t, e.MD, e.Data).Header); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	changed := map[string]any{"int": 7, "large": 1 << 40, "u8": uint8(1), "u16": uint16(2), "u32": uint32(3), "u64": uint64(1) << 63, "nil": nil}
	want := map[string]any{"int": int32(7), "large": int64(1) << 40, "u8": int16(1), "u16": int32(2), "u32": int64(3), "u64": "9223372036854775808"}
	e = mustEncode(t, withJMS, connections.Message{Header: changed})
	if diff := cmp.Diff(want, mustDecode(t, e.MD, e.Data).Header); diff != "" {
		t.Errorf("headers that change their type (-want +got):\n%s", diff)
	}
	if _, _, err := withJMS.encode(connections.Message{Header: map[string]any{"a": struct{}{}}}, time.Time{}); !framework.IsTerminal(err) {
		t.Errorf("a struct as a header: got error %v, want a terminal one", err)
	}
}

// TestIDs has every form in which an id may be given.
func TestIDs(t *testing.T) {
	long := strings.Repeat("x", 40)
	for _, test := range []struct {
		id   any
		want string
	}{
		{nil, ""},
		{"id-1", "id-1"},
		{receivedID, receivedID},
		{[]byte("id-2"), "id-2"},
		{mqi.ParseID("id-3"), "id-3"},
		{42, "42"},
		{long, mqi.HashID(long).String()},
	} {
		if got := mustEncode(t, withJMS, connections.Message{ID: test.id}).MD.MsgID.String(); got != test.want {
			t.Errorf("id %v: got %q, want %q", test.id, got, test.want)
		}
	}
	e := mustEncode(t, withJMS, connections.Message{CorrelationID: long})
	if got := mustDecode(t, e.MD, e.Data).CorrelationID; got != long || string(e.MD.CorrelID[:]) != long[:24] {
		t.Errorf("a long correlation id: got %v and %x, want it in full, and its beginning", got, e.MD.CorrelID)
	}
	for _, m := range []connections.Message{
		{ID: make([]byte, 25)}, {CorrelationID: make([]byte, 25)}, {ReplyTo: "not a queue"}, {ReplyTo: "queue://a b/Q"},
		{Header: map[string]any{connections.Prefix + "specversion": "0.3"}},
	} {
		if _, _, err := withoutJMS.encode(m, time.Time{}); !framework.IsTerminal(err) {
			t.Errorf("%+v: got error %v, want a terminal one", m, err)
		}
	}
}
