package engine

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/connections/mq/rfh2"
)

// An app is an application with one queue open.
type app struct {
	*Conn
	t *testing.T
	q int32
}

const all = mqi.MQOO_INPUT_SHARED | mqi.MQOO_OUTPUT | mqi.MQOO_BROWSE | mqi.MQOO_INQUIRE | mqi.MQOO_SET | mqi.MQOO_SAVE_ALL_CONTEXT

func connect(t *testing.T, m *Manager, queue string, options int32) app {
	t.Helper()
	c, r := m.Connect(Login{User: "app", ApplName: "test"})
	want(t, "connect", r, ok)
	q, r := c.Open(&OD{Type: mqi.MQOT_Q, Name: queue}, options)
	want(t, "open", r, ok)
	return app{c, t, q}
}

func want(t *testing.T, doing string, got, want Result) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v %s, want %v %s", doing, got, mqi.ReasonName(got.Reason), want, mqi.ReasonName(want.Reason))
	}
}

func (a app) put(options int32, data string, change func(*mqi.MD)) mqi.MD {
	a.t.Helper()
	md := mqi.NewMD()
	if change != nil {
		change(&md)
	}
	want(a.t, "put "+data, a.Put(a.q, &md, &PMO{Options: options}, []byte(data)), ok)
	return md
}

func (a app) get(gmo GMO, match mqi.MD) (mqi.MD, string, Result) {
	data, _, r := a.Get(a.q, &match, &gmo, 1000)
	return match, string(data), r
}

// gets fails unless the next message has that data.
func (a app) gets(options int32, data string) mqi.MD {
	a.t.Helper()
	md, got, r := a.get(GMO{Options: options}, mqi.MD{})
	want(a.t, "get "+data, r, ok)
	if got != data {
		a.t.Errorf("got %q, want %q", got, data)
	}
	return md
}

func (a app) getsNothing(why string) {
	a.t.Helper()
	_, _, r := a.get(GMO{}, mqi.MD{})
	want(a.t, why, r, failed(mqi.MQRC_NO_MSG_AVAILABLE))
}

func newManager() *Manager { return New(Config{Define: &Attributes{}}) }

func TestOrder(t *testing.T) {
	a := connect(t, newManager(), "Q", all)
	for i, priority := range []int32{4, 9, 0, 4, 9} {
		a.put(0, fmt.Sprint(i), func(md *mqi.MD) { md.Priority = priority })
	}
	for _, next := range []string{"1", "4", "0", "3", "2"} {
		a.gets(0, next)
	}
	m := newManager()
	m.Define("FIFO", Attributes{FIFO: true})
	a = connect(t, m, "FIFO", all)
	for i, priority := range []int32{4, 9, 0} {
		a.put(0, fmt.Sprint(i), func(md *mqi.MD) { md.Priority = priority })
	}
	for _, next := range []string{"0", "1", "2"} {
		a.gets(mqi.MQGMO_NO_WAIT, next)
	}
}

// TestBackOut puts messages back where they were, and counts.
func TestBackOut(t *testing.T) {
	m := newManager()
	a, b := connect(t, m, "Q", all), connect(t, m, "Q", all)
	a.put(mqi.MQPMO_SYNCPOINT, "0", nil)
	a.put(mqi.MQPMO_SYNCPOINT, "1", nil)
	b.getsNothing("nothing is committed")
	want(t, "commit", a.Commit(), ok)
	for i := range int32(3) {
		if md := a.gets(mqi.MQGMO_SYNCPOINT, "0"); md.BackoutCount != i {
			t.Errorf("got count %d, want %d", md.BackoutCount, i)
		}
		a.put(mqi.MQPMO_SYNCPOINT, "never", nil)
		if i < 2 {
			want(t, "back out", a.Back(), ok)
		}
	}
	b.gets(mqi.MQGMO_SYNCPOINT, "1")
	a.Drop()
	want(t, "a verb on a dropped connection", a.Commit(), failed(mqi.MQRC_CONNECTION_BROKEN))
	if md := b.gets(mqi.MQGMO_SYNCPOINT, "0"); md.BackoutCount != 3 {
		t.Errorf("got count %d after the application died, want 3", md.BackoutCount)
	}
	want(t, "disconnect", b.Disconnect(), ok) // which commits
	if n := m.Depth("Q"); n != 0 {
		t.Errorf("%d messages are left, want none", n)
	}
	if n := m.Handles(); n != 0 {
		t.Errorf("%d connections are left, want none", n)
	}
}

