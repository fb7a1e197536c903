//go:build mq && cgo

package mqdouble

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ibm-messaging/mq-golang/v5/ibmmq"

	"github.com/fairlead/fairlead/test/mqdouble/engine"
)

// connect connects with mq-golang, as an application does.
func connect(t *testing.T, d *Double) *ibmmq.MQQueueManager {
	t.Helper()
	qm, err := tryConnect(d)
	if err != nil {
		t.Fatal(err)
	}
	return qm
}

func tryConnect(d *Double) (*ibmmq.MQQueueManager, error) {
	cd := ibmmq.NewMQCD()
	cd.ChannelName, cd.ConnectionName = "DEV.APP.SVRCONN", d.Address
	cno := ibmmq.NewMQCNO()
	cno.Options, cno.ClientConn, cno.ApplName = ibmmq.MQCNO_CLIENT_BINDING, cd, "double test"
	csp := ibmmq.NewMQCSP()
	csp.UserId, csp.Password = "app", "apppw"
	cno.SecurityParms = csp
	qm, err := ibmmq.Connx("QM1", cno)
	return &qm, err
}

func open(t *testing.T, qm *ibmmq.MQQueueManager, name string, options int32) *ibmmq.MQObject {
	t.Helper()
	od := ibmmq.NewMQOD()
	od.ObjectName = name
	o, err := qm.Open(od, options)
	if err != nil {
		t.Fatal(err)
	}
	return &o
}

func get(o *ibmmq.MQObject, options int32) (*ibmmq.MQMD, []byte, error) {
	md, gmo := ibmmq.NewMQMD(), ibmmq.NewMQGMO()
	md.Version, gmo.Version = 2, 2
	gmo.Options, gmo.WaitInterval = options, 2000
	data, _, err := o.GetSlice(md, gmo, make([]byte, 0, 1000))
	return md, data, err
}

func put(t *testing.T, o *ibmmq.MQObject, options int32, data string) *ibmmq.MQMD {
	t.Helper()
	md, pmo := ibmmq.NewMQMD(), ibmmq.NewMQPMO()
	pmo.Options = options
	if err := o.Put(md, pmo, []byte(data)); err != nil {
		t.Fatal(err)
	}
	return md
}

func wantReason(t *testing.T, doing string, err error, reason int32) {
	t.Helper()
	r, ok := errors.AsType[*ibmmq.MQReturn](err)
	if !ok || r.MQRC != reason {
		t.Errorf("%s: got %v, want reason %d", doing, err, reason)
	}
}

const both = ibmmq.MQOO_OUTPUT | ibmmq.MQOO_INPUT_SHARED | ibmmq.MQOO_INQUIRE | ibmmq.MQOO_BROWSE

// TestUnitOfWork is the life of a message through mq-golang and the shim.
func TestUnitOfWork(t *testing.T) {
	d := Start(t, engine.Config{Users: map[string]string{"app": "apppw"}})
	d.Define("Q1", engine.Attributes{BackoutThreshold: 3, BackoutQueue: "Q1.BACKOUT"})
	qm := connect(t, d)
	q := open(t, qm, "Q1", both)
	sent := put(t, q, ibmmq.MQPMO_SYNCPOINT, "hello")
	if _, _, err := get(q, ibmmq.MQGMO_NO_SYNCPOINT|ibmmq.MQGMO_NO_WAIT); err == nil {
		t.Error("got a message that is not committed")
	}
	if err := qm.Cmit(); err != nil {
		t.Fatal(err)
	}
	for want := range int32(3) {
		md, data, err := get(q, ibmmq.MQGMO_SYNCPOINT|ibmmq.MQGMO_WAIT)
		if err != nil {
			t.Fatal(err)
		}
		if string(data) != "hello" || md.BackoutCount != want || !bytes.Equal(md.MsgId, sent.MsgId) {
			t.Errorf("got %q, count %d, id %x; want hello, %d, %x", data, md.BackoutCount, md.MsgId, want, sent.MsgId)
		}
		if err := qm.Back(); err != nil {
			t.Fatal(err)
		}
	}
	values, err := q.Inq([]int32{ibmmq.MQIA_BACKOUT_THRESHOLD, ibmmq.MQCA_BACKOUT_REQ_Q_NAME, ibmmq.MQIA_CURRENT_Q_DEPTH})
	want := map[int32]any{ibmmq.MQIA_BACKOUT_THRESHOLD: int32(3), ibmmq.MQCA_BACKOUT_REQ_Q_NAME: "Q1.BACKOUT", ibmmq.MQIA_CURRENT_Q_DEPTH: int32(1)}
	if diff := cmp.Diff(want, values); err != nil || diff != "" {
		t.Errorf("inquire: %v (-want +got):\n%s", err, diff)
	}
	if _, _, err := get(q, ibmmq.MQGMO_SYNCPOINT|ibmmq.MQGMO_WAIT); err != nil {
		t.Fatal(err)
	}
	if err := qm.Disc(); err != nil { // which commits
		t.Fatal(err)
	}
	if n := d.Depth("Q1"); n != 0 {
		t.Errorf("%d messages are left, want none", n)
	}
}

