package amqp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
)

// Depth implements [connections.Gauge]. It asks Artemis, for users who may manage
// it (the permission "manage" on the address activemq.management), Classic, if it has
// the statisticsBrokerPlugin, and Broker-J. On other brokers the error is
// [errors.ErrUnsupported].
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
	var ask func(context.Context, *manager, string) (int, error)
	switch {
	case s.Queue == "" || s.Dynamic:
		return 0, &connections.SettingError{Field: "queue", Want: "the name of a queue: nothing else holds messages"}
	case isArtemis(c.client):
		ask = artemisDepth
	case isClassic(c.client):
		ask = classicDepth
	case isBrokerJ(c.client):
		ask = brokerJDepth
	default:
		return 0, fmt.Errorf("%w: the broker does not tell by AMQP", errors.ErrUnsupported)
	}
	session, err := c.client.NewSession(ctx, nil)
	if err != nil {
		return 0, opening(err)
	}
	defer closeSession(session)
	answers, err := session.NewReceiver(ctx, "", &amqp.ReceiverOptions{DynamicAddress: true})
	if err != nil {
		return 0, opening(err)
	}
	return ask(ctx, &manager{session, answers}, s.Queue)
}

// A manager asks a broker about itself.
type manager struct {
	session *amqp.Session
	answers *amqp.Receiver
}

// ask sends a question to a node, or to where it says if node is empty, and
// returns the first answer.
func (m *manager) ask(ctx context.Context, node string, question *amqp.Message) (*amqp.Message, error) {
	questions, err := m.session.NewSender(ctx, node, nil)
	if err != nil {
		return nil, opening(err)
	}
	if question.Properties == nil {
		question.Properties = new(amqp.MessageProperties)
	}
	question.Properties.ReplyTo = new(m.answers.Address())
	if err := questions.Send(ctx, question, nil); err != nil {
		_, said := words(err)
		return nil, said
	}
	answer, err := m.answers.Receive(ctx, nil)
	if err != nil {
		return nil, using(err)
	}
	return answer, using(m.answers.AcceptMessage(ctx, answer))
}

// artemisDepth asks for an attribute of the queue, and, if it does not get it,
// whether there is such a queue: the answer does not tell.
func artemisDepth(ctx context.Context, m *manager, queue string) (int, error) {
	if _, name, ok := strings.Cut(queue, "::"); ok { // names of queues are unique, whatever their address
		queue = name
	}
	depth, err := askArtemis[int](ctx, m, "queue."+queue, "_AMQ_Attribute", "messageCount")
	if _, refused := errors.AsType[*artemisError](err); !refused {
		return depth, err
	}
	like, jsonErr := json.Marshal(map[string]string{"field": "name", "operation": "EQUALS", "value": queue})
	if jsonErr != nil {
		return 0, jsonErr
	}
	const firstPage, one = 1, 1
	queues, listErr := askArtemis[string](ctx, m, "broker", "_AMQ_OperationName", "listQueues", string(like), firstPage, one)
	if listErr != nil {
		return 0, errors.Join(err, listErr)
	}
	var found struct{ Count *int }
	if json.Unmarshal([]byte(queues), &found) == nil && found.Count != nil && *found.Count == 0 {
		return 0, connections.ErrNoQueue
	}
	return 0, err
}

// askArtemis asks a resource for an attribute, or calls an operation of it with
// arguments. Both they and the answer are in a list of JSON.
func askArtemis[T any](ctx context.Context, m *manager, resource, kind, name string, arguments ...any) (T, error) {
	var none T
	question, err := json.Marshal(arguments)
	if err != nil {
		return none, err
	}
	answer, err := m.ask(ctx, "activemq.management", &amqp.Message{
		Value:                 string(question),
		ApplicationProperties: map[string]any{"_AMQ_ResourceName": resource, kind: name},
	})
	if err != nil {
		return none, fmt.Errorf("ask activemq.management, which needs the permission manage: %w", err)
	}
	value, _ := answer.Value.(string)
	if answer.ApplicationProperties["_AMQ_OperationSucceeded"] != true {
		return none, &artemisError{value}
	}
	var values []T
	if err := json.Unmarshal([]byte(value), &values); err != nil || len(values) != 1 {
		return none, fmt.Errorf("found %.100q, expected a list of one %T", value, none)
	}
	return values[0], nil
}

// An artemisError says that Artemis did not do what it was asked to.
type artemisError struct{ said string }

func (e *artemisError) Error() string { return fmt.Sprintf("the broker does not tell: %.200s", e.said) }

// Queues of Classic's statisticsBrokerPlugin: it answers what is sent there, and
// without it they are queues like others.
const (
	classicBroker = "queue://ActiveMQ.Statistics.Broker"
	classicQueue  = "queue://ActiveMQ.Statistics.Destination."
	classicEnd    = "ActiveMQ.Statistics.Destination.List.End.With.Null" // an empty answer is the last
)

// classicWait is how long Classic has to answer; then it has no plugin.
const classicWait = 3 * time.Second

// classicDepth first asks what names no queue, so that a broker without the plugin
// does not make a queue for each that it is asked about.
func classicDepth(ctx context.Context, m *manager, queue string) (int, error) {
	if strings.ContainsAny(queue, "*>,") {
		return 0, &connections.SettingError{Field: "queue", Want: "the name of one queue, without * and > and commas"}
	}
	wait, cancel := context.WithTimeout(ctx, classicWait)
	defer cancel()
	if _, err := m.ask(wait, "", classicQuestion(classicBroker)); err != nil {
		if ctx.Err() == nil && wait.Err() != nil {
			return 0, fmt.Errorf("%w: the broker does not tell without its statisticsBrokerPlugin", errors.ErrUnsupported)
		}
		return 0, err
	}
	answer, err := m.ask(ctx, "", classicQuestion(classicQueue+strings.TrimPrefix(queue, queuePrefix)+classicEnd))
	if err != nil {
		return 0, err
	}
	numbers, _ := answer.Value.(map[string]any)
	if len(numbers) == 0 {
		return 0, connections.ErrNoQueue
	}
	return number(numbers["size"])
}

func classicQuestion(to string) *amqp.Message {
	return &amqp.Message{Header: &amqp.MessageHeader{TTL: classicWait, Priority: defaultPriority}, Properties: &amqp.MessageProperties{To: &to}, Value: ""}
}

// brokerJDepth asks the management node of the virtual host.
func brokerJDepth(ctx context.Context, m *manager, queue string) (int, error) {
	answer, err := m.ask(ctx, "$management", &amqp.Message{
		Value: "",
		ApplicationProperties: map[string]any{
			"operation": "getStatistics", "type": "org.apache.qpid.Queue", "index": "object-path", "key": queue,
			"statistics": `["queueDepthMessages"]`,
		},
	})
	if err != nil {
		return 0, err
	}
	switch status, _ := number(answer.ApplicationProperties["statusCode"]); {
	case status == 404:
		return 0, connections.ErrNoQueue
	case status < 200 || status > 299:
		return 0, fmt.Errorf("the broker does not tell: %d %.200v", status, answer.ApplicationProperties["statusDescription"])
	}
	numbers, _ := answer.Value.(map[string]any)
	return number(numbers["queueDepthMessages"])
}

// number returns what a broker counts.
func number(v any) (int, error) {
	switch v := v.(type) {
	case int64:
		return int(v), nil
	case int32:
		return int(v), nil
	}
	return 0, fmt.Errorf("found %T, expected a number", v)
}

var _ connections.Gauge = (*conn)(nil)
