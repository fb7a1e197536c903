package drivers_test

import (
	"testing"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/drivers"
)

// TestFakesGoOverTheWire checks that what a driver fakes is what it would
// deliver: in its own form, with data, headers and the broker's count.
func TestFakesGoOverTheWire(t *testing.T) {
	for _, kind := range []string{"amqp", "mq", "stomp"} {
		t.Run(kind, func(t *testing.T) {
			m := connections.Message{
				Body: []byte(`{"id": "ü"}`), ContentType: "application/json", Text: true,
				Header: map[string]any{"color": "red: green"}, CorrelationID: "7", ReplyTo: "answers",
			}
			for _, redelivered := range []int{0, 2} {
				d, err := drivers.All()[kind].Fake(m, redelivered)
				if err != nil || d.Bad != nil {
					t.Fatal(err, d.Bad)
				}
				if string(d.Body) != string(m.Body) || d.Header["color"] != "red: green" || d.ReplyTo == "" || d.CorrelationID == nil {
					t.Errorf("got %+v, want what was sent", d.Message)
				}
				if d.Count != redelivered {
					t.Errorf("got a count of %d, want %d", d.Count, redelivered)
				}
				if d.Native == nil {
					t.Error("got no native form, want the message in the driver's own words")
				}
			}
		})
	}
}
