package triggers

import (
	"sync/atomic"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// A job is one delivery on its way through the line. One worker at a time holds
// it; between two attempts it lies in its lane's waiting room.
type job struct {
	lane     *lane
	session  *session // where the delivery must be settled
	delivery connections.Delivery

	calling  *atomic.Int64 // of the worker that holds it; nil outside of workers
	over     atomic.Bool   // the delivery is settled, given back or lost
	left     atomic.Bool   // and its group knows
	decoded  bool
	events   []event.Event  // one, unless the message is a batch
	one      [1]event.Event // where it is, then
	at       int            // the event that is worked on
	unstable bool           // the event's id is random
	inUnit   bool           // something was sent in the message's unit of work
	replayed bool           // the function shall run although its effects may be committed

	failures
	cause error // why events[at] is a dead letter; set until it is buried

	room   call // for the first call; most jobs need no other
	called bool
}

// failures is the story of one event.
type failures struct {
	attempts    int // calls that failed
	first, last time.Time
}

func (f *failures) add(now time.Time) {
	if f.attempts == 0 {
		f.first = now
	}
	f.attempts++
	f.last = now
}

// advance moves on to the next event of the message.
func (j *job) advance() {
	j.at++
	j.failures = failures{}
	j.cause = nil
}

func (j *job) done() bool { return j.decoded && j.at >= len(j.events) && j.cause == nil }

// event returns the event that is worked on; the zero Event if the message has none.
func (j *job) event() event.Event {
	if j.at < len(j.events) {
		return j.events[j.at]
	}
	return event.Event{}
}

// attempt is the number of the call that comes, or of the last one if none does.
func (j *job) attempt() int {
	if j.cause != nil {
		return j.attempts
	}
	return j.attempts + 1
}

// A call is what the ctx of one call of the function carries.
type call struct {
	framework.Invocation
	origin framework.Origin
}

// call describes the next call of the function to it.
func (j *job) call(t *Trigger) *framework.Invocation {
	c := &j.room
	if j.called {
		c = new(call) // functions may keep the ctx of the one before
	}
	j.called = true
	c.Runtime, c.Function, c.Format, c.Event, c.Source = t.Runtime, t.Function, t.Format, j.event(), &c.origin
	if t.Manual && j.session != nil {
		c.Source = framework.NewOrigin(j.settleManually)
	}
	j.describe(c.Source, t)
	return &c.Invocation
}

// describe says where j's event comes from.
func (j *job) describe(o *framework.Origin, t *Trigger) {
	j.delivery.Describe(o)
	o.Trigger, o.Connection, o.Destination = t.Name, t.Connection, t.Destination
	o.Attempt, o.UnstableID, o.Replayed = j.attempt(), j.unstable, j.replayed
}
