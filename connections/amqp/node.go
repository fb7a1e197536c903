package amqp

import (
	"context"
	"strings"

	"github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
)

// A node is a queue or a topic as a broker knows it.
type node struct {
	address      string
	capabilities []string // what to take an unknown name for: without them Artemis makes a topic of it
	kind         *int8    // what JMS takes it for; nil: nobody knows
}

// nodeOf returns the node of a destination in our words. Classic says how its
// names begin, and goes by that instead of the capability. A router has no nodes
// and is told nothing. What is configured wins, if it is not nil.
func nodeOf(client *amqp.Conn, d *connections.Destination, configured []string) node {
	name, topic := d.Address()
	kind, jms := "queue", jmsQueue
	if topic {
		kind, jms = "topic", jmsTopic
	}
	if prefix, ok := client.Properties()[kind+"-prefix"].(string); ok && !strings.HasPrefix(name, prefix) {
		name = prefix + name
	}
	n := node{name, []string{kind}, &jms}
	switch {
	case configured != nil:
		n.capabilities = configured
	case isRouter(client):
		n.capabilities = nil
	}
	return n
}

// In the words of Classic an address begins with what it is. We borrow them for
// a reply-to that JMS says is a topic's.
const (
	queuePrefix = "queue://"
	topicPrefix = "topic://"
)

// nativeNode returns the node of an address in the broker's own words, as a
// reply-to is. What does not begin with topicPrefix is taken for a queue, so
// that a broker that does not know the name keeps what is sent there; but
// Artemis may know it as a topic, of one who listens there without having said
// what it is.
func nativeNode(ctx context.Context, client *amqp.Conn, session *amqp.Session, name string) node {
	d := connections.Destination{Queue: strings.TrimPrefix(name, queuePrefix)}
	if topic, ok := strings.CutPrefix(name, topicPrefix); ok {
		d = connections.Destination{Topic: topic}
	}
	switch {
	case strings.HasPrefix(name, "temp-"): // Classic
		return node{address: name}
	case d.Topic == "" && isArtemis(client) && !isQueue(ctx, session, d.Queue):
		return node{address: d.Queue}
	}
	return nodeOf(client, &d, nil)
}

// isRouter says that the peer is a router of Qpid Dispatch's family, which passes
// on what others hold.
func isRouter(client *amqp.Conn) bool {
	product, _ := client.Properties()["product"].(string)
	return strings.Contains(product, "router")
}

func isArtemis(client *amqp.Conn) bool {
	return client.Properties()["product"] == "apache-activemq-artemis"
}

func isClassic(client *amqp.Conn) bool { return client.Properties()["product"] == "ActiveMQ" }

func isBrokerJ(client *amqp.Conn) bool {
	product, _ := client.Properties()["product"].(string)
	return strings.Contains(product, "Qpid Broker-J")
}

// isQueue asks Artemis whether a queue of that name can be received from; it
// says illegal-state if the name is a topic's. The link gets no credit.
func isQueue(ctx context.Context, session *amqp.Session, name string) bool {
	link, err := session.NewReceiver(ctx, name, &amqp.ReceiverOptions{Credit: -1, SourceCapabilities: []string{"queue"}})
	if err != nil {
		remote, _ := words(err)
		return remote == nil || remote.Condition != amqp.ErrCondIllegalState
	}
	_ = link.Close(ctx) // or the session ends it
	return true
}