func TestMatch(t *testing.T) {
	a := connect(t, newManager(), "Q", all)
	for i := range 3 {
		a.put(0, fmt.Sprint(i), func(md *mqi.MD) {
			md.MsgID, md.CorrelID, md.GroupID = mqi.ParseID(fmt.Sprint("m-", i)), mqi.ParseID(fmt.Sprint("c-", i)), mqi.ParseID(fmt.Sprint("g-", i))
		})
	}
	for _, test := range []struct {
		option int32
		md     mqi.MD
		data   string
	}{
		{mqi.MQMO_MATCH_MSG_ID, mqi.MD{MsgID: mqi.ParseID("m-1"), CorrelID: mqi.ParseID("x")}, "1"},
		{mqi.MQMO_MATCH_CORREL_ID, mqi.MD{CorrelID: mqi.ParseID("c-2")}, "2"},
		{mqi.MQMO_MATCH_GROUP_ID, mqi.MD{GroupID: mqi.ParseID("g-0")}, "0"},
	} {
		if _, data, r := a.get(GMO{MatchOptions: test.option}, test.md); data != test.data {
			t.Errorf("match %d: got %q, %v; want %q", test.option, data, r, test.data)
		}
	}
	a.put(0, "a", nil)
	_, _, r := a.get(GMO{MatchOptions: mqi.MQMO_MATCH_MSG_ID}, mqi.MD{MsgID: mqi.ParseID("none")})
	want(t, "match what is not there", r, failed(mqi.MQRC_NO_MSG_AVAILABLE))
}

func TestBrowse(t *testing.T) {
	m := newManager()
	a := connect(t, m, "Q", all)
	for _, data := range []string{"0", "1", "2"} {
		a.put(0, data, nil)
	}
	a.gets(mqi.MQGMO_BROWSE_FIRST, "0")
	a.gets(mqi.MQGMO_BROWSE_NEXT, "1")
	a.gets(mqi.MQGMO_BROWSE_MSG_UNDER_CURSOR, "1")
	a.gets(mqi.MQGMO_MSG_UNDER_CURSOR, "1")
	_, _, r := a.get(GMO{Options: mqi.MQGMO_MSG_UNDER_CURSOR}, mqi.MD{})
	want(t, "get it again", r, failed(mqi.MQRC_NO_MSG_UNDER_CURSOR))
	a.gets(mqi.MQGMO_BROWSE_NEXT, "2")
	_, _, r = a.get(GMO{Options: mqi.MQGMO_BROWSE_NEXT}, mqi.MD{})
	want(t, "browse beyond the end", r, failed(mqi.MQRC_NO_MSG_AVAILABLE))
	if n := len(m.Messages("Q")); n != 2 {
		t.Errorf("%d messages are left, want 2", n)
	}
}

// TestTime has waits and expiry by a clock that does not really run.
func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager()
		a, b := connect(t, m, "Q", all), connect(t, m, "Q", all)
		start := time.Now()
		_, _, r := a.get(GMO{Options: mqi.MQGMO_WAIT, WaitInterval: 1500}, mqi.MD{})
		want(t, "wait in vain", r, failed(mqi.MQRC_NO_MSG_AVAILABLE))
		if waited := time.Since(start); waited != 1500*time.Millisecond {
			t.Errorf("waited %v, want 1.5s", waited)
		}
		a.put(0, "short", func(md *mqi.MD) { md.Expiry = 10 })
		a.put(0, "long", func(md *mqi.MD) { md.Expiry = 100 })
		time.Sleep(2 * time.Second)
		if md := a.gets(0, "long"); md.Expiry != 80 {
			t.Errorf("got %d tenths of a second left, want 80", md.Expiry)
		}
		time.AfterFunc(time.Second, func() { b.put(0, "late", nil) })
		start = time.Now()
		_, data, _ := a.get(GMO{Options: mqi.MQGMO_WAIT, WaitInterval: mqi.MQWI_UNLIMITED}, mqi.MD{})
		if waited := time.Since(start); data != "late" || waited != time.Second {
			t.Errorf("got %q after %v, want late after 1s", data, waited)
		}
		for reason, change := range map[int32]func(){
			mqi.MQRC_Q_MGR_QUIESCING:   func() { m.Quiesce(true) },
			mqi.MQRC_GET_INHIBITED:     func() { m.Quiesce(false); b.Set(b.q, map[int32]int32{mqi.MQIA_INHIBIT_GET: 1}) },
			mqi.MQRC_CONNECTION_BROKEN: func() { m.Define("Q", Attributes{}); m.Break() },
		} {
			m.Quiesce(false)
			m.Define("Q", Attributes{})
			a, b = connect(t, m, "Q", all), connect(t, m, "Q", all)
			time.AfterFunc(time.Second, change)
			_, _, r := a.get(GMO{Options: mqi.MQGMO_WAIT | mqi.MQGMO_FAIL_IF_QUIESCING, WaitInterval: 60_000}, mqi.MD{})
			want(t, "wait", r, failed(reason))
		}
	})
}

