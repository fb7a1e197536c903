package framework

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
)

// An Outcome tells a broker what became of a delivery. The zero value gives it
// back, so that what was forgotten is not lost.
type Outcome int

const (
	Release Outcome = iota // give it back, to be delivered again
	Accept                 // it is done
	Reject                 // it can never be processed
	Modify                 // give it back and count a failed delivery, where the broker counts
)

func (o Outcome) String() string {
	switch o {
	case Release:
		return "released"
	case Accept:
		return "accepted"
	case Reject:
		return "rejected"
	case Modify:
		return "modified"
	}
	return fmt.Sprintf("Outcome(%d)", int(o))
}

// An Origin says where an event came from, in the words of its broker. What has
// no home in a CloudEvent is found here.
type Origin struct {
	Trigger     string // the trigger's name in the configuration
	Connection  string // the connection's name; empty for HTTP, a schedule or a function
	Destination string // the queue or topic, as configured
	Attempt     int    // which call of the function for this event this is, from 1, counted by Fairlead
	Deliveries  int    // how often the broker says it delivered the message before; 0 where it does not say

	// Header holds the message's own headers and properties by their names on
	// the wire, CloudEvents attributes included: strings on STOMP; bool,
	// integers, floats, string, []byte, time.Time and the driver's own types
	// on AMQP. It is shared with the runtime: do not change it.
	Header map[string]any

	ID            any    // the message's own id, as typed by the broker; nil if it has none
	CorrelationID any    // likewise
	ReplyTo       string // where the sender wants its answer; empty if it wants none
	Correlate     any    // what an answer has as its correlation id; nil for none
	UnstableID    bool   // the event's id is random: a redelivery will have another

	// Path and Query are the variables of an HTTP trigger's path by their names,
	// and the query of the request; Caller is who its security recognised, or
	// nil. The credentials themselves are not in Header then.
	Path   map[string]string
	Query  url.Values
	Caller *Caller

	// Replayed says that whoever replayed a dead letter wants the function to run
	// although the effects of the event may be committed.
	Replayed bool

	// Native is the driver's own form of the message, such as *amqp.Message;
	// nil where there is none.
	Native any

	settle  func(context.Context, Outcome) error
	settled atomic.Bool

	later func(*Origin) // see Later
	asked sync.Once
}

// A Caller is who called by HTTP.
type Caller struct {
	Security string         // name of the security definition that let the call in
	Name     string         // the user (basic), the token's subject (jwt), or the certificate's (mtls); empty with an API key
	Claims   map[string]any // of the token (jwt); nil elsewhere
}

// Source tells where the event that ctx's function works on came from. It is
// never nil: outside a running function it returns an empty Origin.
func Source(ctx context.Context) *Origin {
	if inv := FromContext(ctx); inv != nil && inv.Source != nil {
		inv.Source.complete()
		return inv.Source
	}
	return new(Origin)
}

// Settle tells the broker what becomes of the message, once, for a trigger with
// autoAccept: false. On any other trigger, and the second time, it is an error.
func (o *Origin) Settle(ctx context.Context, outcome Outcome) error {
	if o.settle == nil {
		return errors.New("settle: the trigger settles by itself (autoAccept is not false)")
	}
	if o.settled.Swap(true) {
		return errors.New("settle: already settled")
	}
	return o.settle(ctx, outcome)
}
