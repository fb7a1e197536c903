package amqp_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// A message of any type that is relayed arrives as it was sent: Proton prints
// what it sends and what it gets back.
func TestRelayOfEveryType(t *testing.T) {
	peer := proton(t)
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		first, second := newQueue(), newQueue()
		sent, got := peer.start(t, broker, "types", first), peer.start(t, broker, "dump", second)
		conn := dial(t, settings(broker))
		in, out := receiver(t, conn, queueSource(first), 10), check(conn.Sender(within(t), queueTarget(second)))(t)
		for end := false; !end; {
			d := receive(t, in)
			if d.Bad != nil {
				t.Errorf("%s: %v", d.Body, d.Bad)
			}
			t.Logf("%s", d.Body)
			m := connections.Message{Body: d.Body, ContentType: d.ContentType, Text: d.Text, Header: d.Header, CorrelationID: d.CorrelationID, Native: d.Native}
			if err := out.Send(within(t), []connections.Message{m})[0]; err != nil {
				t.Errorf("relay %s: %v", d.Body, err)
			}
			settle(t, d, framework.Accept)
			end = string(d.Body) == "end"
		}
		if diff := cmp.Diff(<-sent, <-got); diff != "" {
			t.Errorf("messages (-sent +got back):\n%s", diff)
		}
	})
}