func TestRefusals(t *testing.T) {
	m := newManager()
	m.Define("SMALL", Attributes{MaxDepth: 1, MaxMsgLength: 5, DefPersistent: true, DefPriority: 3})
	m.Define("FORBIDDEN", Attributes{Forbidden: true})
	a := connect(t, m, "SMALL", all)
	put := func(change func(*mqi.MD), data string) Result {
		md := mqi.NewMD()
		if change != nil {
			change(&md)
		}
		return a.Put(a.q, &md, &PMO{}, []byte(data))
	}
	want(t, "long", put(nil, "123456"), failed(mqi.MQRC_MSG_TOO_BIG_FOR_Q))
	want(t, "priority", put(func(md *mqi.MD) { md.Priority = -2 }, ""), failed(mqi.MQRC_PRIORITY_ERROR))
	want(t, "persistence", put(func(md *mqi.MD) { md.Persistence = 3 }, ""), failed(mqi.MQRC_PERSISTENCE_ERROR))
	want(t, "expiry", put(func(md *mqi.MD) { md.Expiry = 0 }, ""), failed(mqi.MQRC_EXPIRY_ERROR))
	want(t, "request", put(func(md *mqi.MD) { md.MsgType = mqi.MQMT_REQUEST }, ""), failed(mqi.MQRC_MISSING_REPLY_TO_Q))
	want(t, "report", put(func(md *mqi.MD) { md.Report = mqi.MQRO_COA_WITH_FULL_DATA }, ""), failed(mqi.MQRC_MISSING_REPLY_TO_Q))
	want(t, "a good one", put(nil, "12345"), ok)
	want(t, "one too many", put(nil, ""), failed(mqi.MQRC_Q_FULL))
	if md := a.gets(mqi.MQGMO_BROWSE_FIRST, "12345"); md.Persistence != mqi.MQPER_PERSISTENT || md.Priority != 3 || md.PutApplName != "test" || md.PutAt().IsZero() {
		t.Errorf("got %+v, want the queue's defaults and who put it", md)
	}
	var md mqi.MD
	data, n, r := a.Get(a.q, &md, &GMO{}, 2)
	want(t, "a small buffer", r, warning(mqi.MQRC_TRUNCATED_MSG_FAILED))
	if string(data) != "12" || n != 5 || m.Depth("SMALL") != 1 {
		t.Errorf("got %q of %d bytes, depth %d; want 12 of 5, and that it stays", data, n, m.Depth("SMALL"))
	}
	_, _, r = a.Get(a.q, &mqi.MD{}, &GMO{Options: mqi.MQGMO_ACCEPT_TRUNCATED_MSG}, 2)
	want(t, "a small buffer that is enough", r, warning(mqi.MQRC_TRUNCATED_MSG_ACCEPTED))
	want(t, "set", a.Set(a.q, map[int32]int32{mqi.MQIA_INHIBIT_PUT: 1}), ok)
	want(t, "an inhibited queue", put(nil, ""), failed(mqi.MQRC_PUT_INHIBITED))
	for name, reason := range map[string]int32{"FORBIDDEN": mqi.MQRC_NOT_AUTHORIZED} {
		_, r := a.Open(&OD{Type: mqi.MQOT_Q, Name: name}, all)
		want(t, "open "+name, r, failed(reason))
	}
	_, r = a.Open(&OD{Type: mqi.MQOT_Q, Name: "Q", QueueManager: "QM2"}, all)
	want(t, "open a queue elsewhere", r, failed(mqi.MQRC_UNKNOWN_REMOTE_Q_MGR))
	_, r = a.Open(&OD{Type: mqi.MQOT_Q, Name: "SMALL"}, mqi.MQOO_INPUT_EXCLUSIVE)
	want(t, "open alone what others have", r, failed(mqi.MQRC_OBJECT_IN_USE))
	want(t, "close", a.Close(a.q, 0), ok)
	want(t, "close again", a.Close(a.q, 0), failed(mqi.MQRC_HOBJ_ERROR))
	_, _, r = a.get(GMO{}, mqi.MD{})
	want(t, "get from a closed queue", r, failed(mqi.MQRC_HOBJ_ERROR))
}

