package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

func TestOpenRefusesBadConfig(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{
		"no URL":     {},
		"bad URL":    {URL: "postgres://user:secret@[::1/db"},
		"pg_ schema": {URL: "postgres://localhost/db", Schema: "pg_fairlead"},
		"NUL":        {URL: "postgres://localhost/db", Schema: "a\x00b"},
	} {
		_, err := Open(cfg)
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}
}

// A store that is out of reach at the start: a status, not an exit; what is
// published waits as long as its ctx. It comes up when Postgres does.
func TestStoreIsAwayAtTheStart(t *testing.T) {
	t.Parallel()
	var away atomic.Bool
	away.Store(true)
	url := services.Postgres(t)
	said := make(lines, 100)
	s, _ := startStop(t, Config{Locate: func(context.Context) (string, error) {
		if away.Load() {
			return "", errors.New("still starting")
		}
		return url, nil
	}, Log: slog.New(slog.NewTextHandler(said, nil))})
	if line := receive(t, said); !strings.Contains(line, "store not connected") || !strings.Contains(line, "still starting") {
		t.Errorf("it said %q, want that the store is not connected, and why", line)
	}
	await(t, "it says why", func() bool { return s.Status().Err != nil })
	if s.Ready() || s.Status().State != Waiting {
		t.Errorf("got ready %v and %+v, want waiting", s.Ready(), s.Status())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := s.Publish(ctx, "f", data(t, "x"), framework.PublishOptions{})
	if !errors.Is(err, framework.ErrUnavailable) || !strings.Contains(err.Error(), "still starting") {
		t.Errorf("got error %v, want one that wraps ErrUnavailable and says why", err)
	}
	published := make(chan error)
	go func() {
		_, err := s.Publish(t.Context(), "f", data(t, "x"), framework.PublishOptions{})
		published <- err
	}()
	got := make(chan string, 1)
	subscribe(t, s, Subscription{Target: "f", Handle: func(_ context.Context, d *Delivery) error {
		got <- string(d.Event.Data())
		return nil
	}})
	away.Store(false)
	if err := receive(t, published); err != nil {
		t.Error(err)
	}
	receive(t, got)
	if !s.Ready() || s.Status().State != Running || s.Status().Replica == 0 {
		t.Errorf("got ready %v and %+v, want running", s.Ready(), s.Status())
	}
}

// lines are what a log says, a line each, as far as there is room.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	select {
	case l <- string(b):
	default:
	}
	return len(b), nil
}

