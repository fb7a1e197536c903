package connections

import (
	"time"
)

// A Message is one broker message, in terms that all brokers share. A driver
// fills it on receipt and reads it to send.
type Message struct {
	Body        []byte // exactly as the broker has it
	ContentType string // the media type; empty if the message says none
	Text        bool   // the body is text, to brokers that tell text from bytes (JMS)

	// Header holds headers, or application properties, by their names on the
	// wire. CloudEvents attributes are here, too, with their prefix. Values are
	// strings where the wire has only strings; else bool, integers, floats,
	// string, []byte, time.Time, or a driver's own types. On sending a driver
	// writes types that its wire does not have in their CloudEvents text form.
	Header map[string]any

	ID            any    // the message's own id as the broker types it; nil if it has none; sent if set
	Identity      string // what stays the same when the message is delivered again, as text; empty where nothing does
	CorrelationID any
	ReplyTo       string        // where the sender wants its answer, in the broker's own words
	Correlate     any           // what an answer to this message has as its CorrelationID
	Key           string        // messages with the same key stay in order (group id)
	Priority      *int          // 0 to 9; nil: the broker's default
	TTL           time.Duration // 0: for ever, or as Native and Header have it; negative: for ever, whatever they have
	Time          time.Time     // when it was sent; zero if unknown

	// Native is the driver's own form of a received message. A relay sends it
	// on: a driver that finds its own type here keeps what Message cannot hold
	// (annotations, body sections, header folders), but never what belongs to
	// one delivery: message-id, redelivery, ack, subscription, receipt,
	// transaction, duplicate detection, reply-to, delivery counts.
	Native any
}

// Packed stands for a Native in a message that comes from the store; see Pack of
// [Driver].
type Packed []byte

// PerDelivery reports whether a header or property belongs to one delivery of a
// message, or to one send, so that a relay must not send it on.
func PerDelivery(name string) bool {
	switch name {
	case "message-id", "redelivered", "ack", "subscription", "receipt", "transaction", "reply-to", "_AMQ_DUPL_ID",
		"delivery-count", "JMSXDeliveryCount", "JMSRedelivered", "JMSReplyTo", "JMSMessageID":
		return true
	}
	return false
}