func TestContext(t *testing.T) {
	m := newManager()
	a := connect(t, m, "Q", all)
	other, r := a.Open(&OD{Type: mqi.MQOT_Q, Name: "OTHER"}, mqi.MQOO_OUTPUT|mqi.MQOO_PASS_ALL_CONTEXT|mqi.MQOO_SET_ALL_CONTEXT)
	want(t, "open", r, ok)
	pass := PMO{Options: mqi.MQPMO_PASS_ALL_CONTEXT, Context: a.q}
	md := mqi.NewMD()
	want(t, "pass a context before there is one", a.Put(other, &md, &pass, nil), failed(mqi.MQRC_CONTEXT_NOT_AVAILABLE))
	set := mqi.NewMD()
	set.UserIdentifier, set.PutApplName, set.PutDate = "someone", "something", "20200101"
	want(t, "set a context", a.Put(other, &set, &PMO{Options: mqi.MQPMO_SET_ALL_CONTEXT}, nil), ok)
	in := mqi.NewMD()
	in.UserIdentifier = "nobody"
	want(t, "put", a.Put(a.q, &in, &PMO{}, nil), ok)
	got := a.gets(0, "")
	if got.UserIdentifier != "app" || got.PutApplName != "test" {
		t.Errorf("got context %+v, want the application's own", got)
	}
	want(t, "pass a context", a.Put(other, &md, &pass, nil), ok)
	for i, who := range []string{"someone", "app"} {
		if got := m.Messages("OTHER")[i].MD.UserIdentifier; got != who {
			t.Errorf("got user %q, want %q", got, who)
		}
	}
	want(t, "pass a context to who did not ask for it", a.Put(a.q, &md, &pass, nil), failed(mqi.MQRC_NOT_OPEN_FOR_PASS_ALL))
	want(t, "set a context without asking", a.Put(a.q, &md, &PMO{Options: mqi.MQPMO_SET_ALL_CONTEXT}, nil), failed(mqi.MQRC_NOT_OPEN_FOR_SET_ALL))
}

// TestEmptyProperties drops what queue managers drop.
func TestEmptyProperties(t *testing.T) {
	header := rfh2.RFH2{Next: rfh2.Layout{Format: "MQSTR", Encoding: 273, CCSID: 1208}, Folders: []rfh2.Folder{
		{Text: "<mcd><Msd></Msd></mcd>"}, {Text: "<usr><a>1</a><b></b></usr>"},
	}}
	data, err := header.Append(nil, rfh2.BigEndian)
	if err != nil {
		t.Fatal(err)
	}
	m := newManager()
	md := mqi.NewMD()
	md.Format, md.Encoding = rfh2.FormatRFH2, rfh2.BigEndian
	want(t, "put", m.Put("Q", &md, append(data, "body"...)), ok)
	got := m.Messages("Q")[0]
	headers, next, body, err := rfh2.Split(layout(&got.MD), got.Data)
	if err != nil || next != header.Next || string(body) != "body" {
		t.Fatalf("got %+v, %q, %v; want the rest as it was", next, body, err)
	}
	r, err := rfh2.Decode(headers[0])
	if err != nil || r.Folders[1].Text != "<usr><a>1</a></usr>" || r.Folders[0].Text != "<mcd><Msd></Msd></mcd>" {
		t.Errorf("got %+v, %v; want usr without the empty property", r, err)
	}
}

func TestStop(t *testing.T) {
	m := newManager()
	a := connect(t, m, "Q", all)
	a.put(0, "kept", func(md *mqi.MD) { md.Persistence = mqi.MQPER_PERSISTENT })
	a.put(0, "lost", nil)
	m.Stop()
	_, r := m.Connect(Login{})
	want(t, "connect while it is down", r, failed(mqi.MQRC_Q_MGR_NOT_AVAILABLE))
	m.Start()
	if left := m.Messages("Q"); len(left) != 1 || string(left[0].Data) != "kept" {
		t.Errorf("got %v, want what is persistent", left)
	}
	m.Clear("Q")
	connect(t, m, "Q", all).getsNothing("the queue was cleared")
}

