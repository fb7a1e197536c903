package amqp_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/amqp"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// soon bounds what has to happen, quiet what must not.
const (
	soon  = 20 * time.Second
	quiet = 500 * time.Millisecond
)

// check takes the results of a call and returns what gives the value, or ends
// the test.
func check[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func queueSource(name string) *amqp.Source {
	return &amqp.Source{Destination: connections.Destination{Queue: name}}
}

func queueTarget(name string) *amqp.Target {
	return &amqp.Target{Destination: connections.Destination{Queue: name}}
}

// nativeTarget is a target such as a reply-to.
func nativeTarget(name string) *amqp.Target {
	t := new(amqp.Target)
	t.SetAddress(name, true)
	return t
}

func newQueue() string { return "q." + rand.Text() }

// eachBroker runs f on every broker that speaks AMQP 1.0.
func eachBroker(t *testing.T, f func(t *testing.T, broker services.Broker)) {
	for name, find := range map[string]func(testing.TB) services.Broker{
		"artemis": services.Artemis, "classic": services.Classic, "brokerj": services.BrokerJ,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, find(t))
		})
	}
}

// settings returns those of a connection to broker's plain port.
func settings(broker services.Broker) *amqp.Connection {
	return &amqp.Connection{URL: "amqp://" + broker.AMQP, User: broker.User, Password: broker.Password}
}

func tryDial(t testing.TB, c *amqp.Connection) (connections.Conn, error) {
	t.Helper()
	dial, err := amqp.Driver().Open("test", c)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := dial(within(t))
	if err == nil {
		t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

func dial(t testing.TB, c *amqp.Connection) connections.Conn {
	t.Helper()
	return check(tryDial(t, c))(t)
}

// within returns a context for what has to be done soon.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	t.Cleanup(cancel)
	return ctx
}

func receiver(t testing.TB, conn connections.Conn, source *amqp.Source, prefetch int) connections.Receiver {
	t.Helper()
	return check(conn.Receiver(within(t), source, prefetch))(t)
}

// send sends messages over a connection, and fails unless all are confirmed.
func send(t testing.TB, conn connections.Conn, target *amqp.Target, messages ...connections.Message) {
	t.Helper()
	ctx := within(t)
	s := check(conn.Sender(ctx, target))(t)
	defer s.Close()
	if err := errors.Join(s.Send(ctx, messages)...); err != nil {
		t.Fatal(err)
	}
}

func text(body string) connections.Message {
	return connections.Message{Body: []byte(body), Text: true}
}

func receive(t testing.TB, r connections.Receiver) connections.Delivery {
	t.Helper()
	return check(r.Receive(within(t)))(t)
}

func settle(t testing.TB, d connections.Delivery, o framework.Outcome) {
	t.Helper()
	if err := d.Settle(within(t), o); err != nil {
		t.Fatalf("settle %q as %v: %v", d.Body, o, err)
	}
}

// take receives and accepts one message, which must have that body.
func take(t testing.TB, r connections.Receiver, body string) connections.Delivery {
	t.Helper()
	d := receive(t, r)
	if string(d.Body) != body || d.Bad != nil {
		t.Fatalf("got %q (%v), want %q", d.Body, d.Bad, body)
	}
	settle(t, d, framework.Accept)
	return d
}

// nothing fails if a message comes.
func nothing(t testing.TB, r connections.Receiver) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), quiet)
	defer cancel()
	if d, err := r.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %q and error %v, want nothing", d.Body, err)
	}
}

// wantError fails unless err is what it has to be.
func wantError(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want one that is %v", err, want)
	}
}
