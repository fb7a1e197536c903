package outbox

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/outbox/ledger"
	"github.com/fairlead/fairlead/test/services"
)

// suicide serves a function that kills its process when it meets poison, and
// leaves a trace of each call. It says when nothing is left to do.
func suicide(url, ledgerDir string) error {
	cfg := Config{URL: url}
	if ledgerDir != "" {
		var err error
		if cfg.Ledger, err = ledger.Open(ledgerDir); err != nil {
			return err
		}
	}
	s, err := Open(cfg)
	if err != nil {
		return err
	}
	ctx := context.Background()
	c, err := s.Subscribe(Subscription{
		Target: "deadly", Concurrency: 4, Retry: framework.RetryPolicy{Attempts: 20},
		Handle: func(ctx context.Context, d *Delivery) error {
			pool, err := s.work(ctx)
			if err != nil {
				return err
			}
			if _, err := pool.Exec(ctx, `insert into effect (step, id) values ('called', $1)`, string(d.Event.Data())); err != nil {
				return err
			}
			if strings.HasPrefix(string(d.Event.Data()), "poison") {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	go c.Run(ctx)
	return s.Run(ctx)
}

// An event whose function kills the process ends in the dead letters after a few
// deaths; those that were worked on beside it do not.
func TestEventThatKillsItsProcess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		ledger bool
		most   int // deaths
	}{{"with a ledger", true, 3 * 2}, {"with the store alone", false, 7 * 2}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := services.Postgres(t)
			pool := connect(t, url)
			makeEffects(t, pool)
			s := start(t, url)
			for i := range 40 {
				what := fmt.Sprint("good", i)
				if i%20 == 5 {
					what = fmt.Sprint("poison", i)
				}
				if _, err := s.Publish(t.Context(), "deadly", data(t, what), framework.PublishOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			dir := ""
			if c.ledger {
				dir = t.TempDir()
			}
			var deaths atomic.Int64
			done := func() bool { return one[int](t, pool, `select count(*) from fairlead.delivery`) == 0 }
			for !done() {
				run(t, pool, url, dir, done)
				if deaths.Add(1) > int64(c.most)+1 {
					t.Fatalf("%d processes died, and it is not over", deaths.Load())
				}
			}
			t.Logf("%d processes died", deaths.Load()-1)
			letters, err := s.DeadLetters(t.Context(), Filter{}, 0, 10)
			if err != nil || len(letters) != 2 {
				t.Fatalf("got %d dead letters, %v; want the two that kill", len(letters), err)
			}
			for _, l := range letters {
				full, err := s.DeadLetter(t.Context(), l.ID)
				if err != nil || !strings.HasPrefix(string(full.Message.Body), "poison") || !strings.Contains(l.Cause, "died") || l.Attempts < 3 {
					t.Errorf("got %+v, %v", full, err)
				}
			}
			if n := one[int](t, pool, `select count(distinct id) from effect where id like 'good%'`); n != 38 {
				t.Errorf("got %d innocent events done, want 38", n)
			}
		})
	}
}

// What kills its process is handed to Bury like everything else that failed for good.
func TestEventThatKillsIsBuried(t *testing.T) {
	t.Parallel()
	s, pool := effects(t)
	if _, err := s.Publish(t.Context(), "deadly", data(t, "poison"), framework.PublishOptions{ID: "1"}); err != nil {
		t.Fatal(err)
	}
	l := letterOf(t, "in", "1", "poison")
	if err := s.Park(t.Context(), l, 0); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{ // claims whose process died, some of them marked
		`update fairlead.delivery set claims = 2`,
		`update fairlead.parked set claims = 2`,
		`insert into fairlead.ledger (trigger, source, event_id, kills)
			values ('deadly', '/fairlead/function/deadly', '1', 3), ('in', '/orders/in', '1', 3)`,
	} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	buried := make(chan string, 2)
	subscribe(t, s, Subscription{
		Target: "deadly",
		Handle: func(context.Context, *Delivery) error { t.Error("the function ran"); return nil },
		Bury: func(_ context.Context, d *Delivery, err error) error {
			buried <- fmt.Sprintf("%s after %d attempts: %v", d.Event.Data(), d.Attempt, err)
			return nil
		},
	})
	want := "poison after 2 attempts: the process died 2 times while the function worked on it"
	if got := receive(t, buried); got != want {
		t.Errorf("published: got %q, want %q", got, want)
	}
	c, err := s.Retries(Retries{
		Trigger: "in", Function: "f", Grace: time.Second,
		Handle: func(context.Context, *Letter) error { t.Error("the function ran"); return nil },
		Bury: func(_ context.Context, l *Letter) error {
			buried <- fmt.Sprintf("%s after %d attempts: %s", l.Message.Body, l.Attempts, l.Cause)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	background(t, c.Run)
	await(t, "it is counted", func() bool { return c.Status().Dead == 1 })
	want = fmt.Sprintf("poison after %d attempts: the process died 2 times while the function worked on it", l.Attempts+2)
	if got := receive(t, buried); got != want {
		t.Errorf("parked: got %q, want %q", got, want)
	}
	await(t, "nothing is left", func() bool {
		return one[int](t, pool, `select (select count(*) from fairlead.delivery) + (select count(*) from fairlead.parked) + (select count(*) from fairlead.dead)`) == 0
	})
}

// run runs a process until it dies, or until all is done, and ends its lease.
func run(t *testing.T, pool *pgxpool.Pool, url, ledgerDir string, done func() bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "OUTBOX_TEST_CHILD="+url, "OUTBOX_TEST_DEADLY=1", "OUTBOX_TEST_LEDGER="+ledgerDir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	died := make(chan struct{})
	go func() {
		cmd.Wait()
		close(died)
	}()
	await(t, "the process died, or all is done", func() bool {
		select {
		case <-died:
			return true
		default:
			return done()
		}
	})
	cmd.Process.Kill()
	<-died
	(&victim{cmd}).expire(t, pool)
}
