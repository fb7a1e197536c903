package connections

import (
	"context"
	"errors"
)

// ErrNotBuilt is what the error of a driver's Open is (errors.Is) when the
// settings are right, but this build lacks what the driver needs to connect.
// Such settings can be checked, shown and handed on; they cannot be used here.
var ErrNotBuilt = errors.New("not in this build")

// Optional abilities of a Conn or a Receiver. Not every broker has them.

// A Browser is a Conn that can show what waits in a queue without taking it.
type Browser interface {
	// Browse returns at most limit messages of source after the first skip ones,
	// in the order in which they would be received.
	Browse(ctx context.Context, source any, skip, limit int) ([]Message, error)
}

// ErrNoQueue is wrapped by what Depth of a [Gauge] returns for a queue that the
// broker does not have: some brokers remove a queue that is empty and make it again
// for the next message. The Conn can be asked again.
var ErrNoQueue = errors.New("there is no such queue")

// A Gauge is a Conn that can tell how many messages wait in a queue.
type Gauge interface {
	// Depth returns how many wait in source. The error wraps
	// [errors.ErrUnsupported] where this broker does not tell, and [ErrNoQueue]
	// where it says that there is no such queue.
	Depth(ctx context.Context, source any) (int, error)
}

// A Backouter is a Receiver whose source says itself what becomes of a message
// that cannot be processed. Settling such a delivery with Reject moves it, as
// it is and in one step with being settled: to the source's own backout queue
// or, if it has none, to the broker's general dead-letter queue. If neither
// takes it, Settle returns an error, and the message was given back.
//
// A delivery that was tried too often by the broker's count arrives with its
// Bad set.
type Backouter interface {
	// Backout returns how often a message may be delivered (0: the source does
	// not say), and the name of the backout queue (empty: there is none).
	Backout() (limit int, queue string)
}

// An Atomic is a Receiver that can send in the unit of work of the delivery in
// hand: what is sent is there once the delivery is accepted, and never was when
// it is given back or lost. nil from Send means that the broker has taken the
// message, but not yet for good.
//
// A failed attempt that sent so cannot be tried again in place: the delivery
// must be given back, which takes back what was sent.
type Atomic interface {
	// Sender prepares to send to target, a struct that the driver's Target
	// returned. Its Send may be called while a delivery is in hand, from any
	// goroutine.
	Sender(ctx context.Context, target any) (Sender, error)
}

// An AtomicTarget is settings of a binding that may ask that what is sent to the
// connection a message came from is sent in that message's unit of work.
type AtomicTarget interface{ WantsAtomic() bool }

// A Durable is settings of a trigger that may name a subscription which the
// broker keeps, with its messages, while nobody receives.
type Durable interface {
	// Durable returns the subscription's name, empty if there is none, and terms
	// that stand for what it collects. A broker that is asked for the same name on
	// other terms drops what the subscription holds.
	Durable() (subscription, terms string)
}

// An Answered is settings of a binding that may name a queue of this program, on
// the same connection, where answers are to go.
type Answered interface {
	// AnsweredAt returns the name that the [Temporary] source of the queue has, and
	// whether answers go to such a queue at all.
	AnsweredAt() (queue string, ok bool)
}

// A Temporary is settings of a trigger whose queue may be one that the broker makes
// for it.
type Temporary interface{ IsTemporary() bool }
