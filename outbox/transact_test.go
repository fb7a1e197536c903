package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// effects returns a running store and a pool on its database with a table
// "effect" for what functions do.
func effects(t *testing.T) (*Store, *pgxpool.Pool) {
	t.Helper()
	url := services.Postgres(t)
	pool := connect(t, url)
	if _, err := pool.Exec(t.Context(), `create table effect (what text)`); err != nil {
		t.Fatal(err)
	}
	s := start(t, url)
	if _, err := s.work(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, pool
}

func effect(ctx context.Context, tx pgx.Tx, what string) error {
	_, err := tx.Exec(ctx, `insert into effect values ($1)`, what)
	return err
}

func TestTransactCommitsEverythingTogether(t *testing.T) {
	t.Parallel()
	s, pool := effects(t)
	failure := errors.New("failed")
	work := func(fail error) func(context.Context, pgx.Tx) error {
		return func(ctx context.Context, tx pgx.Tx) error {
			_, err := s.Publish(ctx, "next", data(t, "published"), framework.PublishOptions{})
			err = errors.Join(err, effect(ctx, tx, "done"),
				s.StageSend(ctx, Send{Binding: "audit", Destination: "q", Message: connections.Message{Body: []byte("sent")}}))
			if n := one[int](t, pool, `select (select count(*) from fairlead.delivery) + (select count(*) from effect)`); n != 0 {
				t.Errorf("others see %d rows before the commit, want 0", n)
			}
			return errors.Join(err, fail)
		}
	}
	count := func() string {
		return one[string](t, pool, `select format('%s effects, %s deliveries, %s remembered', (select count(*) from effect),
			(select count(*) from fairlead.delivery), (select count(*) from fairlead.inbox))`)
	}
	r := Received{Trigger: "orders", Source: "/broker/orders", ID: "1", Data: []byte("body")}
	if ran, err := s.Transact(t.Context(), r, work(failure)); !ran || !errors.Is(err, failure) {
		t.Fatalf("got ran %v and error %v, want the function's", ran, err)
	}
	if got, want := count(), "0 effects, 0 deliveries, 0 remembered"; got != want {
		t.Fatalf("after a failure: got %s, want %s", got, want)
	}
	if ran, err := s.Transact(t.Context(), r, work(nil)); !ran || err != nil {
		t.Fatalf("got ran %v and error %v", ran, err)
	}
	if got, want := count(), "1 effects, 2 deliveries, 1 remembered"; got != want {
		t.Fatalf("after success: got %s, want %s", got, want)
	}
	if ran, err := s.Transact(t.Context(), r, work(nil)); ran || err != nil {
		t.Fatalf("the same event again: got ran %v and error %v, want false and nil", ran, err)
	}
	if seen, err := s.Seen(t.Context(), r); !seen || err != nil {
		t.Errorf("got seen %v, %v", seen, err)
	}
}

func TestTransactTellsEventsApart(t *testing.T) {
	t.Parallel()
	s, pool := effects(t)
	first := Received{Trigger: "orders", Source: "/broker/orders", ID: "1", Data: []byte("one")}
	for _, c := range []struct {
		what   string
		change func(*Received)
		run    bool
	}{
		{"the same", func(*Received) {}, false},
		{"another body: a sender that uses ids twice", func(r *Received) { r.Data = []byte("two") }, true},
		{"another trigger", func(r *Received) { r.Trigger = "audit" }, true},
		{"another source", func(r *Received) { r.Source = "/broker/others" }, true},
		{"a very long id", func(r *Received) { r.ID = strings.Repeat("x", 100_000) }, true},
		{"another very long id", func(r *Received) { r.ID = strings.Repeat("x", 99_999) + "y" }, true},
		{"an id of bytes", func(r *Received) { r.ID = "\xff\x00" }, true},
		{"the same, replayed", func(r *Received) { r.Replayed = true }, true},
		{"the same, with an id that means nothing", func(r *Received) { r.Unstable = true }, true},
	} {
		run := func(r Received) bool {
			ran, err := s.Transact(t.Context(), r, func(ctx context.Context, tx pgx.Tx) error { return effect(ctx, tx, c.what) })
			if err != nil {
				t.Fatalf("%s: %v", c.what, err)
			}
			return ran
		}
		run(first)
		r := first
		c.change(&r)
		if ran := run(r); ran != c.run {
			t.Errorf("%s: got ran %v, want %v", c.what, ran, c.run)
		}
	}
	if n := one[int](t, pool, `select count(*) from effect where what = 'the same'`); n != 1 {
		t.Errorf("got %d effects of the first event, want 1", n)
	}
}

// Eight deliveries of one event at once: its effect happens once.
func TestTransactAtOnce(t *testing.T) {
	t.Parallel()
	s, pool := effects(t)
	var ran atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			once, err := s.Transact(t.Context(), Received{Trigger: "t", Source: "s", ID: "1"}, func(ctx context.Context, tx pgx.Tx) error {
				return effect(ctx, tx, "x")
			})
			if err != nil {
				t.Error(err)
			}
			if once {
				ran.Add(1)
			}
		})
	}
	all.Wait()
	if n := one[int](t, pool, `select count(*) from effect`); n != 1 || ran.Load() != 1 {
		t.Errorf("got %d effects and %d calls, want 1 and 1", n, ran.Load())
	}
}

