package mq

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/connections/mq/rfh2"
)

// foreign is a message with all that a relay must keep.
func foreign(t *testing.T) (mqi.MD, []byte) {
	t.Helper()
	header := rfh2.RFH2{
		Next: rfh2.Layout{Format: rfh2.FormatString, Encoding: 785, CCSID: 37},
		Folders: []rfh2.Folder{
			{Text: `<mcd><Msd>jms_text</Msd><Set>s</Set><Type>order</Type></mcd>`},
			{Text: `<jms><Dst>queue:///OLD</Dst><Rto>queue:///ANSWERS</Rto><Tms>1</Tms><Cid>a very long correlation id</Cid><Dlv>1</Dlv></jms>`},
			{Text: `<usr><c dt='char'>x</c><n xsi:nil='true'></n><g><a>1</a></g><k>v</k></usr>`},
			{Text: `<own><a>1</a></own>`},
		},
	}
	data, err := header.Append(nil, rfh2.BigEndian)
	if err != nil {
		t.Fatal(err)
	}
	md := received()
	md.MsgType, md.Report, md.ReplyToQ, md.ReplyToQMgr = mqi.MQMT_REQUEST, mqi.MQRO_COA_WITH_FULL_DATA|mqi.MQRO_PASS_MSG_ID, "ANSWERS", "QM1"
	md.Expiry, md.Persistence, md.Priority, md.BackoutCount = 1000, mqi.MQPER_NOT_PERSISTENT, 2, 3
	md.CorrelID = mqi.ParseID("a very long correlation id")
	return md, append(data, 0xc8, 0x89) // "Hi" in EBCDIC
}

// relay is what the sending side makes of a received message.
func relay(m connections.Message) connections.Message {
	return connections.Message{
		Body: m.Body, Text: m.Text, ContentType: m.ContentType, Header: m.Header, CorrelationID: m.CorrelationID, Native: m.Native,
	}
}

func TestRelay(t *testing.T) {
	md, data := foreign(t)
	m := mustDecode(t, md, data)
	for name, e := range map[string]*encoder{"with JMS": withJMS, "without": withoutJMS} {
		out := mustEncode(t, e, relay(m))
		folders, next, body := texts(t, out)
		want := []string{
			`<mcd><Msd>jms_text</Msd><Set>s</Set><Type>order</Type></mcd>`,
			`<jms><Dst>queue:///Q1</Dst><Pri>2</Pri><Tms>1700000000123</Tms><Exp>1700000100123</Exp><Cid>a very long correlation id</Cid><Dlv>1</Dlv></jms>`,
			`<usr><c dt="char">x</c><n xsi:nil="true"></n><g><a>1</a></g><k>v</k></usr>`,
			`<own><a>1</a></own>`,
		}
		if diff := cmp.Diff(want, folders); diff != "" {
			t.Errorf("%s: folders (-want +got):\n%s", name, diff)
		}
		if want := (rfh2.Layout{Format: rfh2.FormatString, Encoding: 785, CCSID: 37}); next != want || body != "\xc8\x89" {
			t.Errorf("%s: got %+v %q behind the header, want the bytes as they came: %+v", name, next, body, want)
		}
		kept := md
		kept.MsgID, kept.MsgType, kept.Report, kept.ReplyToQ, kept.ReplyToQMgr, kept.BackoutCount = mqi.ID{}, mqi.MQMT_DATAGRAM, 0, "", "", 0
		kept.Encoding, kept.CodedCharSetID = encoding, rfh2.UTF8
		if diff := cmp.Diff(kept, out.MD); diff != "" {
			t.Errorf("%s: descriptor (-want +got):\n%s", name, diff)
		}
	}
}

// TestRelayInGroup keeps the place of a message in its group, unless the function
// gives it another key.
func TestRelayInGroup(t *testing.T) {
	md := received()
	md.Format, md.GroupID, md.MsgSeqNumber = rfh2.FormatString, mqi.ParseID("order"), 3
	md.MsgFlags = mqi.MQMF_MSG_IN_GROUP | mqi.MQMF_LAST_MSG_IN_GROUP
	m := mustDecode(t, md, []byte("a"))
	for key, want := range map[string]mqi.MD{
		"order": md,
		"other": {GroupID: mqi.ParseID("other"), MsgSeqNumber: 1, MsgFlags: mqi.MQMF_MSG_IN_GROUP},
	} {
		out := relay(m)
		out.Key = key
		got := mustEncode(t, withJMS, out).MD
		if got.GroupID != want.GroupID || got.MsgSeqNumber != want.MsgSeqNumber || got.MsgFlags != want.MsgFlags {
			t.Errorf("key %s: got group %v, number %d, flags %x; want %v, %d, %x",
				key, got.GroupID, got.MsgSeqNumber, got.MsgFlags, want.GroupID, want.MsgSeqNumber, want.MsgFlags)
		}
	}
}

