package memory_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/connectiontest"
	"github.com/fairlead/fairlead/connections/memory"
	"github.com/fairlead/fairlead/framework"
)

func TestPromises(t *testing.T) {
	broker := new(memory.Broker)
	connectiontest.Run(t, connectiontest.Subject{
		Driver:     broker.Driver(),
		Connection: new(memory.Connection),
		Queue:      func(testing.TB) string { return "queue-" + rand.Text() },
		Topic:      func(testing.TB) string { return "topic-" + rand.Text() },
		Break:      func(testing.TB) { broker.Break() },
		Durable: func(subscription string) (connection, source any) {
			return nil, &memory.Source{Subscription: subscription}
		},
		WrongSettings: map[string]any{"limit": &memory.Connection{Limit: -1}},
	})
}

// dial connects to the broker of a driver's connection.
func dial(t *testing.T, d connections.Driver, name string, settings *memory.Connection) connections.Conn {
	t.Helper()
	open, err := d.Open(name, settings)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func receiver(t *testing.T, conn connections.Conn, source *memory.Source, prefetch int) connections.Receiver {
	t.Helper()
	r, err := conn.Receiver(t.Context(), source, prefetch)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sender(t *testing.T, conn connections.Conn, address string) connections.Sender {
	t.Helper()
	target := new(memory.Target)
	target.SetAddress(address, false)
	s, err := conn.Sender(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func queue(name string) *memory.Source {
	return &memory.Source{Destination: connections.Destination{Queue: name}}
}

func text(body string) connections.Message {
	return connections.Message{Body: []byte(body), Text: true}
}

// expect receives the next message, which must have that body.
func expect(t *testing.T, r connections.Receiver, body string) connections.Delivery {
	t.Helper()
	d, err := r.Receive(t.Context())
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	if got := string(d.Body); got != body {
		t.Fatalf("received %q, want %q", got, body)
	}
	return d
}

func settle(t *testing.T, d connections.Delivery, o framework.Outcome) {
	t.Helper()
	if err := d.Settle(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

func TestLossless(t *testing.T) {
	type native struct{ a, b int }
	want := connections.Message{
		Body: []byte{0, 255}, ContentType: "a/b", Text: true,
		Header: map[string]any{"native": native{1, 2}, "float": 2.5, "nil": nil, "nested": map[string]any{"a": []int{1}}},
		ID:     uint64(7), CorrelationID: []byte("c"), ReplyTo: "topic:answers", Key: "k", Priority: new(9), TTL: time.Hour,
		Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Identity: "7", Correlate: []byte("c"),
	}
	var b memory.Broker
	b.Put("q", want)
	got, err := b.Take(t.Context(), "q")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(native{})); diff != "" {
		t.Errorf("message, -want +got:\n%s", diff)
	}
}

func TestGiveBackKeepsPlace(t *testing.T) {
	var b memory.Broker
	for i := range 5 {
		b.Put("q", text(fmt.Sprint(i)))
	}
	r := receiver(t, dial(t, b.Driver(), "c", new(memory.Connection)), queue("q"), 10)
	var held []connections.Delivery
	for i := range 4 {
		held = append(held, expect(t, r, fmt.Sprint(i)))
	}
	settle(t, held[2], framework.Release)
	settle(t, held[0], framework.Release)
	settle(t, held[1], framework.Modify)
	settle(t, held[3], framework.Accept)
	for body, count := range []int{0, 1, 0} {
		if d := expect(t, r, fmt.Sprint(body)); d.Count != count {
			t.Errorf("got Count %d for message %d, want %d", d.Count, body, count)
		}
	}
	expect(t, r, "4")
}

func TestPriority(t *testing.T) {
	var b memory.Broker
	for _, m := range []connections.Message{
		{Body: []byte("low"), Priority: new(1)}, {Body: []byte("usual")}, {Body: []byte("high"), Priority: new(9)}, {Body: []byte("also usual"), Priority: new(4)},
	} {
		b.Put("q", m)
	}
	for _, want := range []string{"high", "usual", "also usual", "low"} {
		got, err := b.Take(t.Context(), "q")
		if err != nil || string(got.Body) != want {
			t.Errorf("took %q, %v, want %q", got.Body, err, want)
		}
	}
}

func TestRejectGoesToDeadLetters(t *testing.T) {
	var b memory.Broker
	b.Put("q", connections.Message{Body: []byte("a"), Header: map[string]any{"colour": "red"}, ID: "1"})
	conn := dial(t, b.Driver(), "c", new(memory.Connection))
	settle(t, expect(t, receiver(t, conn, queue("q"), 1), "a"), framework.Reject)
	if q, dead := b.Len("q"), b.Len(memory.DeadLetters); q != 0 || dead != 1 {
		t.Fatalf("%d messages in the queue and %d in the dead letters, want 0 and 1", q, dead)
	}
	d := expect(t, receiver(t, conn, queue(memory.DeadLetters), 1), "a")
	if d.Header["colour"] != "red" || d.ID != "1" {
		t.Errorf("got header %v and id %v, want what was sent", d.Header, d.ID)
	}
	settle(t, d, framework.Reject)
	if dead := b.Len(memory.DeadLetters); dead != 0 {
		t.Errorf("%d messages in the dead letters after they were rejected there, want 0", dead)
	}
}

func TestFullDeadLetters(t *testing.T) {
	var b memory.Broker
	b.Put(memory.DeadLetters, text("old"))
	b.Put("q", text("a"))
	r := receiver(t, dial(t, b.Driver(), "c", &memory.Connection{Limit: 1}), queue("q"), 1)
	d := expect(t, r, "a")
	if err := d.Settle(t.Context(), framework.Reject); err == nil {
		t.Error("rejected a message though the dead letters are full")
	}
	settle(t, d, framework.Release) // it is still in hand
	expect(t, r, "a")
}

func TestSettleTwice(t *testing.T) {
	var b memory.Broker
	b.Put("q", text("a"))
	r := receiver(t, dial(t, b.Driver(), "c", new(memory.Connection)), queue("q"), 1)
	d := expect(t, r, "a")
	settle(t, d, framework.Accept)
	if err := d.Settle(t.Context(), framework.Release); err == nil || b.Len("q") != 0 {
		t.Errorf("settled again with error %v, leaving %d messages, want an error and none", err, b.Len("q"))
	}
}

func TestFullQueueHoldsSenderBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b memory.Broker
		conn := dial(t, b.Driver(), "c", &memory.Connection{Limit: 3})
		s := sender(t, conn, "q")
		sent := make(chan []error, 1)
		go func() { sent <- s.Send(t.Context(), []connections.Message{text("0"), text("1"), text("2"), text("3")}) }()
		synctest.Wait()
		if n := b.Len("q"); n != 3 {
			t.Fatalf("the queue holds %d messages, want its limit 3", n)
		}
		d := expect(t, receiver(t, conn, queue("q"), 1), "0")
		synctest.Wait()
		if n := b.Len("q"); n != 3 {
			t.Fatalf("the queue holds %d messages with one unsettled, want its limit 3", n)
		}
		settle(t, d, framework.Accept)
		if err := errors.Join(<-sent...); err != nil {
			t.Errorf("send once there was room: %v", err)
		}
	})
}

func TestFullQueueEndsWithCtx(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b memory.Broker
		s := sender(t, dial(t, b.Driver(), "c", &memory.Connection{Limit: 1}), "q")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		errs := s.Send(ctx, []connections.Message{text("0"), text("1")})
		if errs[0] != nil || !errors.Is(errs[1], context.DeadlineExceeded) || b.Len("q") != 1 {
			t.Errorf("got errors %v and %d messages, want nil, ctx's and 1", errs, b.Len("q"))
		}
	})
}

