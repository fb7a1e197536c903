//go:build mq && cgo

package mq

import (
	"bytes"
	"testing"

	"github.com/fairlead/fairlead/connections/mq/mqi"
)

// TestReply has what a function returns at ReplyToQ, with the request's MsgId as
// its CorrelId.
func TestReply(t *testing.T) {
	d := start(t)
	p := newProgram(t, d, "answer", "")
	p.start()
	md := mqi.NewMD()
	md.Format, md.CodedCharSetID, md.MsgType, md.ReplyToQ = "MQSTR", 1208, mqi.MQMT_REQUEST, "ANSWERS"
	if r := d.Put(in, &md, []byte("World")); r.Code != mqi.MQCC_OK {
		t.Fatal(r)
	}
	answer := awaitMessages(t, d, "ANSWERS", 1)[0]
	await(t, "the request is done", func() bool { return d.Depth(in) == 0 })
	p.stop()
	if !bytes.HasSuffix(answer.Data, []byte("Hello World")) || answer.MD.MsgType != mqi.MQMT_REPLY || answer.MD.CorrelID != md.MsgID {
		t.Errorf("got %+v, want Hello World of type REPLY with correlation id %v", answer, md.MsgID)
	}
}