func TestProperties(t *testing.T) {
	d := Start(t, engine.Config{Define: &engine.Attributes{}})
	qm := connect(t, d)
	handle, err := qm.CrtMH(ibmmq.NewMQCMHO())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"text": "a<b", "yes": true, "i1": int8(-1), "i2": int16(-2), "i4": int32(-4), "i8": int64(-8),
		"r4": float32(1.5), "r8": 2.5, "bytes": []byte{0, 255}, "null": nil, "mcd.Type": "order",
	}
	for name, v := range want {
		if err := handle.SetMP(ibmmq.NewMQSMPO(), name, ibmmq.NewMQPD(), v); err != nil {
			t.Fatal(err)
		}
	}
	q := open(t, qm, "Q1", both)
	pmo := ibmmq.NewMQPMO()
	pmo.Options, pmo.OriginalMsgHandle = ibmmq.MQPMO_NO_SYNCPOINT, handle
	if err := q.Put(ibmmq.NewMQMD(), pmo, []byte("body")); err != nil {
		t.Fatal(err)
	}
	md, data, err := get(q, ibmmq.MQGMO_BROWSE_FIRST|ibmmq.MQGMO_PROPERTIES_FORCE_MQRFH2)
	if err != nil || md.Format != ibmmq.MQFMT_RF_HEADER_2 || !bytes.HasPrefix(data, []byte("RFH ")) || !bytes.HasSuffix(data, []byte("body")) {
		t.Errorf("got format %q, %q, %v; want an MQRFH2 and the body", md.Format, data, err)
	}
	back, err := qm.CrtMH(ibmmq.NewMQCMHO())
	if err != nil {
		t.Fatal(err)
	}
	md, gmo := ibmmq.NewMQMD(), ibmmq.NewMQGMO()
	gmo.Options, gmo.MsgHandle = ibmmq.MQGMO_NO_SYNCPOINT|ibmmq.MQGMO_PROPERTIES_IN_HANDLE, back
	body, _, err := q.GetSlice(md, gmo, make([]byte, 0, 100))
	if err != nil || string(body) != "body" || md.Format != "" {
		t.Errorf("got format %q, %q, %v; want none, body", md.Format, body, err)
	}
	impo := ibmmq.NewMQIMPO()
	impo.Options = ibmmq.MQIMPO_INQ_FIRST
	got := make(map[string]any)
	for range want {
		name, v, err := back.InqMP(impo, ibmmq.NewMQPD(), "%")
		if err != nil {
			t.Fatal(err)
		}
		got[name] = v
		impo.Options = ibmmq.MQIMPO_INQ_NEXT
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("properties (-want +got):\n%s", diff)
	}
	if err := handle.DltMP(ibmmq.NewMQDMPO(), "yes"); err != nil {
		t.Error(err)
	}
	if err := handle.DltMH(ibmmq.NewMQDMHO()); err != nil {
		t.Error(err)
	}
}

