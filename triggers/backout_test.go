package triggers_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/triggers"
)

// A manager is the broker in memory with what a queue manager has: a queue for
// what cannot be processed, and units of work.
type manager struct {
	*rig
	limit int
	queue string

	mu       sync.Mutex
	outcomes []framework.Outcome
	counts   map[string]int // deliveries that were given back, by body
	unit     []string       // sent and not committed
	sent     []string       // committed
}

func newManager(t *testing.T, f func(context.Context, event.Event) error) *manager {
	m := &manager{rig: newRig(t, f), counts: make(map[string]int)}
	dial := m.spec.Dial
	m.spec.Serial = true
	m.spec.Dial = func(ctx context.Context) (connections.Conn, error) {
		c, err := dial(ctx)
		return &managedConn{c, m}, err
	}
	return m
}

type managedConn struct {
	connections.Conn
	m *manager
}

func (c *managedConn) Receiver(ctx context.Context, source any, prefetch int) (connections.Receiver, error) {
	r, err := c.Conn.Receiver(ctx, source, prefetch)
	return &managedReceiver{r, c.m}, err
}

type managedReceiver struct {
	connections.Receiver
	m *manager
}

func (r *managedReceiver) Backout() (int, string) { return r.m.limit, r.m.queue }

func (r *managedReceiver) Receive(ctx context.Context) (connections.Delivery, error) {
	d, err := r.Receiver.Receive(ctx)
	if err != nil {
		return d, err
	}
	m, body, settle := r.m, string(d.Body), d.Settle
	m.mu.Lock()
	defer m.mu.Unlock()
	if d.Count = m.counts[body]; m.limit > 0 && d.Count >= m.limit {
		d.Bad = errors.New("it was delivered too often")
	}
	d.Settle = func(ctx context.Context, o framework.Outcome) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.outcomes = append(m.outcomes, o)
		switch o {
		case framework.Accept, framework.Reject:
			m.sent = append(m.sent, m.unit...)
			m.unit = nil
			return settle(ctx, framework.Accept)
		}
		m.counts[body]++
		m.unit = nil
		return settle(ctx, framework.Release)
	}
	return d, nil
}

// Sender implements connections.Atomic.
func (r *managedReceiver) Sender(context.Context, any) (connections.Sender, error) {
	return unitSender{r.m}, nil
}

type unitSender struct{ m *manager }

func (s unitSender) Send(_ context.Context, batch []connections.Message) []error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	for _, m := range batch {
		s.m.unit = append(s.m.unit, string(m.Body))
	}
	return make([]error, len(batch))
}

func (unitSender) Close() error { return nil }

// limit is the configured number of attempts, or what the source says, or the default of 3.
func TestBackout(t *testing.T) {
	for name, tt := range map[string]struct {
		limit    int
		queue    string
		change   func(*triggers.Spec)
		calls    int
		rejected bool // the source's own queue has it; else the dead letters
	}{
		"the source says nothing, and there is no store": {calls: 3, rejected: true},
		"the source has a limit":                         {limit: 2, calls: 2, rejected: true},
		"the configuration has one, too":                 {limit: 2, change: func(s *triggers.Spec) { s.AttemptsSet = true }, calls: 3, rejected: true},
		"the source has a queue, and there is a store":   {queue: "BACKOUT", change: func(s *triggers.Spec) { s.Store = new(parking) }, calls: 3, rejected: true},
		"the source has no queue, and there is a store":  {change: func(s *triggers.Spec) { s.Store = new(parking) }, calls: 3},
		"dead letters are configured":                    {queue: "BACKOUT", change: func(s *triggers.Spec) { s.DeadLettersSet = true }, calls: 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				m := newManager(t, func(context.Context, event.Event) error { calls++; return errBoom })
				m.limit, m.queue = tt.limit, tt.queue
				m.spec.Retry.First = 10 * time.Millisecond
				if tt.change != nil {
					tt.change(&m.spec)
				}
				m.put("x")
				m.start()
				pass(time.Minute)
				want := framework.Accept
				if tt.rejected {
					want = framework.Reject
				}
				if calls != tt.calls || fmt.Sprint(m.outcomes) != fmt.Sprint([]framework.Outcome{want}) || m.broker.Len("in.DLQ") == 0 != tt.rejected {
					t.Errorf("%d calls, settled as %v, %d dead letters; want %d calls, %v", calls, m.outcomes, m.broker.Len("in.DLQ"), tt.calls, want)
				}
			})
		})
	}
}

func TestMessagesThatTheSourceGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		m := newManager(t, func(context.Context, event.Event) error { calls++; return nil })
		m.limit, m.counts["x"] = 2, 2
		m.put("x")
		m.start()
		pass(time.Minute)
		if calls != 0 || fmt.Sprint(m.outcomes) != "[rejected]" {
			t.Errorf("%d calls, settled as %v; want none, rejected", calls, m.outcomes)
		}
	})
}

// A unit of work is not held while a message waits long; its failures are
// remembered.
func TestLongWaitsEndTheUnitOfWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts []int
		var at []time.Duration
		begin := time.Now()
		m := newManager(t, func(ctx context.Context, _ event.Event) error {
			attempts, at = append(attempts, framework.Source(ctx).Attempt), append(at, time.Since(begin).Round(time.Second))
			return framework.RetryAfter(5*time.Second, errBoom)
		})
		m.broker.Put("in", connections.Message{Body: []byte("x"), Text: true, ID: "1"})
		m.start()
		pass(time.Minute)
		if fmt.Sprint(attempts, at) != "[1 2 3] [0s 5s 10s]" || fmt.Sprint(m.outcomes) != "[modified modified rejected]" {
			t.Errorf("got attempts %v at %v, settled as %v", attempts, at, m.outcomes)
		}
	})
}

// What a failed call has sent in the unit of work is taken back, also when the
// message becomes a dead letter.
func TestSendsInTheUnitOfWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures := map[string]int{"good": 0, "once": 1, "poison": 1000}
		calls := make(map[string]int)
		m := newManager(t, func(ctx context.Context, in event.Event) error {
			body := string(in.Data())
			calls[body]++
			sent, err := triggers.SendInUnit(ctx, "main", nil, connections.Message{Body: in.Data()})
			if !sent || err != nil {
				t.Errorf("sent in the unit: %t, %v", sent, err)
			}
			if sent, err := triggers.SendInUnit(ctx, "other", nil, connections.Message{}); sent || err != nil {
				t.Errorf("on another connection: sent %t, %v", sent, err)
			}
			if calls[body] <= failures[body] {
				return errBoom
			}
			return nil
		})
		m.spec.Retry.First = 10 * time.Millisecond
		for body := range failures {
			m.broker.Put("in", connections.Message{Body: []byte(body), Text: true, ID: body})
		}
		m.start()
		pass(time.Minute)
		if calls["good"] != 1 || calls["once"] != 2 || calls["poison"] != 3 {
			t.Errorf("got calls %v, want 1, 2 and 3", calls)
		}
		count := make(map[string]int)
		for _, body := range m.sent {
			count[body]++
		}
		if len(m.sent) != 2 || count["good"] != 1 || count["once"] != 1 {
			t.Errorf("committed %v, want good and once, each once", m.sent)
		}
	})
}