// Nobody listens at the address: publishing ends with the caller's ctx.
func TestStoreRefusesConnections(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	s, _ := startStop(t, Config{URL: fmt.Sprintf("postgres://x@%s/x?sslmode=disable", l.Addr()), Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := s.Publish(ctx, "f", data(t, "x"), framework.PublishOptions{}); !errors.Is(err, framework.ErrUnavailable) {
		t.Errorf("got error %v, want one that wraps ErrUnavailable", err)
	}
}

// A link whose packets go nowhere is noticed: calls end with their deadlines,
// and delivery goes on when it is whole again.
func TestStoreIsCutOff(t *testing.T) {
	t.Parallel()
	url := services.Postgres(t)
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := services.Proxy(t, fmt.Sprintf("%s:%d", cfg.Host, cfg.Port))
	s := start(t, strings.Replace(url, fmt.Sprintf("%s:%d", cfg.Host, cfg.Port), proxy.Addr, 1))
	var got atomic.Int64
	subscribe(t, s, Subscription{Target: "f", Handle: func(context.Context, *Delivery) error { got.Add(1); return nil }})
	publish := func(n int) {
		t.Helper()
		for range n {
			if _, err := s.Publish(t.Context(), "f", data(t, "x"), framework.PublishOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	publish(10)
	await(t, "ten came", func() bool { return got.Load() == 10 })
	proxy.Cut()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	if _, err := s.Publish(ctx, "f", data(t, "x"), framework.PublishOptions{}); !errors.Is(err, framework.ErrUnavailable) {
		t.Errorf("got error %v, want one that wraps ErrUnavailable", err)
	}
	cancel()
	proxy.Restore()
	before := got.Load()
	publish(10)
	await(t, "ten more came", func() bool { return got.Load() >= before+10 })
}

func TestUnavailablePausesWithoutCounting(t *testing.T) {
	t.Parallel()
	s := start(t, services.Postgres(t))
	const n = 20
	for i := range n {
		if _, err := s.Publish(t.Context(), "f", data(t, fmt.Sprint(i)), framework.PublishOptions{Key: fmt.Sprint(i % 3)}); err != nil {
			t.Fatal(err)
		}
	}
	var broken atomic.Bool
	broken.Store(true)
	var calls, done atomic.Int64
	c, err := s.Subscribe(Subscription{
		Target: "f", Concurrency: 4, Retry: framework.RetryPolicy{Attempts: 1}, Grace: time.Second,
		Handle: func(_ context.Context, d *Delivery) error {
			calls.Add(1)
			if d.Attempt != 1 {
				t.Errorf("got attempt %d, want 1: an outage counts no attempts", d.Attempt)
			}
			if broken.Load() {
				return fmt.Errorf("the broker %w", framework.ErrUnavailable)
			}
			done.Add(1)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	background(t, c.Run)
	await(t, "it is paused", func() bool { return c.Status().State == Paused && calls.Load() > 4 })
	if n := calls.Load(); n > 30 {
		t.Errorf("got %d calls while the broker is away", n)
	}
	broken.Store(false)
	await(t, "all are done", func() bool { return done.Load() == n })
	await(t, "it runs", func() bool { return c.Status().State == Running })
	if n, err := s.CountDeadLetters(t.Context(), Filter{}); n != 0 || err != nil {
		t.Errorf("got %d dead letters, %v; want 0", n, err)
	}
}

// A replica that stands still for longer than its lease loses its work; when it
// goes on, it does not disturb those who took over.
func TestZombie(t *testing.T) {
	t.Parallel()
	url := services.Postgres(t)
	pool := connect(t, url)
	makeEffects(t, pool)
	zombie := newVictim(t, url)
	await(t, "the tables are there", func() bool {
		var there bool
		return pool.QueryRow(t.Context(), `select to_regclass('fairlead.ledger') is not null`).Scan(&there) == nil && there
	})
	const n, keys = 1500, 4
	var publisher sync.WaitGroup
	publisher.Go(func() {
		for i := range n {
			inTx(t, pool, func(tx pgx.Tx) error {
				return Publish(t.Context(), tx, "one", fmt.Sprint(i), framework.ID(fmt.Sprint(i)), framework.Key(fmt.Sprint(i%keys)))
			})
		}
	})
	for range 3 {
		<-time.After(300 * time.Millisecond)
		zombie.cmd.Process.Signal(syscall.SIGSTOP)
		zombie.expire(t, pool)
		other := newVictim(t, url)
		<-time.After(500 * time.Millisecond)
		zombie.cmd.Process.Signal(syscall.SIGCONT)
		<-time.After(500 * time.Millisecond)
		other.kill()
		other.expire(t, pool)
	}
	publisher.Wait()
	await(t, "all is done", finished(t, pool, n))
	checkEffects(t, pool, n)
}

// Stores in one process that come and go while others work.
func TestReplicasComeAndGo(t *testing.T) {
	t.Parallel()
	url := services.Postgres(t)
	pool := connect(t, url)
	makeEffects(t, pool)
	first := start(t, url)
	if _, err := first.work(t.Context()); err != nil {
		t.Fatal(err)
	}
	const n = 1500
	var publisher sync.WaitGroup
	publisher.Go(func() {
		for i := range n {
			o := framework.PublishOptions{ID: fmt.Sprint(i), Key: fmt.Sprint(i % 6)}
			if _, err := first.Publish(t.Context(), "one", data(t, fmt.Sprint(i)), o); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 10 {
		s, stop := startStop(t, Config{URL: url, MaxConns: 6})
		stopOne := subscribe(t, s, Subscription{Target: "one", Concurrency: 3, Handle: s.twoSteps("two")})
		stopTwo := subscribe(t, s, Subscription{Target: "two", Concurrency: 3, Handle: s.twoSteps("")})
		<-time.After(100 * time.Millisecond)
		stopOne()
		stopTwo()
		stop()
	}
	publisher.Wait()
	if held := one[int](t, pool, `select count(*) from fairlead.delivery where seq in (select unnest(seqs) from fairlead.claim)`); held != 0 {
		t.Errorf("got %d rows held after all replicas stopped, want 0", held)
	}
	s := start(t, url)
	subscribe(t, s, Subscription{Target: "one", Concurrency: 3, Handle: s.twoSteps("two")})
	subscribe(t, s, Subscription{Target: "two", Concurrency: 3, Handle: s.twoSteps("")})
	await(t, "all is done", finished(t, pool, n))
	checkEffects(t, pool, n)
	if calls := one[int](t, pool, `select coalesce(sum(claims), 0) from fairlead.delivery`); calls != 0 {
		t.Errorf("got %d claims", calls)
	}
}

// Without LISTEN and prepared statements, as behind a pooler of transactions.
func TestPollOnly(t *testing.T) {
	t.Parallel()
	url := services.Postgres(t)
	s, _ := startStop(t, Config{URL: url, Poll: true})
	got := make(chan string, 10)
	subscribe(t, s, Subscription{Target: "f", Retry: framework.RetryPolicy{First: time.Millisecond}, Handle: func(_ context.Context, d *Delivery) error {
		if d.Attempt == 1 {
			return errors.New("once more")
		}
		got <- string(d.Event.Data())
		return nil
	}})
	pool := connect(t, url)
	for i := range 3 {
		if _, err := s.work(t.Context()); err != nil {
			t.Fatal(err)
		}
		inTx(t, pool, func(tx pgx.Tx) error {
			return Publish(t.Context(), tx, "f", fmt.Sprint(i), framework.ID(fmt.Sprint(i)), framework.Key("k"))
		})
		if g := receive(t, got); g != fmt.Sprint(i) {
			t.Errorf("got %s, want %d", g, i)
		}
	}
	if n := one[int](t, pool, `select count(*) from pg_stat_activity where datname = current_database() and query ilike 'listen%'`); n != 0 {
		t.Errorf("got %d connections that listen, want 0", n)
	}
}

// A running call is waited for, what was not begun is given back.
func TestStopDrains(t *testing.T) {
	t.Parallel()
	url := services.Postgres(t)
	s := start(t, url)
	for i := range 10 {
		if _, err := s.Publish(t.Context(), "f", data(t, fmt.Sprint(i)), framework.PublishOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	begun, finish := make(chan bool, 10), make(chan bool)
	stop := subscribe(t, s, Subscription{Target: "f", Concurrency: 2, Handle: func(context.Context, *Delivery) error {
		begun <- true
		<-finish
		return nil
	}})
	receive(t, begun)
	receive(t, begun)
	stopped := make(chan bool)
	go func() { stop(); close(stopped) }()
	select {
	case <-stopped:
		t.Fatal("it stopped before its calls ended")
	case <-time.After(100 * time.Millisecond):
	}
	close(finish)
	receive(t, stopped)
	pool := connect(t, url)
	if left, held := one[int](t, pool, `select count(*) from fairlead.delivery`), one[int](t, pool, `select count(*) from fairlead.delivery where claims <> 0 or seq in (select unnest(seqs) from fairlead.claim)`); left != 8 || held != 0 {
		t.Errorf("got %d rows left, %d of them held or counted; want 8 and 0", left, held)
	}
}

// A call that does not end within the grace period is an error; its event goes
// to others.
func TestStopGivesUp(t *testing.T) {
	t.Parallel()
	s := start(t, services.Postgres(t))
	if _, err := s.Publish(t.Context(), "f", data(t, "x"), framework.PublishOptions{}); err != nil {
		t.Fatal(err)
	}
	begun := make(chan bool, 1)
	block := make(chan bool)
	defer close(block)
	c, err := s.Subscribe(Subscription{Target: "f", Grace: 10 * time.Millisecond, Handle: func(context.Context, *Delivery) error {
		begun <- true
		<-block // whatever its ctx says
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- c.Run(ctx) }()
	receive(t, begun)
	cancel()
	if err := receive(t, ended); err == nil || !strings.Contains(err.Error(), "did not end") {
		t.Errorf("got error %v, want that a call did not end", err)
	}
}