// TestConsumers has several handles of one process and one queue.
func TestConsumers(t *testing.T) {
	const consumers, each = 8, 50
	d := Start(t, engine.Config{Define: &engine.Attributes{}})
	var mu sync.Mutex
	seen := make(map[string]int)
	var working sync.WaitGroup
	for range consumers {
		qm := connect(t, d)
		q := open(t, qm, "Q1", both)
		working.Go(func() {
			for range each {
				_, data, err := get(q, ibmmq.MQGMO_SYNCPOINT|ibmmq.MQGMO_WAIT)
				if err == nil {
					err = qm.Cmit()
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				seen[string(data)]++
				mu.Unlock()
			}
		})
	}
	qm := connect(t, d)
	q := open(t, qm, "Q1", ibmmq.MQOO_OUTPUT)
	for i := range consumers * each {
		put(t, q, ibmmq.MQPMO_NO_SYNCPOINT, fmt.Sprint(i))
	}
	working.Wait()
	if len(seen) != consumers*each {
		t.Errorf("%d messages arrived, want %d", len(seen), consumers*each)
	}
}

// TestReasons has the answers that an application must tell apart.
func TestReasons(t *testing.T) {
	d := Start(t, engine.Config{Users: map[string]string{"app": "apppw"}})
	d.Define("Q1", engine.Attributes{})
	qm := connect(t, d)
	q := open(t, qm, "Q1", both)

	_, _, err := get(q, ibmmq.MQGMO_NO_WAIT)
	wantReason(t, "an empty queue", err, ibmmq.MQRC_NO_MSG_AVAILABLE)

	put(t, q, ibmmq.MQPMO_NO_SYNCPOINT, string(make([]byte, 2000)))
	_, n, err := q.GetSlice(ibmmq.NewMQMD(), ibmmq.NewMQGMO(), make([]byte, 0, 1000))
	wantReason(t, "a buffer that is too small", err, ibmmq.MQRC_TRUNCATED_MSG_FAILED)
	if n != 2000 || d.Depth("Q1") != 1 {
		t.Errorf("got length %d and depth %d, want 2000 and 1", n, d.Depth("Q1"))
	}
	d.Clear("Q1")

	waiting := make(chan error, 1)
	go func() {
		_, _, err := get(q, ibmmq.MQGMO_WAIT)
		waiting <- err
	}()
	for d.Waiting("Q1") == 0 {
		time.Sleep(time.Millisecond)
	}
	wantReason(t, "a verb while another is in progress", qm.Cmit(), ibmmq.MQRC_CALL_IN_PROGRESS)
	if err := d.Change("Q1", func(a *engine.Attributes) { a.InhibitGet = true }); err != nil {
		t.Fatal(err)
	}
	wantReason(t, "a queue inhibited while a get waits", <-waiting, ibmmq.MQRC_GET_INHIBITED)

	d.Quiesce(true)
	_, _, err = get(q, ibmmq.MQGMO_WAIT)
	wantReason(t, "a queue manager that quiesces", err, ibmmq.MQRC_Q_MGR_QUIESCING)
	d.Quiesce(false)

	d.Break()
	wantReason(t, "a broken connection", qm.Cmit(), ibmmq.MQRC_CONNECTION_BROKEN)
	wantReason(t, "a broken connection again", qm.Cmit(), ibmmq.MQRC_CONNECTION_BROKEN)

	other := Start(t, engine.Config{Users: map[string]string{"app": "other"}})
	_, err = tryConnect(other)
	wantReason(t, "a wrong password", err, ibmmq.MQRC_NOT_AUTHORIZED)
	other = Start(t, engine.Config{Channels: []string{"OTHER"}})
	_, err = tryConnect(other)
	wantReason(t, "a wrong channel", err, ibmmq.MQRC_UNKNOWN_CHANNEL_NAME)
	_, err = tryConnect(&Double{Address: "127.0.0.1(1)"})
	wantReason(t, "nobody there", err, ibmmq.MQRC_HOST_NOT_AVAILABLE)
	_, err = tryConnect(&Double{Address: "192.0.2.1(1414)"})
	wantReason(t, "another machine", err, ibmmq.MQRC_HOST_NOT_AVAILABLE)
}
