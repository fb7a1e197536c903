package function_test

import (
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/frameworktest"

	"function"
)

// order returns an event as an HTTP client or a broker sends it.
func order(t *testing.T, data any) event.Event {
	t.Helper()
	e := event.New()
	e.SetID("1")
	e.SetSource("/test")
	e.SetType("com.example.order.created")
	if err := e.SetData(event.ApplicationJSON, data); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestAnOrderIsAnsweredWithItsInvoice(t *testing.T) {
	out, err := frameworktest.New(t).Run(function.Received, order(t, function.Order{ID: "7", Total: 12.5}))
	if err != nil {
		t.Fatal(err)
	}
	var got function.Invoice
	if err := out.DataAs(&got); err != nil {
		t.Fatal(err)
	}
	if want := (function.Invoice{Order: "7", Amount: 12.5}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if out.ID() != "invoice-7" || out.Type() != "com.example.invoice.created" {
		t.Errorf("got event %s of type %s", out.ID(), out.Type())
	}
}

func TestWhatIsNoOrderIsNotTriedAgain(t *testing.T) {
	_, err := frameworktest.New(t).Run(function.Received, order(t, "no order"))
	if !framework.IsTerminal(err) {
		t.Errorf("got %v, want a terminal error", err)
	}
}
