package mq

import (
	"bytes"
	"maps"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/connections/mq/rfh2"
)

// FuzzDecode decodes any bytes. What cannot be understood keeps all of them;
// what can is sent on with its body as it was.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"headers-typed-273", "headers-typed-546", "jms-text-null", "jms-none", "jms-bytes"} {
		f.Add(rfh2.FormatRFH2, rfh2.BigEndian, int32(819), golden(f, name))
		f.Add(rfh2.FormatRFH2, rfh2.LittleEndian, int32(37), golden(f, name))
	}
	f.Add(rfh2.FormatString, rfh2.BigEndian, int32(1200), []byte("\x00a"))
	f.Add(rfh2.FormatString, rfh2.BigEndian, int32(1200), []byte("\x00")) // half a character
	f.Add(rfh2.FormatString, rfh2.BigEndian, int32(1208), []byte(`{"specversion":"1.0","id":"1","source":"/a","type":"t"}`))
	for _, folder := range []string{
		"<usr><a$b>1</a$b></usr>", "<usr><1 dt='i4'>1</1></usr>", "<usr><a>&#1;</a><b>\xff</b><c dt='char'>&#2;</c></usr>",
		"<mcd><Msd>MRM</Msd><Type>&#1;</Type><a$>x</a$></mcd>", "<jms><Cid>&#1;</Cid><Gid>\xff</Gid></jms>",
		"<jms><Rto>topic://a</Rto><Pri>99</Pri></jms>",
	} {
		header := rfh2.RFH2{Folders: []rfh2.Folder{{Text: folder}}}
		data, err := header.Append(nil, rfh2.BigEndian)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(rfh2.FormatRFH2, rfh2.BigEndian, rfh2.UTF8, data)
	}
	f.Fuzz(func(t *testing.T, format string, encoding, ccsid int32, data []byte) {
		if len(format) > int(mqi.MQ_FORMAT_LENGTH) || strings.HasSuffix(format, " ") || strings.Contains(format, "\x00") {
			return // no descriptor says that
		}
		md := received()
		md.Format, md.Encoding, md.CodedCharSetID = format, encoding, ccsid
		m, err := (&Message{MD: md, Data: bytes.Clone(data)}).decode()
		if err != nil {
			if !bytes.Equal(m.Body, data) {
				t.Fatalf("%v, but the body is %q, want all bytes: %q", err, m.Body, data)
			}
		}
		letter := m
		letter.Header = map[string]any{"fairlead_error": "why"}
		maps.Copy(letter.Header, m.Header)
		for _, e := range []*encoder{withJMS, withoutJMS} {
			if buried, _, err := e.encode(letter, time.Time{}); err != nil || buried.Priority < 0 || buried.Priority > 9 {
				t.Fatalf("as a dead letter: priority %d, error %v", buried.Priority, err)
			}
			out, sent, failed := e.encode(relay(m), time.Time{})
			if failed != nil {
				t.Fatalf("it was received, and cannot be sent on: %v", failed)
			}
			back, again := (&Message{MD: out, Data: sent}).decode()
			if again != nil && err == nil {
				t.Fatalf("decoded, but not when sent on: %v", again)
			}
			if err != nil && !bytes.HasSuffix(sent, data) {
				t.Fatalf("%v; sent on, it is %q, want all bytes at the end: %q", err, sent, data)
			}
			if err == nil && (!bytes.Equal(back.Body, m.Body) || back.Text != m.Text) {
				t.Fatalf("sent on, the body is %q, text %t; want %q, %t", back.Body, back.Text, m.Body, m.Text)
			}
		}
	})
}

// FuzzHeader sends any header, and wants it back.
func FuzzHeader(f *testing.F) {
	f.Add("my-name", "value")
	f.Add("_x0041_", "\x00")
	f.Add("contenttype", "a\r\n")
	f.Fuzz(func(t *testing.T, name, value string) {
		if !utf8.ValidString(name) || isContentType(name) || name == headerKind || name == headerType || name == headerOrder || name == propertyTypes {
			return
		}
		md, data, err := withJMS.encode(connections.Message{Header: map[string]any{name: value}}, time.Time{})
		if err != nil {
			if name != "" && len(name) < 500 {
				t.Fatal(err)
			}
			return
		}
		m, err := (&Message{MD: md, Data: data}).decode()
		if err != nil {
			t.Fatal(err)
		}
		if m.Header[name] != value || len(m.Header) != 1 {
			t.Fatalf("got %q, want %q: %q", m.Header, name, value)
		}
	})
}

// FuzzID has every text there and back, as far as an id has room.
func FuzzID(f *testing.F) {
	f.Add("id-1")
	f.Add(receivedID)
	f.Add("ID:xyz")
	f.Fuzz(func(t *testing.T, s string) {
		for _, id := range []mqi.ID{mqi.ParseID(s), mqi.HashID(s)} {
			if again := mqi.ParseID(id.String()); again != id {
				t.Fatalf("%x is %q, which is %x", id, id, again)
			}
		}
	})
}