// TestRelayOfDomain keeps a message domain that JMS does not know.
func TestRelayOfDomain(t *testing.T) {
	header := rfh2.RFH2{
		Next:    rfh2.Layout{Format: rfh2.FormatString, Encoding: rfh2.BigEndian, CCSID: rfh2.UTF8},
		Folders: []rfh2.Folder{{Text: `<mcd><Msd>MRM</Msd><Set>s</Set></mcd>`}},
	}
	data, err := header.Append(nil, rfh2.BigEndian)
	if err != nil {
		t.Fatal(err)
	}
	m := relay(mustDecode(t, received(), append(data, "a"...)))
	folders, _, _ := texts(t, mustEncode(t, withJMS, m))
	if want := `<mcd><Msd>MRM</Msd><Set>s</Set></mcd>`; folders[0] != want {
		t.Errorf("got %s, want %s", folders[0], want)
	}
}

// TestRelayWithChanges has a function that changes body and headers.
func TestRelayWithChanges(t *testing.T) {
	md, data := foreign(t)
	m := relay(mustDecode(t, md, data))
	m.Body = []byte("Ho")
	m.Header = map[string]any{"c": "x", "k": "new", "more": true, "n": "no longer null"}
	folders, next, body := texts(t, mustEncode(t, withJMS, m))
	if want := `<usr><c dt="char">x</c><k>new</k><more dt="boolean">1</more><n>no longer null</n></usr>`; folders[2] != want {
		t.Errorf("got %s, want %s", folders[2], want)
	}
	if want := (rfh2.Layout{Format: rfh2.FormatString, Encoding: encoding, CCSID: rfh2.UTF8}); next != want || body != "Ho" {
		t.Errorf("got %+v %q behind the header, want %+v", next, body, want)
	}
}

// TestRelayOfDeadLetter has a dead letter that does not expire, but keeps its id.
func TestRelayOfDeadLetter(t *testing.T) {
	md, data := foreign(t)
	m := mustDecode(t, md, data)
	m.Header["fairlead_error"], m.TTL = "why", 0
	out := mustEncode(t, withoutJMS, m)
	if out.MD.Expiry != mqi.MQEI_UNLIMITED || out.MD.MsgID != md.MsgID {
		t.Errorf("got expiry %d and id %s, want none and %s", out.MD.Expiry, out.MD.MsgID, md.MsgID)
	}
	if back := mustDecode(t, out.MD, out.Data); back.Header["fairlead_error"] != "why" || string(back.Body) != "Hi" {
		t.Errorf("got %+v, want the story and the body", back)
	}
}

// TestRelayOfMalformed keeps the bytes of what cannot be understood.
func TestRelayOfMalformed(t *testing.T) {
	data := []byte("RFH that is none, but long enough to be one, is it not?")
	m, err := (&Message{MD: received(), Data: data}).decode()
	if err == nil {
		t.Fatal("it was understood")
	}
	out := mustEncode(t, withoutJMS, relay(m))
	if !bytes.Equal(out.Data, data) || out.MD.Format != rfh2.FormatRFH2 || out.MD.Encoding != rfh2.BigEndian || out.MD.CodedCharSetID != 819 {
		t.Errorf("got %+v %q, want all as it came", out.MD, out.Data)
	}
	letter := relay(m)
	letter.Header = map[string]any{"fairlead_error": "why"}
	out = mustEncode(t, withJMS, letter)
	headers, _, _, err := rfh2.Split(rfh2.Layout{Format: out.MD.Format, Encoding: out.MD.Encoding, CCSID: out.MD.CodedCharSetID}, out.Data)
	if err == nil || len(headers) != 1 || !bytes.HasSuffix(out.Data, data) {
		t.Errorf("got %d headers, %v, %q; want ours before the bytes as they came", len(headers), err, out.Data)
	}
}

// TestRelayOfMap sends a JMS map on unchanged, and a changed one as a map again.
func TestRelayOfMap(t *testing.T) {
	header := rfh2.RFH2{
		Next:    rfh2.Layout{Format: rfh2.FormatString, Encoding: rfh2.BigEndian, CCSID: rfh2.UTF8},
		Folders: []rfh2.Folder{{Text: `<mcd><Msd>jms_map</Msd></mcd>`}},
	}
	data, err := header.Append(nil, rfh2.BigEndian)
	if err != nil {
		t.Fatal(err)
	}
	const body = `<map><elt name="a" dt='i2'>1</elt></map>`
	m := relay(mustDecode(t, received(), append(data, body...)))
	if _, _, got := texts(t, mustEncode(t, withJMS, m)); got != body {
		t.Errorf("unchanged: got %s, want %s", got, body)
	}
	m.Body = []byte(`{"a":2}`)
	if _, _, got := texts(t, mustEncode(t, withJMS, m)); got != `<map><elt name="a" dt='i4'>2</elt></map>` {
		t.Errorf("changed: got %s, want a map", got)
	}
}