func TestFullQueueEndsWithConn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b memory.Broker
		s := sender(t, dial(t, b.Driver(), "c", &memory.Connection{Limit: 1}), "q")
		sent := make(chan []error, 1)
		go func() { sent <- s.Send(t.Context(), []connections.Message{text("0"), text("1")}) }()
		synctest.Wait()
		b.Break()
		if errs := <-sent; errs[0] != nil || !errors.Is(errs[1], connections.ErrConnLost) {
			t.Errorf("got errors %v, want nil and ErrConnLost", errs)
		}
	})
}

func TestExpiryMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b memory.Broker
		s := sender(t, dial(t, b.Driver(), "c", &memory.Connection{Limit: 2}), "q")
		short := text("short")
		short.TTL = time.Minute
		start := time.Now()
		if err := errors.Join(s.Send(t.Context(), []connections.Message{short, text("0"), text("1")})...); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited != time.Minute || b.Len("q") != 2 {
			t.Errorf("waited %v and have %d messages, want 1m0s and 2", waited, b.Len("q"))
		}
	})
}

func TestSlowSubscriberHoldsTopicBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b memory.Broker
		conn := dial(t, b.Driver(), "c", &memory.Connection{Limit: 1})
		prices := &memory.Source{Destination: connections.Destination{Topic: "prices"}}
		fast, slow := receiver(t, conn, prices, 10), receiver(t, conn, prices, 10)
		s := sender(t, conn, "topic:prices")
		sent := make(chan []error, 1)
		go func() { sent <- s.Send(t.Context(), []connections.Message{text("0"), text("1")}) }()
		settle(t, expect(t, fast, "0"), framework.Accept)
		synctest.Wait()
		select {
		case errs := <-sent:
			t.Fatalf("sent to a full subscription: %v", errs)
		default:
		}
		if err := slow.Close(); err != nil { // it does not want any more
			t.Fatal(err)
		}
		if err := errors.Join(<-sent...); err != nil {
			t.Errorf("send once the slow subscriber had gone: %v", err)
		}
		expect(t, fast, "1")
	})
}

