package bindings_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/bindings"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/memory"
	"github.com/fairlead/fairlead/framework"
)

// A rig is a broker in memory and a pool that sends to it.
type rig struct {
	broker *memory.Broker
	driver connections.Driver
	pool   *bindings.Pool
	dials  atomic.Int32
	down   atomic.Bool
}

var errDown = errors.New("broker down")

func newRig(t *testing.T) *rig {
	t.Helper()
	b := new(memory.Broker)
	r := &rig{broker: b, driver: b.Driver()}
	dial, err := r.driver.Open("main", r.driver.Connection())
	if err != nil {
		t.Fatal(err)
	}
	r.pool = bindings.NewPool("main", func(ctx context.Context) (connections.Conn, error) {
		r.dials.Add(1)
		if r.down.Load() {
			return nil, errDown
		}
		return dial(ctx)
	}, connections.Reconnect{})
	t.Cleanup(func() { r.pool.Close() })
	return r
}

func (r *rig) binding(destination string) *bindings.Binding {
	target := r.driver.Target()
	if destination != "" {
		target.(connections.Addressed).SetAddress(destination, false)
	}
	return &bindings.Binding{Name: "out", Pool: r.pool, Target: target}
}

func (r *rig) take(t *testing.T, queue string) connections.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	m, err := r.broker.Take(ctx, queue)
	if err != nil {
		t.Fatalf("nothing in %s: %v", queue, err)
	}
	return m
}

func data(t *testing.T, v any) event.Event {
	t.Helper()
	ev, err := framework.Data(v)
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

func TestDestinations(t *testing.T) {
	r := newRig(t)
	for _, tt := range []struct{ configured, named, queue, fail string }{
		{"", "a", "a", ""},
		{"b", "", "b", ""},
		{"b", "b", "b", ""},
		{"", "", "", "no destination"},
		{"b", "c", "", "always sends to b"},
	} {
		err := r.binding(tt.configured).Send(t.Context(), tt.named, data(t, "x"), framework.SendOptions{})
		if tt.fail != "" {
			if err == nil || !strings.Contains(err.Error(), tt.fail) || !framework.IsTerminal(err) {
				t.Errorf("%+v: got %v", tt, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%+v: %v", tt, err)
			continue
		}
		if m := r.take(t, tt.queue); string(m.Body) != "x" {
			t.Errorf("%+v: got %q", tt, m.Body)
		}
	}
}

func TestOptionsReachTheMessage(t *testing.T) {
	r := newRig(t)
	p := 7
	o := framework.SendOptions{Header: map[string]any{"h": "v"}, ContentType: "text/csv", ID: "id1", CorrelationID: "c", ReplyTo: "r", Key: "k", Priority: &p}
	if err := r.binding("q").Send(t.Context(), "", data(t, "x"), o); err != nil {
		t.Fatal(err)
	}
	m := r.take(t, "q")
	if m.Header["h"] != "v" || m.ContentType != "text/csv" || m.ID != "id1" || m.CorrelationID != "c" || m.ReplyTo != "r" || m.Key != "k" || *m.Priority != 7 {
		t.Errorf("got %+v", m)
	}
}

func TestRelayKeepsWhatTheMessageCarried(t *testing.T) {
	in := event.New()
	in.SetID("1")
	in.SetSource("/s")
	in.SetType("t")
	inv := &framework.Invocation{Event: in, Source: &framework.Origin{
		Connection:    "main",
		Header:        map[string]any{"color": "red", "message-id": "m1", "_AMQ_DUPL_ID": "d", "cloudEvents_id": "old", "mine": "theirs"},
		CorrelationID: "corr", ReplyTo: "back", Native: "native",
	}}
	ctx := framework.NewContext(t.Context(), inv)
	m, err := bindings.Message(ctx, in, framework.SendOptions{Header: map[string]any{"mine": "mine"}})
	if err != nil {
		t.Fatal(err)
	}
	if m.Header["color"] != "red" || m.Header["mine"] != "mine" || m.Header["cloudEvents_id"] != "1" || m.Native != "native" || m.CorrelationID != "corr" {
		t.Errorf("got %+v", m)
	}
	if m.Header["message-id"] != nil || m.Header["_AMQ_DUPL_ID"] != nil || m.ReplyTo != "" {
		t.Errorf("what belongs to one delivery was sent on: %+v", m)
	}
	inv.Source = &framework.Origin{Header: map[string]any{"Authorization": "Bearer secret"}}
	if m, err = bindings.Message(ctx, in, framework.SendOptions{}); err != nil || m.Header["Authorization"] != nil {
		t.Errorf("the headers of an HTTP request were sent on: %+v, %v", m, err)
	}
	other, err := bindings.Message(ctx, data(t, "x"), framework.SendOptions{})
	if err != nil || len(other.Header) != 0 || other.Native != nil {
		t.Errorf("new data took the old headers along: %+v, %v", other, err)
	}
}

func TestALostConnectionIsDialedAgain(t *testing.T) {
	r := newRig(t)
	b := r.binding("q")
	for i := range 5 {
		if err := b.Send(t.Context(), "", data(t, fmt.Sprint(i)), framework.SendOptions{}); err != nil {
			t.Errorf("send %d: %v", i, err)
		}
		r.broker.Break()
	}
	if n := r.broker.Len("q"); n != 5 {
		t.Errorf("%d messages, want 5", n)
	}
}

func TestABrokerThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.down.Store(true)
		b := r.binding("q")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for range 5 {
			err := b.Send(ctx, "", data(t, "x"), framework.SendOptions{})
			if !errors.Is(err, framework.ErrUnavailable) || !errors.Is(err, errDown) {
				t.Fatalf("got %v, want that it is unavailable, and why", err)
			}
		}
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		before := r.dials.Load()
		if err := b.Send(short, "", data(t, "x"), framework.SendOptions{}); !errors.Is(err, errDown) || r.dials.Load() != before {
			t.Errorf("within the back-off: got %v after %d dials, want the last failure and no dial", err, r.dials.Load()-before)
		}
		if s := r.pool.Status(); s.Connected || s.Err == nil || !s.NextTry.After(time.Now()) {
			t.Errorf("status %+v", s)
		}
		r.down.Store(false)
		if err := b.Send(ctx, "", data(t, "x"), framework.SendOptions{}); err != nil {
			t.Errorf("after it came back: %v", err)
		}
	})
}

