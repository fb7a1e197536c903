package framework

import (
	"errors"
	"fmt"
	"time"
)

// Terminal marks err as one that no retry can mend: the message goes to the
// dead letters at once. Terminal(nil) is nil.
func Terminal(err error) error {
	if err == nil {
		return nil
	}
	return &verdict{err: err, terminal: true}
}

// RetryAfter marks err as worth another try, but not before d has passed.
// It uses up an attempt like any other error. RetryAfter(d, nil) is nil.
func RetryAfter(d time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &verdict{err: err, after: d}
}

// IsTerminal reports whether err was marked by [Terminal]. Where marks are
// nested, the outermost holds.
func IsTerminal(err error) bool {
	v, ok := errors.AsType[*verdict](err)
	return ok && v.terminal
}

// Delay returns the wait that [RetryAfter] asked for, or false if err asks for none.
func Delay(err error) (time.Duration, bool) {
	v, ok := errors.AsType[*verdict](err)
	if !ok || v.terminal {
		return 0, false
	}
	return v.after, true
}

type verdict struct {
	err      error
	terminal bool
	after    time.Duration
}

func (v *verdict) Error() string { return v.err.Error() }
func (v *verdict) Unwrap() error { return v.err }

// ErrUnavailable is wrapped by what Send, Publish and Transactional return when
// a broker or the store could not be reached. The event is not to blame: when a
// function fails after such an error, whatever it returns, no attempt is used
// up and nothing is dead-lettered; its trigger waits and tries again.
var ErrUnavailable = errors.New("unavailable")

// ErrBusy is returned by [InvokeAsync] when its queue is full and the caller
// cannot wait for room.
var ErrBusy = errors.New("too many asynchronous invocations are waiting")

// ErrNoRuntime is returned by what only works inside a running function, when
// ctx is not the one that the function was given.
var ErrNoRuntime = errors.New("ctx belongs to no running function")

// A SendError is what [Send] returns when the broker answered, and refused.
// Lost connections are not SendErrors; they wrap [ErrUnavailable].
type SendError struct {
	Binding     string
	Destination string
	Outcome     Outcome // Reject, Release or Modify (AMQP); Reject elsewhere
	Condition   string  // the broker's error condition or reason code, such as "amqp:not-found"; may be empty
	Description string  // the broker's own words
}

func (e *SendError) Error() string {
	s := fmt.Sprintf("send to %s %s: the broker's answer was %s", e.Binding, e.Destination, e.Outcome)
	if e.Condition != "" {
		s += " " + e.Condition
	}
	if e.Description != "" {
		s += ": " + e.Description
	}
	return s
}

// A DecodeError says that an event's data is not what its function takes. It is
// always [Terminal].
type DecodeError struct {
	ID   string // the event's id
	Type string // the Go type that was wanted
	Err  error
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("decode data of event %s into %s: %v", e.ID, e.Type, e.Err)
}

// Unwrap returns what the decoder said.
func (e *DecodeError) Unwrap() error { return e.Err }