func TestTransactionIsNotTheFunctions(t *testing.T) {
	t.Parallel()
	s, pool := effects(t)
	_, err := s.Transact(t.Context(), Received{ID: "1"}, func(ctx context.Context, tx pgx.Tx) error {
		if err := tx.Commit(ctx); err == nil {
			t.Error("Commit succeeded")
		}
		if err := tx.Rollback(ctx); err == nil {
			t.Error("Rollback succeeded")
		}
		return effect(ctx, tx, "kept")
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Transact(t.Context(), Received{ID: "2"}, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "rollback")
		return err
	})
	if !framework.IsTerminal(err) {
		t.Errorf("a function that rolled back by SQL: got error %v, want a Terminal one", err)
	}
	if got := one[string](t, pool, `select string_agg(what, ',') from effect`); got != "kept" {
		t.Errorf("got effects %s, want kept", got)
	}
}

// A Transactional function that is invoked by another runs in a savepoint: what
// it did and published is undone alone.
func TestNestedTransactions(t *testing.T) {
	t.Parallel()
	s, pool := effects(t)
	failure := errors.New("failed")
	nested := func(ctx context.Context, name string, fail error) error {
		_, err := s.Transact(ctx, Received{ID: "ignored"}, func(ctx context.Context, tx pgx.Tx) error {
			_, err := s.Publish(ctx, "next", data(t, name), framework.PublishOptions{})
			return errors.Join(err, effect(ctx, tx, name), fail)
		})
		return err
	}
	_, err := s.Transact(t.Context(), Received{ID: "1"}, func(ctx context.Context, tx pgx.Tx) error {
		if err := errors.Join(effect(ctx, tx, "outer"), nested(ctx, "good", nil)); err != nil {
			return err
		}
		if err := nested(ctx, "bad", failure); !errors.Is(err, failure) {
			t.Errorf("got error %v, want the nested function's", err)
		}
		var together sync.WaitGroup
		for i := range 4 {
			together.Go(func() {
				if err := nested(ctx, fmt.Sprint("parallel", i), nil); err != nil {
					t.Error(err)
				}
			})
		}
		together.Wait()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "good, outer, parallel0, parallel1, parallel2, parallel3"
	if got := one[string](t, pool, `select string_agg(what, ', ' order by what) from effect`); got != want {
		t.Errorf("got effects %s, want %s", got, want)
	}
	want = "good, parallel0, parallel1, parallel2, parallel3"
	if got := one[string](t, pool, `select string_agg(convert_from(data, 'UTF8'), ', ' order by data) from fairlead.delivery`); got != want {
		t.Errorf("got published %s, want %s", got, want)
	}
}

func TestPublishAfterTheTransactionIsRefused(t *testing.T) {
	t.Parallel()
	s, pool := effects(t)
	var kept context.Context
	if _, err := s.Transact(t.Context(), Received{ID: "1"}, func(ctx context.Context, tx pgx.Tx) error { kept = ctx; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Publish(kept, "late", data(t, "x"), framework.PublishOptions{}); err == nil {
		t.Error("publishing with the ctx of a transaction that has ended succeeded, and is lost")
	}
	if n := one[int](t, pool, `select count(*) from fairlead.delivery`); n != 0 {
		t.Errorf("got %d deliveries, want 0", n)
	}
}

// A connection that is lost under a function is not the event's fault.
func TestLostConnectionIsUnavailable(t *testing.T) {
	t.Parallel()
	s, pool := effects(t)
	_, err := s.Transact(t.Context(), Received{ID: "1"}, func(ctx context.Context, tx pgx.Tx) error {
		var pid int
		if err := tx.QueryRow(ctx, `select pg_backend_pid()`).Scan(&pid); err != nil {
			return err
		}
		if _, err := pool.Exec(ctx, `select pg_terminate_backend($1, 5000)`, pid); err != nil {
			return err
		}
		if err := effect(ctx, tx, "x"); err == nil {
			t.Error("the connection lives")
		}
		return errors.New("the function's own words")
	})
	if !errors.Is(err, framework.ErrUnavailable) {
		t.Errorf("got error %v, want one that wraps ErrUnavailable", err)
	}
}

// A statement that the function itself gives up is its own failure, however it
// tells of it: else the event would be tried for ever.
func TestStatementCutOffIsTheFunctionsFault(t *testing.T) {
	t.Parallel()
	s, _ := effects(t)
	slow := func(ctx context.Context, tx pgx.Tx) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		_, err := tx.Exec(ctx, `select pg_sleep(60)`)
		return err
	}
	for name, work := range map[string]func(context.Context, pgx.Tx) error{
		"its error":      slow,
		"its own words":  func(ctx context.Context, tx pgx.Tx) error { return errors.Join(errors.New("too slow"), slow(ctx, tx)) },
		"another's word": func(ctx context.Context, tx pgx.Tx) error { return fmt.Errorf("too slow: %v", slow(ctx, tx)) },
		"no word":        func(ctx context.Context, tx pgx.Tx) error { slow(ctx, tx); return nil },
		"nested": func(ctx context.Context, tx pgx.Tx) error {
			_, err := s.Transact(ctx, Received{ID: "inner"}, slow)
			return err
		},
		"nested, no word": func(ctx context.Context, tx pgx.Tx) error {
			s.Transact(ctx, Received{ID: "inner"}, slow)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Transact(t.Context(), Received{ID: name}, work)
			if err == nil || errors.Is(err, framework.ErrUnavailable) || framework.IsTerminal(err) {
				t.Errorf("got error %v, want one that uses up an attempt", err)
			}
		})
	}
}

func TestRelaySendsInOrderPerKey(t *testing.T) {
	t.Parallel()
	s := start(t, services.Postgres(t))
	const keys, each = 7, 40
	for n := range each {
		for k := range keys {
			m := connections.Message{
				Body: fmt.Append(nil, n), ContentType: "text/plain", Text: true, Key: fmt.Sprint("key", k), ReplyTo: "answers",
				Header: map[string]any{"n": int32(n), "at": time.Unix(0, 1).UTC(), "raw": []byte{0, 255}},
				ID:     uint64(7), CorrelationID: []byte("c"), Priority: priority(3), TTL: time.Minute,
			}
			if err := s.StageSend(t.Context(), Send{Binding: "audit", Destination: "topic:a", Native: true, Message: m}); err != nil {
				t.Fatal(err)
			}
		}
	}
	var mu sync.Mutex
	next, ids, sent := map[string]int{}, map[string]int{}, 0
	relay, err := s.Relay(Relay{
		Binding: "audit", Batch: 50, Grace: 5 * time.Second,
		Retry: framework.RetryPolicy{First: time.Millisecond, Max: 2 * time.Millisecond},
		Send: func(_ context.Context, batch []StagedSend) []error {
			mu.Lock()
			defer mu.Unlock()
			errs := make([]error, len(batch))
			seen := map[string]bool{}
			for i, b := range batch {
				m := b.Message
				if seen[m.Key] {
					t.Errorf("two messages of %s in one batch", m.Key)
				}
				seen[m.Key] = true
				if m.Header["n"] != int32(next[m.Key]) || string(m.Body) != fmt.Sprint(next[m.Key]) {
					t.Errorf("%s: got %s, want %d", m.Key, m.Body, next[m.Key])
				}
				if ids[b.ID]++; ids[b.ID] == 1 && sent%5 == 0 {
					sent++
					switch sent % 2 {
					case 0:
						errs[i] = errors.New("refused")
					default:
						errs[i] = fmt.Errorf("send: %w", connections.ErrConnLost)
					}
					continue
				}
				sent++
				next[m.Key]++
			}
			m := batch[0].Message
			if b := batch[0]; b.Binding != "audit" || b.Destination != "topic:a" || !b.Native || !m.Text || m.ReplyTo != "answers" || m.ID != uint64(7) || *m.Priority != 3 || m.TTL > time.Minute || m.TTL <= 0 {
				t.Errorf("got %+v", b)
			}
			return errs
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	background(t, relay.Run)
	await(t, "all are sent", func() bool {
		mu.Lock()
		defer mu.Unlock()
		for k := range keys {
			if next[fmt.Sprint("key", k)] != each {
				return t.Failed()
			}
		}
		return true
	})
	await(t, "nothing is left", func() bool {
		queues, err := s.StagedSends(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(queues) == 1 && queues[0].Name == "audit" && queues[0].Depth == 0
	})
}

// While the broker confirms a batch, the next one is on its way, without the keys
// of the first.
func TestRelayHasTwoBatchesOnTheirWay(t *testing.T) {
	t.Parallel()
	s := start(t, services.Postgres(t))
	const messages, keys = 120, 40
	for i := range messages {
		m := connections.Message{Body: fmt.Append(nil, i), Key: fmt.Sprint(i % keys)}
		if err := s.StageSend(t.Context(), Send{Binding: "audit", Message: m}); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	underWay, running, sent := map[string]bool{}, 0, 0
	both := make(chan struct{})
	relay, err := s.Relay(Relay{Binding: "audit", Batch: 10, Grace: 5 * time.Second, Retry: DefaultRetry(), Send: func(_ context.Context, batch []StagedSend) []error {
		mu.Lock()
		for _, m := range batch {
			if underWay[m.Message.Key] {
				t.Errorf("two messages of key %s are under way", m.Message.Key)
			}
			underWay[m.Message.Key] = true
		}
		if running++; running == 2 && sent == 0 {
			close(both)
		}
		mu.Unlock()
		select {
		case <-both:
		case <-time.After(30 * time.Second):
			t.Error("no second batch came within 30 s")
		}
		mu.Lock()
		defer mu.Unlock()
		for _, m := range batch {
			delete(underWay, m.Message.Key)
		}
		running--
		sent += len(batch)
		return make([]error, len(batch))
	}})
	if err != nil {
		t.Fatal(err)
	}
	background(t, relay.Run)
	await(t, "all are sent", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return sent == messages
	})
}

// Ids of staged sends follow from the event that is worked on.
func TestStagedIDs(t *testing.T) {
	t.Parallel()
	s, _ := effects(t)
	stage := func(r Received) string {
		t.Helper()
		failure := errors.New("undo")
		var ids string
		_, err := s.Transact(t.Context(), r, func(ctx context.Context, tx pgx.Tx) error {
			sc := s.scope(ctx)
			for range 2 {
				if err := s.StageSend(ctx, Send{Binding: "b"}); err != nil {
					return err
				}
			}
			for _, p := range sc.staged {
				ids += p.id + " "
			}
			return failure
		})
		if !errors.Is(err, failure) {
			t.Fatal(err)
		}
		return ids
	}
	one, two := Received{Trigger: "t", Source: "s", ID: "1"}, Received{Trigger: "t", Source: "s", ID: "2"}
	if a, b := stage(one), stage(one); a != b {
		t.Errorf("got ids %s and %s for one event, want the same", a, b)
	}
	if a, b := stage(one), stage(two); a == b {
		t.Errorf("got ids %s for two events", a)
	}

}
