package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// journal checks the order of what functions did, by key.
type journal struct {
	mu     sync.Mutex
	next   map[string]int // the number expected next
	active map[string]bool
	wrong  []string
	done   int
}

func newJournal() *journal { return &journal{next: map[string]int{}, active: map[string]bool{}} }

// begin notes that a call for an event began; each event's data is its number
// among those of its key.
func (j *journal) begin(d *Delivery) int {
	n, _ := strconv.Atoi(string(d.Event.Data()))
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.active[d.Key] {
		j.wrong = append(j.wrong, fmt.Sprintf("%s: %d ran beside another", d.Key, n))
	}
	if n != j.next[d.Key] {
		j.wrong = append(j.wrong, fmt.Sprintf("%s: got %d, want %d", d.Key, n, j.next[d.Key]))
	}
	j.active[d.Key] = true
	return n
}

func (j *journal) end(d *Delivery, n int, done bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.active[d.Key] = false
	if done {
		j.next[d.Key] = n + 1
		j.done++
	}
}

func (j *journal) count() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.done
}

func (j *journal) check(t *testing.T) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for i, w := range j.wrong {
		if i == 10 {
			t.Errorf("and %d more", len(j.wrong)-i)
			break
		}
		t.Error(w)
	}
}

// Eight relays, functions that fail now and then, publishers at work meanwhile:
// the events of a key come in order, one at a time.
func TestOrderPerKeyWithEightRelays(t *testing.T) {
	t.Parallel()
	url := services.Postgres(t)
	const relays, keys, each = 8, 12, 60
	j := newJournal()
	handle := func(_ context.Context, d *Delivery) error {
		n := j.begin(d)
		fail := rand.IntN(20) == 0
		if rand.IntN(4) == 0 {
			<-time.After(time.Duration(rand.IntN(3)) * time.Millisecond)
		}
		j.end(d, n, !fail)
		if fail {
			return errors.New("now and then")
		}
		return nil
	}
	var stores [relays]*Store
	for i := range stores {
		stores[i], _ = startStop(t, Config{URL: url, MaxConns: 4})
		subscribe(t, stores[i], Subscription{
			Target: "ordered", Concurrency: 4, Handle: handle,
			Retry: framework.RetryPolicy{First: time.Millisecond, Max: 20 * time.Millisecond},
		})
	}
	var publishers sync.WaitGroup
	for k := range keys {
		s := stores[k%relays]
		publishers.Go(func() {
			for n := range each {
				o := framework.PublishOptions{Key: fmt.Sprint("key", k), Priority: priority(n % 10)}
				if _, err := s.Publish(t.Context(), "ordered", data(t, fmt.Sprint(n)), o); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	publishers.Wait()
	await(t, "all are done", func() bool { return j.count() >= keys*each || t.Failed() })
	j.check(t)
}

func priority(n int) *int { return &n }

// A key that always fails holds back itself and nothing else; once it succeeds,
// what waited behind it follows in order.
func TestPoisonKeyBesideBusyKeys(t *testing.T) {
	t.Parallel()
	s := start(t, services.Postgres(t))
	const busy, each = 5, 100
	j := newJournal()
	var poisoned atomic.Bool
	poisoned.Store(true)
	var attempts atomic.Int64
	for n := range each {
		for k := range busy + 1 {
			key := fmt.Sprint("busy", k)
			if k == busy {
				key = "poison"
			}
			if _, err := s.Publish(t.Context(), "keys", data(t, fmt.Sprint(n)), framework.PublishOptions{Key: key}); err != nil {
				t.Fatal(err)
			}
		}
	}
	subscribe(t, s, Subscription{
		Target: "keys", Concurrency: 4, Retry: framework.RetryPolicy{First: 10 * time.Millisecond, Max: 50 * time.Millisecond},
		Handle: func(_ context.Context, d *Delivery) error {
			n := j.begin(d)
			if d.Key == "poison" && poisoned.Load() {
				attempts.Add(1)
				j.end(d, n, false)
				return errors.New("poison")
			}
			j.end(d, n, true)
			return nil
		},
	})
	await(t, "the busy keys are done", func() bool { return j.count() == busy*each })
	await(t, "the poison was tried again", func() bool { return attempts.Load() > 3 })
	for n := range 20 { // more of it, while it is held back
		if _, err := s.Publish(t.Context(), "keys", data(t, fmt.Sprint(each+n)), framework.PublishOptions{Key: "poison"}); err != nil {
			t.Fatal(err)
		}
	}
	poisoned.Store(false)
	await(t, "the held back key is done", func() bool { return j.count() == busy*each+each+20 })
	j.check(t)
}

// What a replica that died has claimed of one key, in both tables, holds up
// nobody: neither part waits for the other.
func TestKeyOfADeadReplica(t *testing.T) {
	t.Parallel()
	url := services.Postgres(t)
	s := start(t, url)
	for n := range 4 {
		if _, err := s.Publish(t.Context(), "left", data(t, fmt.Sprint(n)), framework.PublishOptions{Key: "k"}); err != nil {
			t.Fatal(err)
		}
	}
	const dead = 1 << 20
	_, err := connect(t, url).Exec(t.Context(), `with first as (delete from fairlead.delivery where seq = (select min(seq) from fairlead.delivery) returning *)
		insert into fairlead.parked (seq, queue, rank, key, event_id, header, data, run_at, owner, claims)
		select seq, queue, rank, key, event_id, header, data, now(), $1, 1 from first`, dead)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t, url).Exec(t.Context(), `insert into fairlead.claim (queue, top, replica, seqs)
		select queue, max(seq), $1, array_agg(seq) from fairlead.delivery group by queue`, dead); err != nil {
		t.Fatal(err)
	}
	j := newJournal()
	subscribe(t, s, Subscription{Target: "left", Concurrency: 4, Handle: func(_ context.Context, d *Delivery) error {
		j.end(d, j.begin(d), true)
		return nil
	}})
	await(t, "all are done", func() bool { return j.count() == 4 })
	j.check(t)
}

// An event of a key that is buried lets the next ones go.
func TestDeadLetterFreesItsKey(t *testing.T) {
	t.Parallel()
	s := start(t, services.Postgres(t))
	for n := range 5 {
		if _, err := s.Publish(t.Context(), "dead", data(t, fmt.Sprint(n)), framework.PublishOptions{Key: "k"}); err != nil {
			t.Fatal(err)
		}
	}
	got := make(chan string, 20)
	subscribe(t, s, Subscription{
		Target: "dead", Concurrency: 4, Retry: framework.RetryPolicy{Attempts: 3, First: time.Millisecond},
		Stack: func(error) string { return "the stack" },
		Handle: func(_ context.Context, d *Delivery) error {
			got <- string(d.Event.Data())
			switch string(d.Event.Data()) {
			case "1":
				return errors.New("again and again")
			case "3":
				return framework.Terminal(errors.New("never"))
			}
			return nil
		},
	})
	var order string
	for range 7 {
		order += receive(t, got)
	}
	if want := "0111234"; order != want {
		t.Errorf("got calls %s, want %s", order, want)
	}
	var letters []Letter
	await(t, "there are two dead letters", func() bool {
		var err error
		if letters, err = s.DeadLetters(t.Context(), Filter{Trigger: "dead"}, 0, 10); err != nil {
			t.Fatal(err)
		}
		return len(letters) == 2
	})
	for i, want := range []Letter{
		{Trigger: "dead", Function: "dead", Destination: "dead", Key: "k", Cause: "never", Attempts: 1, Stack: "the stack"},
		{Trigger: "dead", Function: "dead", Destination: "dead", Key: "k", Cause: "again and again", Attempts: 3, Stack: "the stack"},
	} {
		l := letters[i]
		got := Letter{Trigger: l.Trigger, Function: l.Function, Destination: l.Destination, Key: l.Key, Cause: l.Cause, Attempts: l.Attempts, Stack: l.Stack}
		if got.Cause != want.Cause || got.Attempts != want.Attempts || got.Stack != want.Stack || got.Key != want.Key || got.Function != want.Function {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if l.First.IsZero() || l.Last.Before(l.First) || l.Died.Before(l.Last) {
			t.Errorf("got first %v, last %v, died %v: want them in this order", l.First, l.Last, l.Died)
		}
	}
}

// A transaction that stays open while others publish and are delivered is not
// skipped when it commits; and an event that its publisher publishes after that
// comes after it.
func TestLateCommits(t *testing.T) {
	t.Parallel()
	url := services.Postgres(t)
	s := start(t, url)
	if _, err := s.work(t.Context()); err != nil {
		t.Fatal(err)
	}
	pool := connect(t, url)
	var mu sync.Mutex
	var got []string
	var count atomic.Int64
	subscribe(t, s, Subscription{Target: "late", Concurrency: 4, Handle: func(_ context.Context, d *Delivery) error {
		count.Add(1)
		if d.Key == "late" {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, string(d.Event.Data()))
		}
		return nil
	}})
	var want []string
	total := int64(0)
	publish := func(tx pgx.Tx, key, v string) {
		t.Helper()
		if err := Publish(t.Context(), tx, "late", v, framework.Key(key)); err != nil {
			t.Fatal(err)
		}
		total++
		if key == "late" {
			want = append(want, v)
		}
	}
	for round := range 4 {
		late, err := pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		publish(late, "late", fmt.Sprint(round, " in time, and late"))
		for i := range 300 {
			inTx(t, pool, func(tx pgx.Tx) error { publish(tx, fmt.Sprint("other", i%7), "x"); return nil })
		}
		await(t, "the others are done", func() bool { return count.Load() == total-1 })
		<-time.After(time.Duration(round) * sweepEvery) // let the floor rise
		if err := late.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		inTx(t, pool, func(tx pgx.Tx) error { publish(tx, "late", fmt.Sprint(round, " after that")); return nil })
		await(t, "the late ones are done", func() bool { return count.Load() == total })
	}
	mu.Lock()
	defer mu.Unlock()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got order\n%q, want\n%q", got, want)
	}
}
