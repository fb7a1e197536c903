//go:build mq && cgo

package mq

import (
	"bytes"
	"testing"

	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/connections/mq/rfh2"
	"github.com/fairlead/fairlead/test/mqdouble"
	"github.com/fairlead/fairlead/test/mqdouble/engine"
)

// giveBack gets the message on queue IN, and backs out.
func giveBack(t *testing.T, d *mqdouble.Double) {
	t.Helper()
	c, r := d.Connect(engine.Login{User: "app", Password: "apppw"})
	if r.Code != mqi.MQCC_OK {
		t.Fatal(r)
	}
	defer c.Drop()
	q, r := c.Open(&engine.OD{Type: mqi.MQOT_Q, Name: in}, mqi.MQOO_INPUT_SHARED)
	if r.Code != mqi.MQCC_OK {
		t.Fatal(r)
	}
	var md mqi.MD
	if _, _, r := c.Get(q, &md, &engine.GMO{Options: mqi.MQGMO_SYNCPOINT}, 100); r.Code != mqi.MQCC_OK {
		t.Fatal(r)
	}
}

// TestPoison has messages that cannot be processed: how often their function is
// called, and where they end.
func TestPoison(t *testing.T) {
	for name, test := range map[string]struct {
		queue    engine.Attributes
		function string
		more     string // settings of the trigger
		arrives  int    // with this BackoutCount
		calls    int
		ends     string
		reason   int32 // in the MQDLH
	}{
		"the queue's threshold and backout queue": {
			queue: engine.Attributes{BackoutThreshold: 3, BackoutQueue: backout}, function: "fails", more: ", retry: {first: 10ms}",
			calls: 3, ends: backout,
		},
		"what it sent is taken back each time": {
			queue: engine.Attributes{BackoutThreshold: 3, BackoutQueue: backout}, function: "sends-and-fails", more: ", retry: {first: 10ms}",
			calls: 3, ends: backout,
		},
		"waits too long to keep the unit of work": {
			queue: engine.Attributes{BackoutThreshold: 3, BackoutQueue: backout}, function: "fails", more: ", retry: {first: 1100ms, max: 1100ms}",
			calls: 3, ends: backout,
		},
		"attempts win": {
			queue: engine.Attributes{BackoutThreshold: 4, BackoutQueue: backout}, function: "fails", more: ", retry: {attempts: 2, first: 10ms}",
			calls: 2, ends: backout,
		},
		"terminal": {
			queue: engine.Attributes{BackoutThreshold: 3, BackoutQueue: backout}, function: "refuses",
			calls: 1, ends: backout,
		},
		"terminal, and what it sent is taken back": {
			queue: engine.Attributes{BackoutThreshold: 3, BackoutQueue: backout}, function: "sends-and-refuses",
			calls: 1, ends: backout,
		},
		"past the threshold on arrival": {
			queue: engine.Attributes{BackoutThreshold: 3, BackoutQueue: backout}, function: "fails", arrives: 3,
			calls: 0, ends: backout,
		},
		"no backout queue": {
			queue: engine.Attributes{BackoutThreshold: 2}, function: "fails", more: ", retry: {first: 10ms}",
			calls: 2, ends: deadLetters, reason: mqi.MQFB_APPL_FIRST,
		},
		"no backout queue, and the queue manager has counted": {
			queue: engine.Attributes{BackoutThreshold: 2}, function: "sends-and-fails", more: ", retry: {first: 10ms}",
			calls: 2, ends: deadLetters, reason: mqi.MQRC_BACKOUT_THRESHOLD_REACHED,
		},
		"no backout queue, past the threshold on arrival": {
			queue: engine.Attributes{BackoutThreshold: 2}, function: "fails", arrives: 2,
			calls: 0, ends: deadLetters, reason: mqi.MQRC_BACKOUT_THRESHOLD_REACHED,
		},
		"nothing said": {
			function: "fails", more: ", retry: {first: 10ms, max: 10ms}",
			calls: 5, ends: deadLetters, reason: mqi.MQFB_APPL_FIRST,
		},
		"dead letters configured": {
			queue: engine.Attributes{BackoutThreshold: 3, BackoutQueue: backout}, function: "fails", more: ", retry: {first: 10ms}, deadLetter: problems",
			calls: 3, ends: "PROBLEMS",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := start(t)
			d.Define(in, test.queue)
			md := mqi.NewMD()
			md.Format, md.CodedCharSetID = "MQSTR", 819
			if r := d.Put(in, &md, []byte("poison")); r.Code != mqi.MQCC_OK {
				t.Fatal(r)
			}
			for range test.arrives {
				giveBack(t, d)
			}
			p := newProgram(t, d, test.function, test.more)
			p.start()
			dead := awaitMessages(t, d, test.ends, 1)
			await(t, "the message is gone", func() bool { return d.Depth(in) == 0 })
			p.stop()
			wantMessages(t, d, calls, test.calls)
			wantMessages(t, d, out, 0)
			if !bytes.HasSuffix(dead[0].Data, []byte("poison")) {
				t.Errorf("got %q, want the body as it was", dead[0].Data)
			}
			switch test.ends {
			case backout:
				if string(dead[0].Data) != "poison" || dead[0].MD.Format != "MQSTR" || dead[0].MD.MsgID != md.MsgID {
					t.Errorf("got %+v, want the message as it was", dead[0])
				}
			case deadLetters:
				headers, _, _, err := rfh2.Split(rfh2.Layout{Format: dead[0].MD.Format, Encoding: dead[0].MD.Encoding, CCSID: dead[0].MD.CodedCharSetID}, dead[0].Data)
				if err != nil || len(headers) == 0 {
					t.Fatalf("got headers %v, error %v; want an MQDLH", headers, err)
				}
				header, ok := rfh2.DecodeDeadLetter(headers[0])
				if !ok || header.Reason != test.reason || header.Queue != in {
					t.Errorf("got %+v, want an MQDLH with reason %d and queue %s", header, test.reason, in)
				}
			}
			for _, queue := range []string{backout, deadLetters, "PROBLEMS", "IN.DLQ"} {
				if queue != test.ends {
					wantMessages(t, d, queue, 0)
				}
			}
		})
	}
}