func TestDurableIsShared(t *testing.T) {
	var b memory.Broker
	conn := dial(t, b.Driver(), "c", new(memory.Connection))
	source := &memory.Source{Destination: connections.Destination{Topic: "prices"}, Subscription: "pricing"}
	first, second := receiver(t, conn, source, 1), receiver(t, conn, source, 1)
	b.Put("topic:prices", text("0"))
	b.Put("topic:prices", text("1"))
	expect(t, first, "0")
	expect(t, second, "1")
}

func TestTakeWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b memory.Broker
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := b.Take(ctx, "q"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("take from an empty queue: got error %v, want ctx's", err)
		}
		taken := make(chan string)
		go func() {
			m, _ := b.Take(t.Context(), "q")
			taken <- string(m.Body)
		}()
		synctest.Wait()
		b.Put("q", text("a"))
		if got := <-taken; got != "a" || b.Len("q") != 0 {
			t.Errorf("took %q and left %d, want a and 0", got, b.Len("q"))
		}
	})
}

func TestIdentityIsNeverUsedTwice(t *testing.T) {
	seen := make(map[string]bool)
	for range 3 { // as after a restart
		var b memory.Broker
		for range 3 {
			b.Put("q", text("a"))
			m, err := b.Take(t.Context(), "q")
			if err != nil {
				t.Fatal(err)
			}
			if m.Identity == "" || seen[m.Identity] {
				t.Errorf("got identity %q, want a new one", m.Identity)
			}
			seen[m.Identity] = true
		}
	}
}

func TestDriverHasABrokerForEachName(t *testing.T) {
	d := memory.Driver()
	for _, name := range []string{"a", "b"} {
		if err := errors.Join(sender(t, dial(t, d, name, new(memory.Connection)), "q").Send(t.Context(), []connections.Message{text(name)})...); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"b", "a"} {
		r := receiver(t, dial(t, d, name, new(memory.Connection)), queue("q"), 1)
		settle(t, expect(t, r, name), framework.Accept)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if d, err := r.Receive(ctx); err == nil {
			t.Errorf("connection %s has a second message %q, want one", name, d.Body)
		}
		cancel()
	}
}

func TestCheck(t *testing.T) {
	d := memory.Driver()
	for _, test := range []struct {
		name string
		err  error
		want []string // fields that are wrong
	}{
		{"queue", d.CheckSource(nil, queue("q")), nil},
		{"nothing", d.CheckSource(nil, new(memory.Source)), []string{"queue"}},
		{"both", d.CheckSource(nil, &memory.Source{Destination: connections.Destination{Queue: "q", Topic: "t"}}), []string{"topic"}},
		{"subscription of a queue", d.CheckSource(nil, &memory.Source{Destination: connections.Destination{Queue: "q"}, Subscription: "s"}), []string{"subscription"}},
		{"subscription of nothing", d.CheckSource(nil, &memory.Source{Subscription: "s"}), []string{"queue", "subscription"}},
		{"target without an address", d.CheckTarget(nil, new(memory.Target)), nil},
		{"target with two", d.CheckTarget(nil, &memory.Target{Destination: connections.Destination{Queue: "q", Topic: "t"}}), []string{"topic"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, fields(test.err), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("wrong fields, -want +got:\n%s(%v)", diff, test.err)
			}
		})
	}
}

// fields returns the Field of every SettingError in err.
func fields(err error) (all []string) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			all = append(all, fields(err)...)
		}
		return all
	}
	if wrong, ok := errors.AsType[*connections.SettingError](err); ok {
		all = append(all, wrong.Field)
	}
	return all
}
