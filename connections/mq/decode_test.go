package mq

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/connections/mq/rfh2"
)

// golden returns what IBM's classes wrote.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("rfh2", "testdata", name+".hex"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// received is the descriptor of a message from a JMS client.
func received() mqi.MD {
	md := mqi.NewMD()
	md.Encoding, md.CodedCharSetID, md.Format = rfh2.BigEndian, 819, rfh2.FormatRFH2
	md.Priority, md.Persistence = 4, mqi.MQPER_PERSISTENT
	md.MsgID = mqi.ParseID("ID:414d5120514d31202020202020202020abcdef0102030405")
	md.PutDate, md.PutTime = "20260203", "04050678"
	return md
}

// plain is what Message compares, without Native.
func plain(m connections.Message) connections.Message {
	m.Native = nil
	return m
}

func mustDecode(t *testing.T, md mqi.MD, data []byte) connections.Message {
	t.Helper()
	m, err := (&Message{MD: md, Data: data}).decode()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const receivedID = "ID:414d5120514d31202020202020202020abcdef0102030405"

// TestGolden decodes what IBM's classes wrote.
func TestGolden(t *testing.T) {
	fromJMS := func(ms int64) connections.Message {
		return connections.Message{
			ID: receivedID, Identity: receivedID, Correlate: receivedID, Priority: new(4), Header: map[string]any{},
			Time: time.UnixMilli(ms).UTC(),
		}
	}
	typed := fromJMS(1700000000123)
	typed.Body, typed.Text, typed.CorrelationID, typed.ReplyTo = []byte("hello"), true, "corr-1", "queue:///REPLY"
	typed.Header = map[string]any{
		"str": `a<b&"c'dé>`, "i4": int32(42), "i8": int64(9223372036854775807), "bool": "1", "i1": "-5",
		"i2": int16(300), "r4": float32(1.5), "r8": 2.25, "bin": "01ff",
	}
	null, none, bytes := fromJMS(1795244870127), fromJMS(1795244870259), fromJMS(1795244870133)
	null.Text = true
	bytes.Body = []byte{0, 0, 0, 7}
	for name, want := range map[string]connections.Message{
		"headers-typed-273": typed, "headers-typed-546": typed, "jms-text-null": null, "jms-none": none, "jms-bytes": bytes,
	} {
		t.Run(name, func(t *testing.T) {
			md, data := received(), golden(t, name)
			if strings.HasSuffix(name, "546") {
				md.Encoding = rfh2.LittleEndian
			}
			if strings.Contains(name, "typed") {
				data = append(data, "hello"...)
			}
			got := plain(mustDecode(t, md, data))
			if len(got.Body) == 0 {
				got.Body = nil
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDescriptor decodes a message without headers.
func TestDescriptor(t *testing.T) {
	md := received()
	md.Format, md.MsgType, md.Expiry = rfh2.FormatString, mqi.MQMT_REQUEST, 25
	md.CorrelID, md.GroupID = mqi.ParseID("order-17"), mqi.ParseID("customer-1")
	md.ReplyToQ, md.ReplyToQMgr = "ANSWERS", "QM2"
	want := connections.Message{
		Body: []byte("caf\u00e9"), Text: true, Header: map[string]any{},
		ID: receivedID, Identity: receivedID, CorrelationID: "order-17", Correlate: receivedID,
		ReplyTo: "queue://QM2/ANSWERS?targetClient=1", Key: "customer-1", Priority: new(4), TTL: 2500 * time.Millisecond,
		Time: time.Date(2026, 2, 3, 4, 5, 6, 780_000_000, time.UTC),
	}
	m := mustDecode(t, md, []byte("caf\xe9"))
	if diff := cmp.Diff(want, plain(m)); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	native := m.Native.(*Message)
	if native.MD != md || string(native.Data) != "caf\xe9" || len(native.Headers) != 0 {
		t.Errorf("got native %+v, want the descriptor and the bytes as they came", native)
	}
}

// TestBodies decodes every kind of body, in every character set that is met.
func TestBodies(t *testing.T) {
	const mapText = `<map><elt name="n" dt='i4'>1</elt><elt name="é" dt='char'>x</elt><elt name="b" dt='bin.hex'>00ff</elt><elt name="f" dt='r8'>NaN</elt><elt name="z" xsi:nil='true'></elt></map>`
	for _, test := range []struct {
		name        string
		kind        kind
		format      string
		ccsid       int32
		encoding    int32
		data        string
		want        string
		text        bool
		contentType string
	}{
		{"plain text", "", rfh2.FormatString, 1208, 273, "é", "é", true, ""},
		{"plain bytes", "", rfh2.FormatNone, 1208, 273, "é\xff", "é\xff", false, ""},
		{"another format", "", "MYFORMAT", 1208, 273, "\x00", "\x00", false, ""},
		{"Latin-1", kindText, rfh2.FormatString, 819, 273, "\xe9", "é", true, ""},
		{"EBCDIC", kindText, rfh2.FormatString, 37, 785, "\xc8\x89\x15\xba", "Hi\n[", true, ""},
		{"EBCDIC international", kindText, rfh2.FormatString, 500, 785, "\xc8\x89\x4a", "Hi[", true, ""},
		{"UTF-16", kindText, rfh2.FormatString, 1200, 273, "\x00\xe9\xd8\x3e\xdd\xed", "é\U0001F9ED", true, ""},
		{"UTF-16, little-endian", kindText, rfh2.FormatString, 1200, 546, "\xe9\x00", "é", true, ""},
		{"bytes that say MQSTR", kindBytes, rfh2.FormatString, 37, 273, "\xc8", "\xc8", false, ""},
		{"object", kindObject, rfh2.FormatNone, 1208, 273, "\xac\xed\x00\x05", "\xac\xed\x00\x05", false, objectType},
		{"map", kindMap, rfh2.FormatString, 1208, 273, mapText, `{"n":1,"é":"x","b":"AP8=","f":"NaN","z":null}`, true, jsonType},
		{"stream", kindStream, rfh2.FormatString, 1208, 273, `<stream><elt dt='i8'>9007199254740993</elt><elt>a</elt></stream>`, `[9007199254740993,"a"]`, true, jsonType},
		{"empty map", kindMap, rfh2.FormatString, 1208, 273, `<map></map>`, `{}`, true, jsonType},
		{"unknown kind", "xml", rfh2.FormatString, 1208, 273, "<a/>", "<a/>", true, ""},
		{"structured event", "", rfh2.FormatString, 1208, 273,
			`{"specversion":"1.0","id":"1","source":"/a","type":"t"}`, `{"specversion":"1.0","id":"1","source":"/a","type":"t"}`, true, "application/cloudevents+json"},
		{"JSON that is no event", "", rfh2.FormatString, 1208, 273, `{"specversion":"1.0","id":"1"}`, `{"specversion":"1.0","id":"1"}`, true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			md, data := received(), []byte(test.data)
			md.Format, md.CodedCharSetID, md.Encoding = test.format, test.ccsid, test.encoding
			if test.kind != "" {
				header := rfh2.RFH2{
					Next:    rfh2.Layout{Format: test.format, Encoding: test.encoding, CCSID: test.ccsid},
					Folders: []rfh2.Folder{{Text: "<mcd><Msd>" + string(test.kind) + "</Msd></mcd>"}},
				}
				var err error
				if data, err = header.Append(nil, rfh2.BigEndian); err != nil {
					t.Fatal(err)
				}
				data = append(data, test.data...)
				md.Format, md.CodedCharSetID, md.Encoding = rfh2.FormatRFH2, 1208, rfh2.BigEndian
			}
			m := mustDecode(t, md, data)
			if string(m.Body) != test.want || m.Text != test.text || m.ContentType != test.contentType {
				t.Errorf("got %q, text %t, type %q; want %q, %t, %q", m.Body, m.Text, m.ContentType, test.want, test.text, test.contentType)
			}
		})
	}
}

// TestMalformed has messages that cannot be understood: all bytes are there.
func TestMalformed(t *testing.T) {
	header := func(folders ...string) []byte {
		r := rfh2.RFH2{Next: rfh2.Layout{Format: rfh2.FormatString, Encoding: 273, CCSID: 1208}}
		for _, f := range folders {
			r.Folders = append(r.Folders, rfh2.Folder{Text: f})
		}
		data, err := r.Append(nil, rfh2.BigEndian)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	strange := rfh2.RFH2{Next: rfh2.Layout{Format: rfh2.FormatString, Encoding: 273, CCSID: 932}}
	unknown, err := strange.Append(nil, rfh2.BigEndian)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"no header":              []byte("hello"),
		"cut header":             header()[:20],
		"folder without end":     header("<usr>"),
		"property without value": header("<usr><n dt='i4'></n></usr>"),
		"jms without end":        header("<jms><Dst></jms>"),
		"mcd with an entity":     header("<mcd><Msd>&x;</Msd></mcd>"),
		"map that is none":       append(header("<mcd><Msd>jms_map</Msd></mcd>"), "<stream>"...),
		"stream that is none":    append(header("<mcd><Msd>jms_stream</Msd></mcd>"), "x"...),
		"unknown character set":  append(unknown, "text"...),
	} {
		m, err := (&Message{MD: received(), Data: data}).decode()
		if err == nil {
			t.Errorf("%s: got %+v, want an error", name, m)
		}
		if string(m.Body) != string(data) || m.Text || m.Identity != receivedID {
			t.Errorf("%s: got body %q, text %t, identity %q; want all bytes and the message's own", name, m.Body, m.Text, m.Identity)
		}
	}
}

// TestReportOptions has what answers must have, as the request asks for it.
func TestReportOptions(t *testing.T) {
	for _, test := range []struct {
		name     string
		report   int32
		correlID string
		expiry   int32
		want     any
	}{
		{"default", mqi.MQRO_NONE, "c-1", 50, receivedID},
		{"pass the correlation id", mqi.MQRO_PASS_CORREL_ID, "c-1", 50, "c-1"},
		{"pass a correlation id that is not there", mqi.MQRO_PASS_CORREL_ID, "", 50, nil},
		{"pass the message id", mqi.MQRO_PASS_MSG_ID, "", 50, Correlation{CorrelationID: receivedID, MsgID: receivedID}},
		{"pass both", mqi.MQRO_PASS_MSG_ID | mqi.MQRO_PASS_CORREL_ID, "c-1", 50, Correlation{CorrelationID: "c-1", MsgID: receivedID}},
		{"pass the expiry", mqi.MQRO_PASS_DISCARD_AND_EXPIRY, "", 50, Correlation{CorrelationID: receivedID, Expiry: 50}},
		{"pass an expiry that is not there", mqi.MQRO_PASS_DISCARD_AND_EXPIRY, "", mqi.MQEI_UNLIMITED, receivedID},
	} {
		md := received()
		md.Format, md.Report, md.CorrelID, md.Expiry = rfh2.FormatString, test.report, mqi.ParseID(test.correlID), test.expiry
		m := mustDecode(t, md, nil)
		if m.Correlate != test.want {
			t.Errorf("%s: got %#v, want %#v", test.name, m.Correlate, test.want)
		}
		answer := mustEncode(t, &encoder{to: address{queue: "R"}, answers: true}, connections.Message{CorrelationID: m.Correlate})
		if answer.MD.MsgType != mqi.MQMT_REPLY {
			t.Errorf("%s: the answer has type %d, want %d", test.name, answer.MD.MsgType, mqi.MQMT_REPLY)
		}
		if c, ok := test.want.(Correlation); ok {
			if answer.MD.CorrelID.String() != c.CorrelationID || answer.MD.MsgID.String() != c.MsgID || c.Expiry > 0 && answer.MD.Expiry != c.Expiry {
				t.Errorf("%s: the answer has %+v, want %+v", test.name, answer.MD, c)
			}
		}
	}
}

// encoded is a message as it goes out.
type encoded struct {
	MD   mqi.MD
	Data []byte
}

func mustEncode(t testing.TB, e *encoder, m connections.Message) encoded {
	t.Helper()
	md, data, err := e.encode(m, time.UnixMilli(1700000000123))
	if err != nil {
		t.Fatal(err)
	}
	return encoded{md, data}
}
