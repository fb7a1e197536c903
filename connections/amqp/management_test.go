package amqp_test

import (
	"encoding/json"
	"testing"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/amqp"
	"github.com/fairlead/fairlead/test/services"
)

// limitQueue lets Artemis refuse what is sent to a queue that holds 100 kB.
func limitQueue(t *testing.T, broker services.Broker, queue string) {
	t.Helper()
	manage(t, broker, "addAddressSettings", queue, `{"maxSizeBytes": 100000, "pageSizeBytes": 10000, "addressFullMessagePolicy": "FAIL", "defaultAddressRoutingType": "ANYCAST", "defaultQueueRoutingType": "ANYCAST"}`)
}

// delivering asks Artemis how many messages of a queue are unsettled.
func delivering(t *testing.T, broker services.Broker, queue string) int {
	t.Helper()
	var answer []int
	if err := json.Unmarshal(callArtemis(t, broker, "queue."+queue, "_AMQ_Attribute", "deliveringCount"), &answer); err != nil || len(answer) != 1 {
		t.Fatalf("deliveringCount: %v %v", answer, err)
	}
	return answer[0]
}

// manage calls an operation of Artemis, and waits until it has succeeded.
func manage(t *testing.T, broker services.Broker, operation string, parameters ...any) {
	t.Helper()
	callArtemis(t, broker, "broker", "_AMQ_OperationName", operation, parameters...)
}

// callArtemis asks a resource for an attribute, or calls an operation of it, and
// returns the answer.
func callArtemis(t *testing.T, broker services.Broker, resource, kind, name string, parameters ...any) []byte {
	t.Helper()
	admin := settings(broker)
	admin.User, admin.Password = "admin", "adminpw"
	conn := dial(t, admin)
	replies := newQueue()
	call := connections.Message{
		Body: check(json.Marshal(parameters))(t), Text: true, ReplyTo: replies,
		Header: map[string]any{"_AMQ_ResourceName": resource, kind: name},
	}
	target := new(amqp.Target)
	target.SetAddress("activemq.management", true)
	in := receiver(t, conn, queueSource(replies), 1)
	send(t, conn, target, call)
	d := receive(t, in)
	if d.Header["_AMQ_OperationSucceeded"] != true {
		t.Fatalf("%s of %s: got %s", name, resource, d.Body)
	}
	return d.Body
}
