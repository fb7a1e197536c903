// Package connections is the contract between Fairlead and a broker. Each
// folder below it holds one driver, for both directions; connectiontest holds
// the promises that every driver keeps.
//
// A driver maps the wire and classifies errors, nothing else: no loops, no
// retries, no logging. The engine (package triggers and package bindings) owns
// reconnection, back-off, retries and dead letters.
//
// To add a broker: one folder with a Driver, one call of connectiontest.Run in
// its test, one line in package drivers.
package connections

import (
	"context"
	"errors"

	"github.com/fairlead/fairlead/framework"
)

// ErrConnLost is wrapped by the error of any method of a [Conn], [Receiver],
// [Sender] or [Delivery] that can no longer be used, for whatever reason: the
// caller closes the Conn and dials again. What was received over it and not
// settled will be delivered again.
var ErrConnLost = errors.New("connection lost")

// ErrRefused is wrapped by what Dial, Receiver and Sender return when the broker
// answered and does not let us in: a wrong password, a missing permission, an
// untrusted certificate. Trying again soon does not help and may lock an
// account.
var ErrRefused = errors.New("refused")

// ErrStandby is wrapped by what Dial and Receiver return when another holds
// what only one may hold: a client id, an unshared durable subscription. Others
// take over when that one is gone.
var ErrStandby = errors.New("held by another")

// A Driver is how Fairlead talks to one kind of broker.
//
// The three functions return pointers to new settings structs, which package
// config fills from the keys of a connection, a trigger and a binding. Fields
// have a yaml tag; a doc tag says what they mean; secret:"true" marks what must
// never be shown. Equal settings mean that nothing has to be restarted.
type Driver struct {
	Connection func() any // keys of a connection
	Source     func() any // keys of a trigger: where messages come from; it is an [Addressed]
	Target     func() any // keys of a binding: where messages go to; it is an [Addressed]

	// Open checks the settings, doing no I/O, and returns the function that
	// dials. A wrong value is a [*SettingError], or several of them joined.
	Open func(name string, settings any) (Dial, error)

	// CheckSource and CheckTarget check the settings of a trigger or binding on
	// a connection with the given settings, doing no I/O. Nil: nothing to check.
	CheckSource func(connection, source any) error
	CheckTarget func(connection, target any) error

	// DeadLetters returns the target, as Target returns it, of the queue that
	// takes a source's dead letters where nothing else is configured. Nil: the
	// queue named after the source with ".DLQ".
	DeadLetters func(source any) any

	// Serial says that receiving and settling on one Conn belong to one
	// goroutine, as on IBM MQ, whose unit of work is the connection's. A
	// trigger then dials once for each worker.
	Serial bool

	// Embed starts this driver's development broker, for connections whose
	// settings are an [Embeddable]; it lives until ctx ends. It returns the
	// address it listens on. Nil: the driver has none.
	Embed func(ctx context.Context) (address string, err error)

	// Join makes such connections use a development broker that another process
	// started, at the address that its Embed returned. Set if Embed is.
	Join func(address string)

	// Fake returns what a Receiver would deliver if m came from a broker that has
	// delivered it redelivered times before. m is encoded and decoded as on the
	// wire; there is no broker, no I/O and no Settle. Nil: the driver has no wire.
	Fake func(m Message, redelivered int) (Delivery, error)

	// Pack returns what a received message has beyond the fields of Message, from its
	// Native, in a form that lasts: the store keeps it beside them as a [Packed]. It is
	// nil if there is nothing. Unpack gives a message with these fields its Native
	// again, and what the store does not keep as it was: headers and ids of the wire's
	// own types. Nil: Native is not kept. Both are there or neither.
	Pack   func(m *Message) ([]byte, error)
	Unpack func(packed []byte, m *Message) error
}

// An Embeddable is settings of a connection that may ask for the driver's
// development broker.
type Embeddable interface{ WantsEmbedded() bool }

