//go:build mq && cgo

package mq

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/test/mqdouble"
	"github.com/fairlead/fairlead/test/mqdouble/engine"
)

// put puts a text on queue IN.
func put(t *testing.T, d *mqdouble.Double, text string) {
	t.Helper()
	md := mqi.NewMD()
	md.Format, md.CodedCharSetID, md.Persistence = "MQSTR", 1208, mqi.MQPER_PERSISTENT
	if r := d.Put(in, &md, []byte(text)); r.Code != mqi.MQCC_OK {
		t.Fatal(r)
	}
}

// TestKill kills the program in each phase of its work. Nothing is lost, nothing
// that a function sent atomically is there before its message is done, and the
// queue manager counted.
func TestKill(t *testing.T) {
	for phase, test := range map[string]struct {
		fault    engine.Fault // where the program stands still
		function string
		still    func(d *mqdouble.Double) bool // else
		late     bool                          // the message comes when the program is dead
		calls    []string                      // what the calls of the second process saw
	}{
		"it waits for a message": {
			function: "forward", still: func(d *mqdouble.Double) bool { return d.Waiting(in) == 1 },
			late: true, calls: []string{"0"},
		},
		"it gets the message": {
			function: "forward", fault: engine.Fault{Verb: "MQGET", Queue: in, Hang: true},
			calls: []string{"0"},
		},
		"in the function": {
			function: "hangs", still: func(d *mqdouble.Double) bool { return d.Depth(calls) == 1 },
			calls: []string{"1"},
		},
		"the function sends": {
			function: "forward", fault: engine.Fault{Verb: "MQPUT", Queue: out, Hang: true},
			calls: []string{"1"},
		},
		"it commits": {
			function: "forward", fault: engine.Fault{Verb: "MQCMIT", Hang: true},
			calls: []string{"1"},
		},
		"it has committed and does not know": {
			function: "forward", fault: engine.Fault{Verb: "MQCMIT", Hang: true, Done: true},
		},
	} {
		t.Run(phase, func(t *testing.T) {
			t.Parallel()
			d := start(t)
			still := test.still
			if still == nil {
				d.Inject(test.fault)
				still = func(d *mqdouble.Double) bool { return d.Faults() == 0 }
			}
			p := newProgram(t, d, test.function, "")
			p.start()
			if !test.late {
				put(t, d, "a message")
			}
			await(t, "the program stands still", func() bool { return still(d) })
			p.kill()
			await(t, "the queue manager has noticed", func() bool { return d.Handles() == 0 })
			if test.late {
				put(t, d, "a message")
			}
			if !test.fault.Done {
				wantMessages(t, d, in, 1)
				wantMessages(t, d, out, 0)
			}
			d.Clear(calls)

			p = newProgram(t, d, "forward", "")
			p.start()
			await(t, "the program works", func() bool { return d.Handles() > 0 })
			sent := awaitMessages(t, d, out, 1)
			await(t, "the message is done", func() bool { return d.Depth(in) == 0 })
			p.stop()
			if !bytes.HasSuffix(sent[0].Data, []byte("a message")) {
				t.Errorf("got %q, want the message", sent[0].Data)
			}
			wantMessages(t, d, out, 1)
			for i, m := range wantMessages(t, d, calls, len(test.calls)) {
				if want := fmt.Sprintf("delivered %s times before", test.calls[i]); !bytes.HasSuffix(m.Data, []byte(want)) {
					t.Errorf("call %d: got %q, want %q", i+1, m.Data, want)
				}
			}
		})
	}
}

// TestKillMoving kills the program while it gives back or moves a message that
// cannot be processed: in the end that is on the backout queue, once.
func TestKillMoving(t *testing.T) {
	for phase, fault := range map[string]engine.Fault{
		"it puts":                            {Verb: "MQPUT", Queue: backout, Hang: true},
		"it commits":                         {Verb: "MQCMIT", Hang: true},
		"it has committed and does not know": {Verb: "MQCMIT", Hang: true, Done: true},
		"it backs out":                       {Verb: "MQBACK", Hang: true},
	} {
		t.Run(phase, func(t *testing.T) {
			t.Parallel()
			d := start(t)
			d.Define(in, engine.Attributes{BackoutThreshold: 10, BackoutQueue: backout})
			d.Inject(fault)
			function := "refuses"
			if fault.Verb == "MQBACK" {
				function = "sends-and-fails" // what it sent must be taken back
			}
			p := newProgram(t, d, function, "")
			p.start()
			put(t, d, "a message")
			await(t, "the program stands still", func() bool { return d.Faults() == 0 })
			p.kill()
			await(t, "the queue manager has noticed", func() bool { return d.Handles() == 0 })
			if !fault.Done {
				wantMessages(t, d, in, 1)
				wantMessages(t, d, backout, 0)
			}
			p = newProgram(t, d, "refuses", "")
			p.start()
			await(t, "the program works", func() bool { return d.Waiting(in) > 0 })
			moved := awaitMessages(t, d, backout, 1)
			await(t, "the message is done", func() bool { return d.Depth(in) == 0 })
			p.stop()
			if string(moved[0].Data) != "a message" {
				t.Errorf("got %q, want the message as it was", moved[0].Data)
			}
			wantMessages(t, d, out, 0)
			wantMessages(t, d, deadLetters, 0)
		})
	}
}

// TestKillAnswering kills the program while it answers: the request is answered
// when it comes again.
func TestKillAnswering(t *testing.T) {
	d := start(t)
	d.Inject(engine.Fault{Verb: "MQPUT", Queue: "ANSWERS", Hang: true})
	p := newProgram(t, d, "answer", "")
	p.start()
	md := mqi.NewMD()
	md.Format, md.CodedCharSetID, md.MsgType, md.ReplyToQ = "MQSTR", 1208, mqi.MQMT_REQUEST, "ANSWERS"
	if r := d.Put(in, &md, []byte("World")); r.Code != mqi.MQCC_OK {
		t.Fatal(r)
	}
	await(t, "the program stands still", func() bool { return d.Faults() == 0 })
	p.kill()
	await(t, "the queue manager has noticed", func() bool { return d.Handles() == 0 })
	wantMessages(t, d, in, 1)
	p.start()
	answer := awaitMessages(t, d, "ANSWERS", 1)[0]
	await(t, "the request is done", func() bool { return d.Depth(in) == 0 })
	p.stop()
	if string(answer.Data) != "Hello World" || answer.MD.CorrelID != md.MsgID {
		t.Errorf("got %+v, want Hello World, without headers like the request, with correlation id %v", answer, md.MsgID)
	}
}

// TestAtomic has a function that sends and then fails: what it sent is taken
// back with its message, and is there once when it succeeds.
func TestAtomic(t *testing.T) {
	d := start(t)
	p := newProgram(t, d, "fails-once", ", retry: {first: 10ms}")
	p.start()
	put(t, d, "a message")
	awaitMessages(t, d, calls, 2)
	await(t, "the message is done", func() bool { return d.Depth(in) == 0 })
	p.stop()
	wantMessages(t, d, out, 1)
}
