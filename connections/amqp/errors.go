package amqp

import (
	"errors"
	"fmt"
	"strings"

	"github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
)

// opening says what an error of go-amqp means to one who opens a connection, a
// receiver or a sender.
func opening(err error) error {
	if err == nil {
		return nil
	}
	_, said := words(err)
	if c := class(err); c != nil {
		return fmt.Errorf("%w: %w", c, said)
	}
	return said
}

// class returns the sentinel for err; nil if what it says concerns one link only.
func class(err error) error {
	remote, _ := words(err)
	switch {
	case remote != nil && remote.Condition == amqp.ErrCondUnauthorizedAccess:
		return connections.ErrRefused
	case remote != nil && held(remote):
		return connections.ErrStandby
	case gone(err):
		return connections.ErrConnLost
	}
	return nil
}

// using says what an error of go-amqp means to one who uses what was opened.
func using(err error) error {
	if err == nil || !gone(err) {
		return err
	}
	remote, said := words(err)
	if remote != nil && held(remote) { // another took it from us
		return fmt.Errorf("%w: %w: %w", connections.ErrConnLost, connections.ErrStandby, said)
	}
	return fmt.Errorf("%w: %w", connections.ErrConnLost, said)
}

// gone says that a link, a session or the connection has ended.
func gone(err error) bool {
	var (
		conn    *amqp.ConnError
		session *amqp.SessionError
		link    *amqp.LinkError
	)
	return errors.As(err, &conn) || errors.As(err, &session) || errors.As(err, &link)
}

// held says that another has the container id or the subscription.
func held(e *amqp.Error) bool {
	switch e.Condition {
	case amqp.ErrCondResourceLocked, amqp.ErrCondStolen:
		return true
	case amqp.ErrCondInvalidField:
		return e.Info["invalid-field"] == "container-id"
	case amqp.ErrCondInternalError: // Artemis: Maximum Consumer Limit Reached; the number is all that tells it
		return strings.Contains(e.Description, "AMQ229200")
	}
	return false
}

// words returns what the broker said, nil if the error is not the broker's, and
// err, or that in words.
func words(err error) (*amqp.Error, error) {
	remote, ok := errors.AsType[*amqp.Error](err)
	if !ok {
		return nil, err
	}
	return remote, brokerError{remote}
}

// A brokerError is an *amqp.Error in words.
type brokerError struct{ said *amqp.Error }

func (e brokerError) Error() string {
	if e.said.Description == "" {
		return string(e.said.Condition)
	}
	return string(e.said.Condition) + ": " + e.said.Description
}

func (e brokerError) Unwrap() error { return e.said }