// An Addressed is settings of a trigger or a binding that name a queue or topic.
type Addressed interface {
	// Address returns the name as a person would write it, and whether it is a topic's.
	Address() (name string, topic bool)

	// SetAddress replaces it. A name that begins with "topic:" is a topic's;
	// native says that name is in the broker's own words, such as a reply-to,
	// and is used as it is.
	SetAddress(name string, native bool)
}

// Dial connects to a broker and authenticates. ctx bounds the dialing, not the
// life of the Conn.
type Dial func(ctx context.Context) (Conn, error)

// A Conn is one live connection to a broker. Its methods may be called
// concurrently. Receiving and sending never share one: the engine dials a Conn
// for each trigger's receiving and another for what is sent.
type Conn interface {
	// Receiver begins to receive from source, a struct that the driver's Source
	// returned. No more than prefetch messages are unsettled at any time,
	// counted at the broker where it can count.
	Receiver(ctx context.Context, source any, prefetch int) (Receiver, error)

	// Sender prepares to send to target, a struct that the driver's Target
	// returned. Several Senders of one Conn work side by side.
	Sender(ctx context.Context, target any) (Sender, error)

	// Close gives back every unsettled delivery and frees all resources.
	// Closing twice is not an error.
	Close() error
}

// A Watched Conn tells at once when it is lost, so that nobody finds out by
// losing a message's first try.
type Watched interface{ Done() <-chan struct{} }

// A Receiver takes messages from one source. Receive is called by one goroutine
// at a time.
type Receiver interface {
	// Receive waits for a message or for ctx to end; then it returns ctx's error
	// and has taken nothing. A message that cannot be understood is a Delivery
	// with its Bad set, not an error.
	Receive(ctx context.Context) (Delivery, error)

	// Close ends the subscription (a durable one stays at the broker) and gives
	// back what was prefetched and not received, with no delivery counted where
	// the broker allows that. What was received may still be settled where the
	// broker allows it; else it is given back, too.
	Close() error
}

// A Delivery is a received message and the duty to settle it, once.
type Delivery struct {
	Message

	// Count says how often the broker delivered the message before this time, by
	// its own count. It is 0 where the broker does not count. It is never the
	// number of attempts, which Fairlead counts.
	Count int

	// Bad says why the message cannot be understood, though its raw parts are
	// here; it goes to the dead letters.
	Bad error

	// Settle tells the broker what became of the message. It may be called from
	// any goroutine and in any order of deliveries (Serial drivers excepted),
	// and is called once. nil means that the broker was told; where the broker
	// answers, that it answered. Release gives the message back; a broker that
	// cannot take back a single message (STOMP) gets it when the Receiver is closed.
	Settle func(ctx context.Context, o framework.Outcome) error
}

// Describe writes into o what the broker says of the message.
func (d *Delivery) Describe(o *framework.Origin) {
	o.Deliveries, o.Header, o.ID, o.CorrelationID = d.Count, d.Header, d.ID, d.CorrelationID
	o.ReplyTo, o.Correlate, o.Native = d.ReplyTo, d.Correlate, d.Native
}

// A Sender puts messages on one target. It is used by one goroutine at a time.
type Sender interface {
	// Send hands over a batch, in order and pipelined where the broker can.
	// The result has one entry for each message: nil once the broker has taken
	// charge of it, durably unless the message says otherwise; a
	// [*framework.SendError] when the broker refused it; [ErrConnLost] when
	// that is not known.
	Send(ctx context.Context, batch []Message) []error

	Close() error
}

// A Pinger is a Conn that can make a round trip to its broker.
type Pinger interface {
	Ping(ctx context.Context) error
}

// A SettingError is a wrong value in the settings of a connection, trigger or
// binding.
type SettingError struct {
	Field string // the key, such as "sasl.mechanisms"
	Found string // what was found; never a secret
	Want  string // what was expected, as in "a URL that begins with amqp:// or amqps://"
}

func (e *SettingError) Error() string {
	s := e.Field + ": "
	if e.Found != "" {
		s += "found " + e.Found + ", "
	}
	return s + "expected " + e.Want
}
