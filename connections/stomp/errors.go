package stomp

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-stomp/stomp/v3/frame"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// errClosed is why a link is lost that was closed on purpose.
var errClosed = errors.New("closed")

// lost says that what failed with err can no longer be used.
func lost(err error) error {
	if errors.Is(err, connections.ErrConnLost) {
		return err
	}
	return fmt.Errorf("%w: %w", connections.ErrConnLost, err)
}

// A brokerError is what a broker says in an ERROR frame, which is the last frame
// of a connection.
type brokerError struct {
	message string // one line; a code on RabbitMQ
	detail  string // first line of the body, if it says more
	receipt string // of the frame that is answered, where the broker tells
}

func newBrokerError(f *frame.Frame) *brokerError {
	e := &brokerError{message: f.Header.Get(frame.Message), receipt: f.Header.Get(frame.ReceiptId)}
	body, _, _ := strings.Cut(strings.TrimSpace(string(f.Body[:min(len(f.Body), 500)])), "\n")
	if body != e.message {
		e.detail = body
	}
	if e.message == "" {
		e.message, e.detail = e.detail, ""
	}
	return e
}

func (e *brokerError) Error() string {
	if e.detail == "" {
		return fmt.Sprintf("the broker says %q", e.message)
	}
	return fmt.Sprintf("the broker says %q: %q", e.message, e.detail)
}

// saidBy returns what the broker said, if that is why something was lost.
func saidBy(err error) *brokerError {
	said, _ := errors.AsType[*brokerError](err)
	return said
}

// goingDown says that the broker ends all connections, whatever they do. STOMP
// has no codes, so the words have to do: these are RabbitMQ's and our own
// development broker's. Others say nothing and hang up.
func (e *brokerError) goingDown() bool {
	return strings.HasPrefix(e.detail, "CONNECTION_FORCED") || strings.HasSuffix(e.message, "is stopping")
}

// standby says that the broker lets nobody in while another is there. The words
// are ActiveMQ Classic's, about a client id, and our development broker's.
func (e *brokerError) standby() bool {
	return strings.Contains(e.message, "already connected") || strings.Contains(e.message, "held by another")
}

// keptOut turns the answer to CONNECT or SUBSCRIBE into the error that says what
// to do about it.
func keptOut(err error) error {
	said := saidBy(err)
	switch {
	case said == nil || said.goingDown():
		return err
	case said.standby():
		return fmt.Errorf("%w: %w", connections.ErrStandby, said)
	}
	return fmt.Errorf("%w: %w", connections.ErrRefused, said)
}

// refused is the result of a Send that the broker answered with an ERROR.
func refused(said *brokerError) error {
	return &framework.SendError{Outcome: framework.Reject, Condition: said.message, Description: said.detail}
}
