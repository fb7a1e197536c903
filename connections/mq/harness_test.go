package mq

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/test/mqdouble/engine"
)

// A bench is a queue manager and a driver to reach it with.
type bench struct {
	*engine.Manager
	driver   connections.Driver
	settings *Connection
}

// onBoth runs a test without the client library and, where it is built in, with
// it, each on a queue manager of its own.
func onBoth(t *testing.T, cfg engine.Config, test func(t *testing.T, b bench)) {
	t.Run("engine", func(t *testing.T) {
		t.Parallel()
		m := engine.New(cfg)
		test(t, bench{m, driver(onEngine(m)), settings()})
	})
	if b, ok := clientBench(t, cfg); ok {
		t.Run("client", func(t *testing.T) {
			t.Parallel()
			test(t, b)
		})
	}
}

func queueName() string { return "Q." + rand.Text() }

func (b bench) dial(t testing.TB) connections.Conn {
	t.Helper()
	dial, err := b.driver.Open("test", b.settings)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (b bench) receiver(t testing.TB, s *Source) *receiver {
	t.Helper()
	r, err := b.dial(t).Receiver(t.Context(), s, 32)
	if err != nil {
		t.Fatal(err)
	}
	return r.(*receiver)
}

func (b bench) sender(t testing.TB, target *Target) connections.Sender {
	t.Helper()
	s, err := b.dial(t).Sender(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func source(queue string) *Source {
	return &Source{Destination: connections.Destination{Queue: queue}}
}

func target(queue string) *Target {
	return &Target{Destination: connections.Destination{Queue: queue}}
}

func send(t testing.TB, s connections.Sender, bodies ...string) {
	t.Helper()
	var batch []connections.Message
	for _, body := range bodies {
		batch = append(batch, connections.Message{Body: []byte(body), Text: true})
	}
	if err := errors.Join(s.Send(t.Context(), batch)...); err != nil {
		t.Fatal(err)
	}
}

func receive(t testing.TB, r connections.Receiver) connections.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	d, err := r.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// wantNothing fails if r receives anything for a while.
func wantNothing(t testing.TB, r connections.Receiver) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if d, err := r.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("received %q, error %v; want nothing", d.Body, err)
	}
}

func wantLost(t testing.TB, doing string, err error, reason int32) {
	t.Helper()
	if !errors.Is(err, connections.ErrConnLost) || reasonOf(err) != reason {
		t.Errorf("%s: got error %v, want ErrConnLost with reason %d %s", doing, err, reason, mqi.ReasonName(reason))
	}
}

func wantDepth(t testing.TB, b bench, queue string, want int) {
	t.Helper()
	if got := b.Depth(queue); got != want {
		t.Errorf("%d messages are on queue %s, want %d", got, queue, want)
	}
}
