package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// counter counts what comes, by id.
type counter struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *counter) add(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = make(map[string]int)
	}
	c.n[id]++
}

func (c *counter) distinct() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.n)
}

// Dead letters of every kind go back to what failed on them, with their ids.
func TestReplayOfEveryKind(t *testing.T) {
	t.Parallel()
	s := start(t, services.Postgres(t))
	failing := framework.RetryPolicy{Attempts: 1}
	dead := errors.New("dead")
	stops := []func(){
		subscribe(t, s, Subscription{Target: "f", Retry: failing, Handle: func(context.Context, *Delivery) error { return dead }}),
		subscribe(t, s, Subscription{Target: "topic:x", Trigger: "on-x", Retry: failing, Handle: func(context.Context, *Delivery) error { return dead }}),
	}
	relay, err := s.Relay(Relay{Binding: "out", Retry: failing, Send: func(_ context.Context, b []StagedSend) []error { return make1(len(b), dead) }})
	if err != nil {
		t.Fatal(err)
	}
	stops = append(stops, background(t, relay.Run))
	for _, target := range []string{"f", "topic:x"} {
		if _, err := s.Publish(t.Context(), target, data(t, target), framework.NewPublishOptions(framework.ID("id-"+target), framework.Key("k"))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.StageSend(t.Context(), Send{Binding: "out", Message: connections.Message{Body: []byte("sent")}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Bury(t.Context(), letterOf(t, "orders-in", "broker", "body")); err != nil {
		t.Fatal(err)
	}
	await(t, "four letters are dead", func() bool { n, err := s.CountDeadLetters(t.Context(), Filter{}); return n == 4 && err == nil })
	for _, stop := range stops {
		stop()
	}
	await(t, "the subscription is deleted", func() bool { // a replay makes it again
		_, err := s.DeleteSubscription(t.Context(), "topic:x", "on-x")
		return err == nil
	})
	if n, err := s.Replay(t.Context(), Filter{}, ReplayOptions{BypassInbox: true}); n != 4 || err != nil {
		t.Fatalf("replay: got %d, %v; want 4", n, err)
	}

	got := make(chan string, 10)
	handle := func(_ context.Context, d *Delivery) error {
		got <- fmt.Sprint("event ", d.Event.ID(), " ", d.Key, " ", d.Attempt, d.Replayed)
		return nil
	}
	subscribe(t, s, Subscription{Target: "f", Handle: handle})
	subscribe(t, s, Subscription{Target: "topic:x", Trigger: "on-x", Handle: handle})
	relay, err = s.Relay(Relay{Binding: "out", Send: func(_ context.Context, b []StagedSend) []error {
		got <- fmt.Sprint("send ", string(b[0].Message.Body))
		return make1(len(b), nil)
	}})
	if err != nil {
		t.Fatal(err)
	}
	background(t, relay.Run)
	retries, err := s.Retries(Retries{Trigger: "orders-in", Handle: func(_ context.Context, l *Letter) error {
		got <- fmt.Sprint("message ", l.Event.ID(), " ", string(l.Message.Body), " ", l.Attempts, l.Replayed)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	background(t, retries.Run)
	want := map[string]bool{"event id-f k 1 true": true, "event id-topic:x k 1 true": true, "send sent": true, "message broker body 0 true": true}
	for range 4 {
		if g := receive(t, got); !want[g] {
			t.Errorf("got %q, want one of %v", g, want)
		} else {
			delete(want, g)
		}
	}
}

func make1(n int, err error) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// A replay that is cancelled in the middle, and one whose connection is killed:
// every letter is in one place, and in the end each came exactly once.
func TestReplayInterrupted(t *testing.T) {
	t.Parallel()
	s, pool := effects(t)
	const n = 2000
	for i := range n {
		if err := s.Bury(t.Context(), letterOf(t, "orders-in", fmt.Sprint(i), "body")); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	first, err := s.Replay(ctx, Filter{}, ReplayOptions{PerSecond: 3000, Progress: func(done int) {
		if done >= n/4 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || first < n/4 || first > n/2 {
		t.Fatalf("cancelled replay: got %d and error %v, want about %d and the cancellation", first, err, n/4)
	}
	left, err := s.CountDeadLetters(t.Context(), Filter{})
	if err != nil || left != n-first {
		t.Fatalf("got %d letters left, %v; want %d", left, err, n-first)
	}
	second, err := s.Replay(t.Context(), Filter{}, ReplayOptions{Progress: func(done int) {
		if done > n/4 && done < n/2 {
			_, err := pool.Exec(t.Context(), `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`)
			if err != nil {
				t.Error(err)
			}
		}
	}})
	if err == nil {
		t.Fatalf("killed replay: got %d and no error", second)
	}
	var got counter
	retries, err := s.Retries(Retries{Trigger: "orders-in", Concurrency: 8, Handle: func(ctx context.Context, l *Letter) error {
		_, err := s.Transact(ctx, l.Received(), func(ctx context.Context, tx pgx.Tx) error { return effect(ctx, tx, l.Event.ID()) })
		if err == nil {
			got.add(l.Event.ID())
		}
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	background(t, retries.Run)
	await(t, "the rest is replayed", func() bool {
		_, err := s.Replay(t.Context(), Filter{}, ReplayOptions{})
		return err == nil
	})
	await(t, "all came", func() bool { return got.distinct() == n })
	if total, distinct := one[int](t, pool, `select count(*) from effect`), one[int](t, pool, `select count(distinct what) from effect`); total != n || distinct != n {
		t.Errorf("got %d effects of %d letters, want %d of %d", total, distinct, n, n)
	}
}

func TestReplayKeepsItsRate(t *testing.T) {
	t.Parallel()
	s := start(t, services.Postgres(t))
	for i := range 60 {
		if err := s.Bury(t.Context(), letterOf(t, "orders-in", fmt.Sprint(i), "body")); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	n, err := s.Replay(t.Context(), Filter{}, ReplayOptions{PerSecond: 100})
	if n != 60 || err != nil {
		t.Fatal(n, err)
	}
	if d := time.Since(begin); d < 500*time.Millisecond {
		t.Errorf("60 letters at 100/s took %v", d)
	}
}
