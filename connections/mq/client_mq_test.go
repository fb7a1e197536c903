//go:build mq && cgo

package mq

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections/mq/mqi"
)

// TestDescriptors has every field there and back between mq-golang and us.
func TestDescriptors(t *testing.T) {
	want := mqi.MD{
		Report: 1, MsgType: 2, Expiry: 3, Feedback: 4, Encoding: 5, CodedCharSetID: 6, Format: "MQSTR", Priority: 7, Persistence: 1,
		MsgID: mqi.ParseID("a"), CorrelID: mqi.ParseID("b"), GroupID: mqi.ParseID("c"), BackoutCount: 8,
		ReplyToQ: "Q", ReplyToQMgr: "QM", UserIdentifier: "user", AccountingToken: [32]byte{1, 2}, ApplIdentityData: "identity",
		PutApplType: 9, PutApplName: "name", PutDate: "20260203", PutTime: "04050607", ApplOriginData: "orig",
		MsgSeqNumber: 10, Offset: 11, MsgFlags: 12, OriginalLength: 13,
	}
	ibm := newMD()
	toIBM(ibm, &want)
	var got mqi.MD
	fromIBM(&got, ibm)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("descriptor (-want +got):\n%s", diff)
	}
	want.PutTime = "0405"
	toIBM(ibm, &want)
	if ibm.PutDate != "" || ibm.PutTime != "" {
		t.Errorf("got put time %q %q, want none for one that mq-golang refuses", ibm.PutDate, ibm.PutTime)
	}
}
