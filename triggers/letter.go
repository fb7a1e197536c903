package triggers

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/connections"
)

// A Letter is a message that cannot be processed, and its story.
type Letter struct {
	Trigger     string
	Function    string
	Connection  string
	Destination string
	Message     connections.Message // as it came: bytes, headers and ids
	Event       event.Event         // the zero Event if the message could not be read
	Unstable    bool                // the event's id is random
	Replayed    bool                // the function shall run although its effects may be committed
	Cause       error
	Attempts    int // calls of the function, at least 1 where the message could not be read
	First, Last time.Time
}

// DeadLetters takes letters. Put returns nil only once the letter is kept
// durably; then the message is settled.
type DeadLetters interface {
	Put(ctx context.Context, l Letter) error
}

func (t *Trigger) letter(j *job) Letter {
	l := Letter{
		Trigger: t.Name, Function: t.Function, Connection: t.Connection, Destination: t.Destination,
		Message: j.delivery.Message, Event: j.event(), Unstable: j.unstable, Replayed: j.replayed,
		Cause: j.cause, Attempts: j.attempts, First: j.first, Last: j.last,
	}
	if len(j.events) > 1 { // the others of the batch have their own fate
		if m, err := connections.EncodeStructured(l.Event); err == nil {
			m.Header = withoutAttributes(j.delivery.Header)
			l.Message = m
		}
	}
	return l
}

func withoutAttributes(h map[string]any) map[string]any {
	h = maps.Clone(h)
	maps.DeleteFunc(h, func(name string, _ any) bool { return connections.IsAttribute(name) })
	return h
}

// maxCause is how much of the cause a dead letter on a broker says.
const maxCause = 1024

// OnBroker returns the message that a dead letter is on a broker: the original
// one, with the story in headers whose names JMS allows: fairlead_error,
// fairlead_attempts, fairlead_trigger, fairlead_function, fairlead_source
// ("/CONNECTION/DESTINATION"; of what was published, its target), fairlead_first
// and fairlead_last (RFC 3339).
//
// A Cause that is an [Explanation] adds attributes to the event, as a message in
// binary mode has them, whether the message is in that mode or not.
func (l Letter) OnBroker() connections.Message {
	m := l.Message
	h := maps.Clone(m.Header)
	if h == nil {
		h = make(map[string]any, 7)
	}
	cause := strings.ToValidUTF8(l.Cause.Error(), "\uFFFD")
	if len(cause) > maxCause {
		cause = strings.ToValidUTF8(cause[:maxCause], "") + " …"
	}
	h["fairlead_error"] = cause
	h["fairlead_attempts"] = int32(l.Attempts)
	h["fairlead_trigger"] = l.Trigger
	h["fairlead_function"] = l.Function
	h["fairlead_source"] = l.source()
	h["fairlead_first"] = l.First.UTC().Format(time.RFC3339Nano)
	h["fairlead_last"] = l.Last.UTC().Format(time.RFC3339Nano)
	if e, ok := errors.AsType[Explanation](l.Cause); ok {
		for name, v := range e.Attributes() {
			h[connections.Prefix+name] = v
		}
	}
	m.Header = h
	m.TTL = -1 // a dead letter does not expire
	return m
}

// An Explanation is an error that explains itself in extension attributes of
// CloudEvents on the dead letter that it causes.
type Explanation interface {
	error

	// Attributes returns strings and numbers (int32) by the names of attributes.
	Attributes() map[string]any
}

func (l Letter) source() string {
	if l.Connection == "" {
		return l.Destination
	}
	return "/" + l.Connection + "/" + strings.TrimPrefix(l.Destination, "/")
}
