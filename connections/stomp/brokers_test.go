package stomp_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/stomp"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// arrival is how long a test waits for one message.
const arrival = 20 * time.Second

// everywhere runs a test on each broker that speaks STOMP, by its name.
func everywhere(t *testing.T, test func(t *testing.T, b services.Broker)) {
	for name, broker := range map[string]func(testing.TB) services.Broker{
		"artemis": services.Artemis, "classic": services.Classic, "rabbitmq": services.RabbitMQ,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, broker(t))
		})
	}
}

func settingsOf(b services.Broker) *stomp.Connection {
	return &stomp.Connection{URL: "stomp://" + b.STOMP, User: b.User, Password: b.Password}
}

// throughProxy returns settings that lead through a proxy in front of the broker.
func throughProxy(t *testing.T, b services.Broker) (*stomp.Connection, *services.ToxiProxy) {
	t.Helper()
	proxy := services.Proxy(t, b.STOMP)
	b.STOMP = proxy.Addr
	return settingsOf(b), proxy
}

func newQueue() string { return "q." + strings.ToLower(rand.Text()) }

func dial(t testing.TB, s *stomp.Connection) connections.Conn {
	t.Helper()
	c, err := tryDial(t, s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func tryDial(t testing.TB, s *stomp.Connection) (connections.Conn, error) {
	t.Helper()
	open, err := stomp.Driver().Open("test", s)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), arrival)
	defer cancel()
	c, err := open(ctx)
	if err == nil {
		t.Cleanup(func() { c.Close() })
	}
	return c, err
}

func queue(name string) connections.Destination { return connections.Destination{Queue: name} }

func receiver(t testing.TB, c connections.Conn, s *stomp.Source, prefetch int) connections.Receiver {
	t.Helper()
	r, err := c.Receiver(t.Context(), s, prefetch)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sender(t testing.TB, c connections.Conn, to connections.Destination) connections.Sender {
	t.Helper()
	s, err := c.Sender(t.Context(), &stomp.Target{Destination: to})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// send sends to a queue of a broker, over a connection of its own.
func send(t testing.TB, settings *stomp.Connection, name string, batch ...connections.Message) {
	t.Helper()
	c := dial(t, settings)
	defer c.Close()
	if err := errors.Join(sender(t, c, queue(name)).Send(t.Context(), batch)...); err != nil {
		t.Fatalf("send: %v", err)
	}
}

func words(bodies ...string) []connections.Message {
	batch := make([]connections.Message, len(bodies))
	for i, body := range bodies {
		batch[i] = connections.Message{Body: []byte(body), ContentType: "text/plain", Text: true}
	}
	return batch
}

func receive(t testing.TB, r connections.Receiver) connections.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), arrival)
	defer cancel()
	d, err := r.Receive(ctx)
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	return d
}

func settle(t testing.TB, d connections.Delivery, o framework.Outcome) {
	t.Helper()
	if err := d.Settle(t.Context(), o); err != nil {
		t.Fatalf("settle as %v: %v", o, err)
	}
}

// wantNothing fails if a message comes.
func wantNothing(t testing.TB, r connections.Receiver) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if d, err := r.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got message %q, error %v, want nothing", d.Body, err)
	}
}

// take receives and accepts a message of a queue, over a connection of its own.
func take(t testing.TB, settings *stomp.Connection, name, want string) connections.Delivery {
	t.Helper()
	c := dial(t, settings)
	defer c.Close()
	r := receiver(t, c, &stomp.Source{Destination: queue(name)}, 10)
	d := receive(t, r)
	if string(d.Body) != want {
		t.Errorf("got message %q from %s, want %q", d.Body, name, want)
	}
	settle(t, d, framework.Accept)
	return d
}

func wantEmpty(t testing.TB, settings *stomp.Connection, name string) {
	t.Helper()
	c := dial(t, settings)
	defer c.Close()
	wantNothing(t, receiver(t, c, &stomp.Source{Destination: queue(name)}, 10))
}
