// Package amqp talks AMQP 1.0 to brokers such as ActiveMQ Artemis and Classic,
// Qpid Broker-J and Azure Service Bus, over github.com/Azure/go-amqp.
//
// # Who a connection is
//
// Every connection has a random container id, but for one kind: a durable
// subscription that is not shared belongs to a container id, so its Receiver
// dials a connection of its own, as "CONTAINERID.SUBSCRIPTION". A broker lets
// nobody else have it meanwhile ([connections.ErrStandby]), which is how
// replicas stand by for each other.
//
// # Bodies
//
// Data sections, strings and binary values arrive as they are. Any other body
// (map, list, number …) arrives as JSON: binary in base64, times as RFC 3339,
// and as text what JSON has no form for. The original is in Message.Native.
// Values that go-amqp does not know (decimal numbers, for one) are of types of this
// package; see Described and its like. A message that breaks the standard arrives
// with Delivery.Bad set and all of its bytes as its body; see guard.
//
// Text goes out as a string value, which a JMS client takes for a TextMessage,
// and bytes as a Data section, a BytesMessage; Target.JMS makes others. The data of
// a CloudEvent is always a Data section, as the AMQP Protocol Binding for
// CloudEvents wants it.
//
// # Brokers
//
// Artemis takes a name that it does not know for a topic, and drops what is sent
// there, unless a link says "queue"; ours do. On Classic a name begins with
// queue:// or topic://, which is added. It cannot share subscriptions. A topic
// of Broker-J is EXCHANGE/KEY, as in amq.topic/prices; it delivers a rejected
// message again, for ever, and lets a second receiver take a durable
// subscription from the first.
package amqp

import (
	"context"
	"strings"

	"github.com/fairlead/fairlead/connections"
)

// Driver returns the driver for connections of type amqp.
func Driver() connections.Driver {
	queues := new(dynamicQueues)
	return connections.Driver{
		Fake:       fake,
		Pack:       pack,
		Unpack:     unpack,
		Connection: func() any { return new(Connection) },
		Source:     func() any { return new(Source) },
		Target:     func() any { return new(Target) },
		Open: func(name string, settings any) (connections.Dial, error) {
			dial, err := open(name, settings)
			return queues.sharedBy(name, dial), err
		},
		CheckSource: func(connection, source any) error {
			return source.(*Source).check(connection.(*Connection))
		},
		CheckTarget: func(_, target any) error { return target.(*Target).check() },
		DeadLetters: deadLetters,
	}
}

// deadLetters returns the queue NAME.DLQ. A topic of Broker-J is EXCHANGE/KEY: the
// exchange would drop what is sent to a key that nobody listens to.
func deadLetters(source any) any {
	name, topic := source.(*Source).Address()
	if topic {
		name = strings.ReplaceAll(name, "/", ".")
	}
	return &Target{Destination: connections.Destination{Queue: name + ".DLQ"}}
}

func open(name string, settings any) (connections.Dial, error) {
	s := settings.(*Connection)
	addresses, err := s.check()
	if err != nil {
		return nil, err
	}
	if s.fromFile() {
		return (&connectFile{name: name, settings: s}).dial, nil
	}
	urls, secure := s.urls(), s.TLS.Handshake()
	dialers := make(map[string]*dialer, len(urls))
	for i, u := range urls {
		dialers[u] = &dialer{name: name, settings: s, address: addresses[i], secure: secure}
	}
	return connections.Failover(urls, func(ctx context.Context, u string) (connections.Conn, error) {
		return dialers[u].dial(ctx)
	}), nil
}
