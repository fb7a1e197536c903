package amqp

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	xdg "github.com/xdg-go/scram"
)

// Iterations that a broker may ask for: fewer would let whoever pretends to be
// the broker try passwords quickly (RFC 7677 says at least 4096), more would keep
// us busy.
const (
	minIterations = 4096
	maxIterations = 1 << 20
)

// scram is the client's side of RFC 5802, without channel binding. Both sides
// prove that they know the password, and neither tells it.
type scram struct {
	login login
	hash  xdg.HashGeneratorFcn

	talk  *xdg.ClientConversation
	asked bool // the broker sent its challenge
}

// Start implements mechanism.
func (s *scram) Start(context.Context) ([]byte, error) {
	client, err := s.hash.NewClient(s.login.user, s.login.password, "")
	if err != nil {
		return nil, errors.New("user or password have characters that SCRAM does not allow (SASLprep)")
	}
	s.talk = client.WithMinIterations(minIterations).NewConversation()
	first, err := s.talk.Step("")
	return []byte(first), err
}

// Next implements mechanism.
func (s *scram) Next(challenge []byte) ([]byte, error) {
	if s.asked {
		return nil, s.verify(challenge)
	}
	_, rest, _ := strings.Cut(string(challenge), ",i=")
	count, _, _ := strings.Cut(rest, ",")
	if n, err := strconv.Atoi(count); err == nil && (n < minIterations || n > maxIterations) {
		return nil, fmt.Errorf("it asks for %d iterations, expected %d to %d", n, minIterations, maxIterations)
	}
	s.asked = true
	answer, err := s.talk.Step(string(challenge))
	if err != nil {
		return nil, fmt.Errorf("its challenge is not one for this exchange: %w", err)
	}
	return []byte(answer), nil
}

// End implements mechanism: some brokers prove themselves in a challenge, others
// together with their success.
func (s *scram) End(data []byte) error {
	if s.talk.Valid() {
		return nil
	}
	return s.verify(data)
}

func (s *scram) verify(data []byte) error {
	if s.asked && !s.talk.Done() {
		if _, err := s.talk.Step(string(data)); err == nil && s.talk.Valid() {
			return nil
		}
	}
	return errors.New("it did not prove that it knows the password")
}
