package stomp

import (
	"strings"

	"github.com/go-stomp/stomp/v3/frame"

	"github.com/fairlead/fairlead/connections"
)

// A kind is a sort of broker, as CONNECTED's server header tells.
type kind int

const (
	unknown kind = iota
	artemis
	classic
	rabbit
	embedded
)

func kindOf(server string) kind {
	switch name, _, _ := strings.Cut(server, "/"); name {
	case "ActiveMQ-Artemis":
		return artemis
	case "ActiveMQ":
		return classic
	case "RabbitMQ":
		return rabbit
	case "fairlead-dev":
		return embedded
	}
	return unknown
}

// Artemis' names for queues and topics.
const (
	anycast   = "ANYCAST"
	multicast = "MULTICAST"
)

// name returns what d is called at a broker, and its routing type where the
// broker, Artemis, wants that beside the name.
func (k kind) name(d connections.Destination) (name, routing string) {
	name, topic := d.Address()
	switch {
	case d.Native && k == artemis:
		return nativeArtemis(name)
	case d.Native || strings.HasPrefix(name, "/"):
		return name, ""
	case k == artemis && topic:
		return name, multicast
	case k == artemis:
		return name, anycast
	case k == rabbit:
		name = strings.NewReplacer("%", "%25", "/", "%2F").Replace(name)
	}
	if topic {
		return "/topic/" + name, ""
	}
	return "/queue/" + name, ""
}

// nativeArtemis reads a name as it is found in reply-to, where a JMS client
// writes what kind of destination it is.
func nativeArtemis(words string) (name, routing string) {
	scheme, name, ok := strings.Cut(words, "://")
	if ok {
		switch scheme {
		case "queue", "temp-queue":
			return name, anycast
		case "topic", "temp-topic":
			return name, multicast
		}
	}
	return words, ""
}

// deadLetters names the queue that gets what is rejected from d.
func deadLetters(d connections.Destination) connections.Destination {
	name, _ := d.Address()
	for _, prefix := range []string{"/topic/", "topic://"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			name = strings.Replace(prefix, "topic", "queue", 1) + rest
		}
	}
	return connections.Destination{Queue: name + ".DLQ", Native: d.Native}
}

// durable returns the headers of SUBSCRIBE that make a subscription outlive its
// connection.
func (k kind) durable(name string) *frame.Header {
	h := frame.NewHeader()
	if k == artemis || k == embedded || k == unknown {
		h.Add("durable-subscription-name", name)
	}
	if k == classic || k == unknown {
		h.Add("activemq.subscriptionName", name)
	}
	if k == rabbit || k == unknown {
		h.Add("durable", "true")
		h.Add("auto-delete", "false")
	}
	return h
}
