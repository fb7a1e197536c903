package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/bindings"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/drivers"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/test/services"
)

// A setup is one broker and one protocol.
type setup struct {
	broker   string
	protocol string // stomp or amqp
}

func (s setup) String() string { return s.protocol + " on " + s.broker }

var setups = []setup{
	{"artemis", "amqp"}, {"artemis", "stomp"}, {"classic", "amqp"}, {"classic", "stomp"}, {"rabbitmq", "stomp"}, {"brokerj", "amqp"},
}

func (s setup) address(b services.Broker) string {
	if s.protocol == "amqp" {
		return b.AMQP
	}
	return b.STOMP
}

// document is a configuration in which function forwards from queue in to queue out.
func (s setup) document(b services.Broker, address, function, in, out string) string {
	return fmt.Sprintf(`
version: 1
store: none
admin: {listen: "off"}
connections:
  main: {type: %s, url: "%s://%s", user: %s, password: "%s"}
triggers:
  in: {connection: main, queue: %s, function: %s, concurrency: 4, prefetch: 50, retry: {attempts: 3, first: 50ms}}
bindings:
  out: {connection: main, queue: %s}
`, s.protocol, s.protocol, address, b.User, b.Password, in, function, out)
}

// A peer sends to and receives from the broker beside the app.
type peer struct {
	t      *testing.T
	driver connections.Driver
	dial   connections.Dial
	pool   *bindings.Pool
}

func newPeer(t *testing.T, s setup, b services.Broker) *peer {
	t.Helper()
	all := drivers.All()
	cfg, err := config.Parse([]byte(s.document(b, s.address(b), "forward", "in", "out")), "peer.yaml", config.Options{Drivers: all})
	if err != nil {
		t.Fatal(err)
	}
	c := cfg.Connections["main"]
	dial, err := all[c.Type].Open("peer", c.Settings)
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t, all[c.Type], dial, bindings.NewPool("peer", dial, c.Reconnect)}
	t.Cleanup(func() { p.pool.Close() })
	return p
}

// publish sends id to queue until the broker has confirmed it. It reports false
// if that took too long.
func (p *peer) publish(queue, id string) bool {
	p.t.Helper()
	to := bindings.At("peer", p.driver.Target(), queue, false)
	m := connections.Message{Body: []byte(id), ContentType: "text/plain", Text: true, ID: id}
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	for {
		err := p.pool.Send(ctx, to, m)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			p.t.Errorf("publish %s: %v", id, err)
			return false
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// drain takes messages from queue until none came for the given time, and hands
// each to see.
func (p *peer) drain(queue string, quiet time.Duration, see func(connections.Delivery)) {
	p.t.Helper()
	p.receive(queue, quiet, -1, see)
}

// declare makes the queues.
func (p *peer) declare(queues ...string) {
	p.t.Helper()
	for _, q := range queues {
		p.drain(q, 10*time.Millisecond, func(connections.Delivery) {})
	}
}

// patience is how long a test waits for a message that must come.
const patience = 30 * time.Second

// take takes n messages from queue.
func (p *peer) take(queue string, n int, see func(connections.Delivery)) {
	p.t.Helper()
	if got := p.receive(queue, patience, n, see); got != n {
		p.t.Fatalf("%d messages in %s, want %d", got, queue, n)
	}
}

// receive takes up to n messages (-1: no limit), waiting for each no longer than
// quiet, and returns how many came.
func (p *peer) receive(queue string, quiet time.Duration, n int, see func(connections.Delivery)) int {
	p.t.Helper()
	source := p.driver.Source()
	source.(connections.Addressed).SetAddress(queue, false)
	conn, err := p.dial(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	recv, err := conn.Receiver(p.t.Context(), source, 100)
	if err != nil {
		p.t.Fatal(err)
	}
	defer recv.Close()
	for i := 0; i != n; i++ {
		ctx, cancel := context.WithTimeout(p.t.Context(), quiet)
		d, err := recv.Receive(ctx)
		late := ctx.Err() != nil
		cancel()
		if err != nil && late {
			return i
		}
		if err == nil {
			see(d)
			err = d.Settle(p.t.Context(), framework.Accept)
		}
		if err != nil {
			p.t.Fatalf("receive from %s: %v", queue, err)
		}
	}
	return n
}

// shared returns the broker that runs for all tests.
func (s setup) shared(t *testing.T) services.Broker {
	t.Helper()
	return map[string]func(testing.TB) services.Broker{
		"artemis": services.Artemis, "classic": services.Classic, "rabbitmq": services.RabbitMQ, "brokerj": services.BrokerJ,
	}[s.broker](t)
}

// queueName returns a name that no other test uses.
func queueName(t *testing.T, what string) string {
	clean := strings.NewReplacer("/", ".", " ", "-", "#", "-").Replace(t.Name())
	return fmt.Sprintf("q.e2e.%s.%s.%d", clean, what, time.Now().UnixNano())
}
