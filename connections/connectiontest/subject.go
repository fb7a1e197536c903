package connectiontest

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
)

// A Subject is the driver under test, with a broker to test it on and what that
// broker cannot do. Functions that take a testing.TB are called on the goroutine
// of the test, so they may end it.
type Subject struct {
	Driver     connections.Driver
	Connection any // settings of a connection to the broker

	// Queue makes a queue that nobody else uses, or only its name where brokers
	// make queues when they are first named.
	Queue func(t testing.TB) string

	// Topic does the same for a topic. Nil: the broker has none (IBM MQ as we
	// use it).
	Topic func(t testing.TB) string

	// Break cuts every live connection made with Connection, and lets new ones
	// in afterwards. It returns once they are cut. Promises that need it run one
	// at a time. Nil: there is no way to do it.
	Break func(t testing.TB)

	// ReplyTo returns how a queue is named in the broker's own words, which is
	// what a sender puts into ReplyTo. Nil: by its name.
	ReplyTo func(queue string) string

	// Durable returns settings of a trigger, and of the connection that it uses
	// (nil: Connection), for a durable subscription of that name. The suite sets
	// the topic. Nil: the broker has no durable subscriptions.
	Durable func(subscription string) (connection, source any)

	// Exclusive does the same for a subscription that only one receiver at a
	// time may hold. Nil: all durable ones can be shared (RabbitMQ, memory).
	Exclusive func(subscription string) (connection, source any)

	// Selector returns settings of a trigger that receives only what matches,
	// such as "colour = 'red'". The suite sets the queue. Nil: the broker does
	// not select (RabbitMQ, memory).
	Selector func(expression string) (source any)

	// WrongPassword is settings with a password that the broker refuses, and
	// Password is that password. Nil: the broker has no users (memory).
	WrongPassword any
	Password      string

	// Unreachable is settings of a connection to where no broker is. Nil: a
	// broker is always there (memory).
	Unreachable any

	// WrongSettings are settings of a connection that Open refuses, by the field
	// that is wrong.
	WrongSettings map[string]any

	// Refused turns a message into one that the broker refuses while it takes
	// others over the same connection. Nil: a refusal ends the connection
	// (STOMP), or there is none (memory).
	Refused func(m *connections.Message)

	// Malformed puts a message into a queue, by other means, that the driver
	// cannot understand. Nil: there is none.
	Malformed func(t testing.TB, queue string)

	Cannot Cannot

	// Quiet is how long the suite waits to see that nothing comes. Default
	// 300 ms; more for a broker that delays what it delivers again.
	Quiet time.Duration
}

// Cannot is what a broker cannot do. What is set here is not checked, or checked
// in a weaker form; each field says what is left. It describes brokers: a driver
// that breaks a promise is repaired.
type Cannot struct {
	// Count: the broker does not tell how often it delivered a message (STOMP on
	// Artemis and RabbitMQ have a header "redelivered" at most). Then Count is 0.
	Count bool

	// CloseUncounted: the broker counts a delivery when a Receiver or Conn is
	// closed or lost (AMQP on Classic, STOMP on Artemis).
	CloseUncounted bool

	// ReleaseUncounted: the broker counts a delivery when a message is given
	// back (IBM MQ's backout).
	ReleaseUncounted bool

	// ReleaseOne: the broker cannot take back a single message, it comes back
	// when the Receiver is closed (STOMP on Artemis and Classic: NACK is a
	// verdict there, UNSUBSCRIBE is not).
	ReleaseOne bool

	// ReleaseReceiver: what is unsettled comes back only when the Conn is
	// closed (STOMP on RabbitMQ, where UNSUBSCRIBE requeues nothing). It
	// includes ReleaseOne.
	ReleaseReceiver bool

	// CountPrefetch: the broker bounds what it hands out by bytes, so the driver
	// keeps the bound but the broker may have given it more (STOMP on Artemis,
	// consumer-window-size). Then other receivers need not get the rest.
	CountPrefetch bool

	// TypeHeaders: the wire has only strings (STOMP). Then values arrive in
	// their CloudEvents text form.
	TypeHeaders bool

	// TellText: the wire does not tell text from bytes (STOMP on RabbitMQ).
	TellText bool

	// KeepID: a message's id is the broker's own (STOMP, where message-id is
	// set by the broker).
	KeepID bool

	// KeepIdentity: nothing stays the same when a message is delivered again
	// (STOMP on RabbitMQ). Then Identity is empty.
	KeepIdentity bool

	// KeepKey: there are no group ids (RabbitMQ).
	KeepKey bool

	// KeepPriority: a priority does not arrive (RabbitMQ, where a queue must be
	// declared with priorities).
	KeepPriority bool

	// KeepTime: the broker does not tell when a message was sent (STOMP on
	// RabbitMQ).
	KeepTime bool

	// Expire: messages do not expire.
	Expire bool

	// Reject: the broker delivers a rejected message again (AMQP on Broker-J,
	// unless the queue has a limit of deliveries and an alternate binding).
	Reject bool
}

func (s *Subject) quiet() time.Duration {
	if s.Quiet > 0 {
		return s.Quiet
	}
	return 300 * time.Millisecond
}
