package function_test

import (
	"errors"
	"testing"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/frameworktest"

	"function"
)

func TestAnOrderIsPassedOn(t *testing.T) {
	rt := frameworktest.New(t)
	if _, err := rt.Run(function.Functions["order.received"], []byte(`{"id": "7", "total": 12.5}`)); err != nil {
		t.Fatal(err)
	}
	sent := rt.Sent()
	if len(sent) != 1 || sent[0].Binding != "accepted" {
		t.Fatalf("sent %+v, want one message through the binding accepted", sent)
	}
	if got, want := sent[0].Data(), `{"id":"7","total":12.5}`; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
}

func TestANegativeTotalIsNotTriedAgain(t *testing.T) {
	rt := frameworktest.New(t)
	err := function.Received(rt.Context(), function.Order{ID: "7", Total: -1})
	if !framework.IsTerminal(err) || len(rt.Sent()) > 0 {
		t.Errorf("got %v and %d messages sent, want a terminal error and none", err, len(rt.Sent()))
	}
}

// TestABrokerThatIsAway checks that the order stays where it is until it was passed on.
func TestABrokerThatIsAway(t *testing.T) {
	rt := frameworktest.New(t)
	rt.OnSend = func(frameworktest.Sent) error { return framework.ErrUnavailable }
	err := function.Received(rt.Context(), function.Order{ID: "7", Total: 1})
	if !errors.Is(err, framework.ErrUnavailable) || framework.IsTerminal(err) {
		t.Errorf("got %v, want an error that is tried again", err)
	}
}
