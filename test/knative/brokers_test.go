package knative

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/drivers"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/test/services"
)

// A link is a connection to a broker, for the test and for a program.
type link struct {
	yaml   string // the settings of the connection
	driver connections.Driver
	conn   connections.Conn
}

// brokers are how a source is tested: by what and where.
var brokers = map[string]func(*testing.T) *link{
	"AMQP on Artemis":   func(t *testing.T) *link { return amqpLink(t, services.Artemis(t)) },
	"STOMP on Artemis":  func(t *testing.T) *link { return stompLink(t, services.Artemis(t)) },
	"STOMP on RabbitMQ": func(t *testing.T) *link { return stompLink(t, services.RabbitMQ(t)) },
}

func amqpLink(t *testing.T, b services.Broker) *link {
	t.Helper()
	return newLink(t, fmt.Sprintf("{type: amqp, url: \"amqp://%s\", user: %s, password: %s, sasl: {mechanisms: [PLAIN]}}", b.AMQP, b.User, b.Password))
}

func stompLink(t *testing.T, b services.Broker) *link {
	t.Helper()
	return newLink(t, fmt.Sprintf("{type: stomp, url: \"stomp://%s\", user: %s, password: %s}", b.STOMP, b.User, b.Password))
}

func newLink(t *testing.T, yaml string) *link {
	t.Helper()
	all := drivers.All()
	cfg, err := config.Parse([]byte("{version: 1, connections: {c: "+yaml+"}}"), "fairlead.yaml", config.Options{Drivers: all})
	if err != nil {
		t.Fatal(err)
	}
	l := &link{yaml: yaml, driver: all[cfg.Connections["c"].Type]}
	dial, err := l.driver.Open("c", cfg.Connections["c"].Settings)
	if err != nil {
		t.Fatal(err)
	}
	if l.conn, err = dial(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.conn.Close() })
	return l
}

// queue returns the name of a queue that nobody else uses.
func queue() string { return "q.source." + strings.ToLower(rand.Text()) }

func (l *link) send(t *testing.T, queue string, messages ...connections.Message) {
	t.Helper()
	target := l.driver.Target()
	target.(connections.Addressed).SetAddress(queue, false)
	s, err := l.conn.Sender(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := errors.Join(s.Send(t.Context(), messages)...); err != nil {
		t.Fatal(err)
	}
}

// take receives n messages of a queue, and makes sure that there are no more if
// none comes within a moment.
func (l *link) take(t *testing.T, queue string, n int) []connections.Message {
	t.Helper()
	source := l.driver.Source()
	source.(connections.Addressed).SetAddress(queue, false)
	const prefetch = 10
	r, err := l.conn.Receiver(t.Context(), source, prefetch)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var taken []connections.Message
	for {
		limit := time.Minute
		if len(taken) >= n {
			limit = 300 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		d, err := r.Receive(ctx)
		cancel()
		switch {
		case errors.Is(err, context.DeadlineExceeded) && len(taken) == n:
			return taken
		case err != nil:
			t.Fatalf("%s: got %d messages and %v, want %d", queue, len(taken), err, n)
		}
		if err := d.Settle(t.Context(), framework.Accept); err != nil {
			t.Fatal(err)
		}
		if taken = append(taken, d.Message); len(taken) > n {
			t.Fatalf("%s: got %d messages, want %d", queue, len(taken), n)
		}
	}
}

func text(data string) connections.Message {
	return connections.Message{Body: []byte(data), ContentType: "text/plain", Text: true, ID: rand.Text()}
}
