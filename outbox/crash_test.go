package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/outbox/embedded"
	"github.com/fairlead/fairlead/test/services"
)

// TestMain lets tests run this program again, as a process that they kill.
func TestMain(m *testing.M) {
	if url := os.Getenv("OUTBOX_TEST_CHILD"); url != "" {
		serve := child
		if os.Getenv("OUTBOX_TEST_PROGRAM") != "" {
			serve = runProgram
		}
		if os.Getenv("OUTBOX_TEST_DEADLY") != "" {
			serve = func(url string) error { return suicide(url, os.Getenv("OUTBOX_TEST_LEDGER")) }
		}
		if err := serve(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child serves two functions until it is killed. "one" has an effect and
// publishes to "two", in one transaction; "two" has an effect.
func child(url string) error {
	s, err := Open(Config{URL: url, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))})
	if err != nil {
		return err
	}
	one, err := s.Subscribe(Subscription{Target: "one", Concurrency: 4, Retry: DefaultRetry(), Handle: s.twoSteps("two")})
	if err != nil {
		return err
	}
	two, err := s.Subscribe(Subscription{Target: "two", Concurrency: 4, Retry: DefaultRetry(), Handle: s.twoSteps("")})
	if err != nil {
		return err
	}
	ctx := context.Background()
	go one.Run(ctx)
	go two.Run(ctx)
	return s.Run(ctx)
}

// twoSteps handles an event in a transaction: an effect, and an event for the
// next function, if there is one.
func (s *Store) twoSteps(next string) func(context.Context, *Delivery) error {
	return func(ctx context.Context, d *Delivery) error {
		_, err := s.Transact(ctx, d.Received(), func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `insert into effect values ($1, $2, $3)`, d.Trigger, string(d.Event.Data()), d.Key)
			if err == nil && next != "" {
				ev, _ := framework.Data(string(d.Event.Data()))
				_, err = s.Publish(ctx, next, ev, framework.PublishOptions{Key: d.Key})
			}
			return err
		})
		return err
	}
}

// A victim is a child that a test kills.
type victim struct{ cmd *exec.Cmd }

func newVictim(t *testing.T, url string) *victim {
	t.Helper()
	v := &victim{exec.Command(os.Args[0])}
	v.cmd.Env = append(os.Environ(), "OUTBOX_TEST_CHILD="+url)
	v.cmd.Stderr = testWriter{t}
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.kill)
	return v
}

func (v *victim) kill() {
	v.cmd.Process.Signal(syscall.SIGKILL)
	v.cmd.Wait()
}

// expire ends the victim's lease, as time does after it was killed.
func (v *victim) expire(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	_, err := pool.Exec(t.Context(), `update fairlead.replica set expires_at = now() where name like '%/' || $1`, fmt.Sprint(v.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
}

func makeEffects(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), `create table effect (step text, id text, key text, at bigserial)`); err != nil {
		t.Fatal(err)
	}
}

// checkEffects checks that each of n events had each effect once, and those of a
// key in order.
func checkEffects(t *testing.T, pool *pgxpool.Pool, n int) {
	t.Helper()
	for _, step := range []string{"one", "two"} {
		total := one[int](t, pool, `select count(*) from effect where step = $1`, step)
		distinct := one[int](t, pool, `select count(distinct id) from effect where step = $1`, step)
		if total != n || distinct != n {
			t.Errorf("step %s: got %d effects of %d events, want %d of %d", step, total, distinct, n, n)
		}
		wrong := one[int](t, pool, `select count(*) from (
			select id::int < lag(id::int) over (partition by key order by at) as wrong from effect where step = $1 and key <> '') e where wrong`, step)
		if wrong != 0 {
			t.Errorf("step %s: %d events came before one that was published earlier with the same key", step, wrong)
		}
	}
	if left := one[int](t, pool, `select (select count(*) from fairlead.dead) + (select count(*) from fairlead.parked) + (select count(*) from fairlead.delivery)`); left != 0 {
		t.Errorf("got %d rows left, want 0", left)
	}
}

func finished(t *testing.T, pool *pgxpool.Pool, n int) func() bool {
	return func() bool {
		var done, left int
		err := pool.QueryRow(t.Context(), `select (select count(distinct id) from effect where step = 'two'),
			(select count(*) from fairlead.delivery) + (select count(*) from fairlead.parked)`).Scan(&done, &left)
		return err == nil && done >= n && left == 0
	}
}

// Two processes at work, killed and started again while events are published:
// nothing is lost, every effect happens once, keys stay in order.
func TestProcessIsKilled(t *testing.T) {
	t.Parallel()
	url := services.Postgres(t)
	pool := connect(t, url)
	makeEffects(t, pool)
	victims := []*victim{newVictim(t, url), newVictim(t, url)}
	await(t, "the tables are there", func() bool {
		var there bool
		return pool.QueryRow(t.Context(), `select to_regclass('fairlead.ledger') is not null`).Scan(&there) == nil && there
	})
	const n, keys = 3000, 10
	var publishers sync.WaitGroup
	publishers.Go(func() {
		for i := range n {
			inTx(t, pool, func(tx pgx.Tx) error {
				opts := []framework.PublishOption{framework.ID(fmt.Sprint(i))}
				if i%2 == 0 {
					opts = append(opts, framework.Key(fmt.Sprint("key", i%keys)))
				}
				return Publish(t.Context(), tx, "one", fmt.Sprint(i), opts...)
			})
		}
	})
	for range 12 {
		<-time.After(time.Duration(100+rand.IntN(250)) * time.Millisecond)
		i := rand.IntN(len(victims))
		victims[i].kill()
		victims[i].expire(t, pool)
		victims[i] = newVictim(t, url)
	}
	publishers.Wait()
	await(t, "all is done", finished(t, pool, n))
	checkEffects(t, pool, n)
}

// Postgres is killed and starts again, under load: publishing fails cleanly or
// waits, delivery goes on by itself.
func TestPostgresIsKilled(t *testing.T) {
	t.Parallel()
	server, err := embedded.Start(t.Context(), embedded.Config{Dir: filepath.Join(t.TempDir(), "pg"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Skip("service missing: postgres: ", err)
	}
	t.Cleanup(func() { server.Close() })
	url := server.URL()
	pool := connect(t, url)
	makeEffects(t, pool)
	s := start(t, url)
	for _, f := range []struct{ name, next string }{{"one", "two"}, {"two", ""}} {
		subscribe(t, s, Subscription{Target: f.name, Concurrency: 4, Retry: DefaultRetry(), Handle: s.twoSteps(f.next)})
	}
	const n = 2000
	var publisher sync.WaitGroup
	publisher.Go(func() {
		for i := range n {
			ev := data(t, fmt.Sprint(i))
			o := framework.PublishOptions{ID: fmt.Sprint(i)}
			if i%2 == 0 {
				o.Key = fmt.Sprint("key", i%10)
			}
			for { // an unknown outcome is tried again with the same id
				_, err := s.Publish(t.Context(), "one", ev, o)
				if err == nil {
					break
				}
				if !errors.Is(err, framework.ErrUnavailable) {
					t.Errorf("got error %v, want one that wraps ErrUnavailable", err)
					return
				}
			}
		}
	})
	for range 4 {
		<-time.After(time.Duration(200+rand.IntN(400)) * time.Millisecond)
		server.Kill()
	}
	publisher.Wait()
	await(t, "all is done", finished(t, pool, n))
	checkEffects(t, pool, n)
	if status := s.Status(); status.State != Running {
		await(t, "the store says that it runs", func() bool { return s.Status().State == Running })
	}
}
