package amqp_test

import (
	"testing"

	"github.com/fairlead/fairlead/connections/amqp"
)

// A router is told nothing about nodes, which it refuses to hear, and takes what is
// sent to any address by one link.
func TestRouter(t *testing.T) {
	conn := dial(t, startPeer(t, "router"))
	for _, address := range []string{"orders", "multicast/prices"} {
		r := receiver(t, conn, queueSource(address), 2)
		send(t, conn, queueTarget(address), text("by a link of its own"))
		send(t, conn, anyTarget(address), text("by the relay"))
		take(t, r, "by a link of its own")
		take(t, r, "by the relay")
	}
	send(t, conn, nativeTarget("replies"), text("answer"))
	take(t, receiver(t, conn, queueSource("replies"), 1), "answer")
}

// A peer without a relay gets a link for each address.
func TestNoRelay(t *testing.T) {
	conn := dial(t, startPeer(t, "plain"))
	for _, address := range []string{"a", "b", "c"} {
		send(t, conn, anyTarget(address), text("to "+address))
		take(t, receiver(t, conn, queueSource(address), 1), "to "+address)
	}
}

// What a peer is told about an address can be configured.
func TestCapabilities(t *testing.T) {
	conn := dial(t, startPeer(t, "router"))
	source, target := queueSource("a"), queueTarget("a")
	source.Capabilities, target.Capabilities = []string{"waypoint"}, []string{"waypoint"}
	if _, err := conn.Receiver(within(t), source, 1); err == nil {
		t.Error("receiver: got no error, want the peer's refusal of a capability")
	}
	if _, err := conn.Sender(within(t), target); err == nil {
		t.Error("sender: got no error, want the peer's refusal of a capability")
	}
	var none amqp.Target
	none.Queue, none.Capabilities = "a", []string{}
	send(t, conn, &none, text("m"))
}