func TestFaults(t *testing.T) {
	m := newManager()
	a := connect(t, m, "Q", all)
	m.Inject(Fault{Verb: "MQPUT", Queue: "Q", Reason: mqi.MQRC_Q_FULL, After: 1, Times: 2})
	md := mqi.NewMD()
	for i, reason := range []int32{0, mqi.MQRC_Q_FULL, mqi.MQRC_Q_FULL, 0} {
		if r := a.Put(a.q, &md, &PMO{}, nil); r.Reason != reason {
			t.Errorf("put %d: got reason %d, want %d", i, r.Reason, reason)
		}
	}
	if n := m.Faults(); n != 0 {
		t.Errorf("%d faults are left, want none", n)
	}
}

func TestModelQueue(t *testing.T) {
	m := New(Config{})
	m.Define("MODEL", Attributes{Model: true})
	c, r := m.Connect(Login{})
	want(t, "connect", r, ok)
	od := OD{Type: mqi.MQOT_Q, Name: "MODEL", DynamicName: "ANSWERS.*"}
	q, r := c.Open(&od, all)
	want(t, "open", r, ok)
	if od.Name == "MODEL" || len(od.Name) > 48 {
		t.Errorf("got queue %s, want a new name", od.Name)
	}
	md := mqi.NewMD()
	md.Persistence = mqi.MQPER_PERSISTENT
	want(t, "put a persistent message", c.Put(q, &md, &PMO{}, nil), failed(mqi.MQRC_PERSISTENT_NOT_ALLOWED))
	md.Persistence = mqi.MQPER_NOT_PERSISTENT
	want(t, "put another", c.Put(q, &md, &PMO{}, nil), ok)
	want(t, "close", c.Close(q, 0), ok)
	_, r = c.Open(&OD{Type: mqi.MQOT_Q, Name: od.Name}, all)
	want(t, "open what is gone", r, failed(mqi.MQRC_UNKNOWN_OBJECT_NAME))
}

func TestAlias(t *testing.T) {
	m := New(Config{})
	m.Define("BASE", Attributes{BackoutThreshold: 3})
	m.Define("ALIAS", Attributes{Base: "BASE"})
	m.Define("ALIAS.OF.ALIAS", Attributes{Base: "ALIAS"})
	m.Define("ALIAS.OF.NONE", Attributes{Base: "NONE"})
	c, r := m.Connect(Login{})
	want(t, "connect", r, ok)
	q, r := c.Open(&OD{Type: mqi.MQOT_Q, Name: "ALIAS"}, all|mqi.MQOO_INQUIRE)
	want(t, "open", r, ok)
	md := mqi.NewMD()
	want(t, "put", c.Put(q, &md, &PMO{}, nil), ok)
	if n := m.Depth("BASE"); n != 1 {
		t.Errorf("%d messages are on the base queue, want 1", n)
	}
	values, r := c.Inquire(q, []int32{mqi.MQCA_Q_NAME, mqi.MQCA_BASE_Q_NAME, mqi.MQIA_Q_TYPE})
	want(t, "inquire what an alias has", r, ok)
	if !slices.Equal(values, []any{"ALIAS", "BASE", mqi.MQQT_ALIAS}) {
		t.Errorf("got %v, want the alias's own", values)
	}
	_, r = c.Inquire(q, []int32{mqi.MQIA_BACKOUT_THRESHOLD})
	want(t, "inquire what it has not", r, warning(mqi.MQRC_SELECTOR_NOT_FOR_TYPE))
	_, r = c.Open(&OD{Type: mqi.MQOT_Q, Name: "ALIAS.OF.ALIAS"}, all)
	want(t, "open an alias of an alias", r, failed(mqi.MQRC_ALIAS_BASE_Q_TYPE_ERROR))
	_, r = c.Open(&OD{Type: mqi.MQOT_Q, Name: "ALIAS.OF.NONE"}, all)
	want(t, "open an alias of nothing", r, failed(mqi.MQRC_UNKNOWN_OBJECT_NAME))
}
