package mq_test

import (
	"testing"

	"github.com/fairlead/fairlead/framework/frameworktest"
	"github.com/fairlead/fairlead/functions/mq"
)

func TestSendSendsWhatItGets(t *testing.T) {
	rt := frameworktest.New(t)
	if err := mq.Send(rt.Context(), "hello"); err != nil {
		t.Fatal(err)
	}
	sent := rt.Sent()
	if len(sent) != 1 || sent[0].Binding != "customer.updates" || sent[0].Destination != "CUSTOMER.1" || sent[0].Data() != "hello" {
		t.Errorf("sent %+v, want hello to CUSTOMER.1 by customer.updates", sent)
	}
}

func TestReceiveTakesAnything(t *testing.T) {
	rt := frameworktest.New(t)
	if _, err := rt.Run(mq.Functions["mq.receiver"], []byte{0, 1, 2}); err != nil {
		t.Error(err)
	}
}