func TestReconnectOff(t *testing.T) {
	b := new(memory.Broker)
	driver := b.Driver()
	dial, err := driver.Open("main", driver.Connection())
	if err != nil {
		t.Fatal(err)
	}
	pool := bindings.NewPool("main", dial, connections.Reconnect{Off: true})
	defer pool.Close()
	to := bindings.At("", driver.Target(), "q", false)
	if err := pool.Send(t.Context(), to, connections.Message{}); err != nil {
		t.Fatal(err)
	}
	b.Break()
	for range 2 {
		if err := pool.Send(t.Context(), to, connections.Message{}); !errors.Is(err, framework.ErrUnavailable) {
			t.Errorf("got %v, want that it is unavailable", err)
		}
	}
}

func TestManySendersShareOneConnection(t *testing.T) {
	r := newRig(t)
	b := r.binding("q")
	var wg sync.WaitGroup
	for i := range 500 {
		wg.Go(func() {
			if err := b.Send(t.Context(), "", data(t, fmt.Sprint(i)), framework.SendOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := r.broker.Len("q"); n != 500 || r.dials.Load() != 1 {
		t.Errorf("%d messages over %d connections, want 500 over 1", n, r.dials.Load())
	}
}

func TestIdleSendersAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for i := range 10 { // reply-to queues, each used once
			to := bindings.At("", r.driver.Target(), fmt.Sprint("reply-", i), true)
			if err := r.pool.Send(t.Context(), to, connections.Message{}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if n := bindings.OpenSenders(r.pool); n != 0 {
			t.Errorf("%d senders are open after 3 idle minutes", n)
		}
	})
}

func TestClosed(t *testing.T) {
	r := newRig(t)
	r.pool.Close()
	if err := r.binding("q").Send(t.Context(), "", data(t, "x"), framework.SendOptions{}); !errors.Is(err, framework.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}
