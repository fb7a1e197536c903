package amqp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
)

// Depth implements [connections.Gauge] on Artemis, for users who may manage it
// (the permission "manage" on the address activemq.management). On other brokers
// the error is [errors.ErrUnsupported].
func (c *conn) Depth(ctx context.Context, source any) (int, error) {
	s := source.(*Source)
	depth, err := c.depth(ctx, s)
	if err != nil {
		name, _ := s.Address()
		return 0, fmt.Errorf("depth of %s over %s: %w", name, c.dialer.name, err)
	}
	return depth, nil
}

func (c *conn) depth(ctx context.Context, s *Source) (int, error) {
	switch {
	case !isArtemis(c.client):
		return 0, fmt.Errorf("%w: the broker does not tell", errors.ErrUnsupported)
	case s.Queue == "" || s.Dynamic:
		return 0, &connections.SettingError{Field: "queue", Want: "the name of a queue: nothing else holds messages"}
	}
	session, err := c.client.NewSession(ctx, nil)
	if err != nil {
		return 0, opening(err)
	}
	defer closeSession(session)
	answer, err := askArtemis(ctx, session, "queue."+s.Queue, "messageCount")
	if err != nil {
		return 0, err
	}
	var depth []int
	if err := json.Unmarshal([]byte(answer), &depth); err != nil || len(depth) != 1 {
		return 0, fmt.Errorf("found %.100q, expected a number", answer)
	}
	return depth[0], nil
}

// askArtemis returns the value of an attribute of one of the broker's parts, in
// a list of JSON.
func askArtemis(ctx context.Context, session *amqp.Session, part, attribute string) (string, error) {
	answers, err := session.NewReceiver(ctx, "", &amqp.ReceiverOptions{DynamicAddress: true})
	if err != nil {
		return "", opening(err)
	}
	questions, err := session.NewSender(ctx, "activemq.management", nil)
	if err != nil {
		return "", opening(err)
	}
	question := &amqp.Message{
		Value:                 "",
		Properties:            &amqp.MessageProperties{ReplyTo: new(answers.Address())},
		ApplicationProperties: map[string]any{"_AMQ_ResourceName": part, "_AMQ_Attribute": attribute},
	}
	if err := questions.Send(ctx, question, nil); err != nil {
		_, said := words(err)
		return "", said
	}
	m, err := answers.Receive(ctx, nil)
	if err != nil {
		return "", using(err)
	}
	if err := answers.AcceptMessage(ctx, m); err != nil {
		return "", using(err)
	}
	value, _ := m.Value.(string)
	if m.ApplicationProperties["_AMQ_OperationSucceeded"] != true {
		return "", fmt.Errorf("the broker does not tell: %.200s", value)
	}
	return value, nil
}

var _ connections.Gauge = (*conn)(nil)
