package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/outbox/embedded"
	"github.com/fairlead/fairlead/test/services"
)

// A campaign runs programs that publish and consume at once, and disturbs them.
//
// Each program writes orders and publishes an event for each in the same
// transaction; some roll back, some stay open for long. A function, which fails
// now and then, has one effect per event and stages a message, in one
// transaction; a relay hands the messages to a "broker", a table that it writes
// with transactions of its own. Events with the key "poison" fail until a switch
// is off.
//
// In the end there is one effect and one message for every order, and nothing
// else: what was never committed was never delivered.
const campaignSQL = `
create table orders (id text primary key, key text not null, n int not null);
create table effect (id text not null, at bigserial);
create table sent (id text not null, order_id text not null);
create table switch (name text primary key);
insert into switch values ('poison'), ('publish')`

const poison = "poison"

// A program is one process of a campaign.
type program struct {
	store *Store
	pool  *pgxpool.Pool // for all that is not the store's
}

// runProgram runs a program until SIGTERM.
func runProgram(url string) error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	s, err := Open(Config{URL: url, Log: log})
	if err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	p := &program{store: s, pool: pool}
	retry := framework.RetryPolicy{First: 5 * time.Millisecond, Max: 100 * time.Millisecond}
	work, err := s.Subscribe(Subscription{Target: "orders", Concurrency: 4, Retry: retry, Handle: p.handle, Grace: 10 * time.Second})
	if err != nil {
		return err
	}
	relay, err := s.Relay(Relay{Binding: "out", Retry: retry, Send: p.send, Grace: 10 * time.Second})
	if err != nil {
		return err
	}
	life, end := context.WithCancel(context.Background())
	var store, rest sync.WaitGroup
	store.Go(func() { s.Run(life) })
	errs := make(chan error, 2)
	rest.Go(func() { errs <- work.Run(ctx) })
	rest.Go(func() { errs <- relay.Run(ctx) })
	for i := range 2 {
		rest.Go(func() { p.publish(ctx, fmt.Sprint(os.Getpid(), "-", i)) })
	}
	rest.Wait()
	end()
	store.Wait()
	return errors.Join(<-errs, <-errs)
}

func (p *program) on(ctx context.Context, name string) (on bool, err error) {
	err = p.pool.QueryRow(ctx, `select exists (select from switch where name = $1)`, name).Scan(&on)
	return on, err
}

// publish writes orders with the given key, one after the other, and between them
// others that commit late.
func (p *program) publish(ctx context.Context, key string) {
	var late sync.WaitGroup
	defer late.Wait()
	for n := 0; ctx.Err() == nil; n++ {
		sleep(ctx, time.Millisecond)
		if on, err := p.on(ctx, "publish"); err == nil && !on {
			return
		}
		switch {
		case n%40 == 0:
			p.order(ctx, poison, fmt.Sprint(key, "-", n), n, 0)
		case n%10 == 0:
			late.Go(func() { p.order(ctx, "", fmt.Sprint(key, "-", n), n, rand.N(400*time.Millisecond)) })
		default:
			p.order(ctx, key, fmt.Sprint(key, "-", n), n, 0)
		}
	}
}

var errChangedMind = errors.New("changed its mind")

// order writes one order and publishes its event; whether it was committed is for
// the tables to say.
func (p *program) order(ctx context.Context, key, id string, n int, open time.Duration) {
	pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `insert into orders values ($1, $2, $3)`, id, key, n); err != nil {
			return err
		}
		if err := Publish(ctx, tx, "orders", id, framework.Key(key)); err != nil {
			return err
		}
		if n%7 == 0 {
			return errChangedMind
		}
		return sleep(ctx, open)
	})
}

func (p *program) handle(ctx context.Context, d *Delivery) error {
	if d.Key == poison {
		if on, err := p.on(ctx, poison); on || err != nil {
			return fmt.Errorf("poison: %w", errors.Join(err, errors.New("it fails")))
		}
	}
	if rand.IntN(20) == 0 {
		return errors.New("now and then")
	}
	id := string(d.Event.Data())
	_, err := p.store.Transact(ctx, d.Received(), func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `insert into effect (id) values ($1)`, id); err != nil {
			return err
		}
		return p.store.StageSend(ctx, Send{Binding: "out", Message: connections.Message{Body: []byte(id), Key: d.Key}})
	})
	return err
}

// send is the broker: it takes charge of a message by writing it down.
func (p *program) send(ctx context.Context, batch []StagedSend) []error {
	errs := make([]error, len(batch))
	for i, m := range batch {
		if _, err := p.pool.Exec(ctx, `insert into sent values ($1, $2)`, m.ID, string(m.Message.Body)); err != nil {
			errs[i] = fmt.Errorf("broker %w: %w", framework.ErrUnavailable, err)
		}
	}
	return errs
}

// startProgram starts a program in a process of its own.
func startProgram(t *testing.T, url string) *victim {
	t.Helper()
	v := &victim{exec.Command(os.Args[0])}
	v.cmd.Env = append(os.Environ(), "OUTBOX_TEST_CHILD="+url, "OUTBOX_TEST_PROGRAM=1")
	v.cmd.Stderr = testWriter{t}
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.kill)
	return v
}

// leave asks a program to end in good order, once it is at work.
func (v *victim) leave(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	await(t, "the program is at work", func() bool {
		var there bool
		err := pool.QueryRow(t.Context(), `select exists (select from fairlead.replica where name like '%/' || $1)`, fmt.Sprint(v.cmd.Process.Pid)).Scan(&there)
		return err == nil && there
	})
	v.cmd.Process.Signal(syscall.SIGTERM)
	if err := v.cmd.Wait(); err != nil {
		t.Errorf("a program that was asked to end: %v", err)
	}
}

// disturbances is how often a campaign is disturbed; OUTBOX_TEST_DISTURBANCES
// makes it more.
func disturbances(t *testing.T, usual int) int {
	t.Helper()
	text := os.Getenv("OUTBOX_TEST_DISTURBANCES")
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func someTime() { <-time.After(100*time.Millisecond + rand.N(250*time.Millisecond)) }

// calmDown waits until there are some orders even on a slow machine, ends the
// publishing and the poison, and waits until all is done.
func calmDown(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	await(t, "there are a hundred orders", func() bool {
		var n int
		return pool.QueryRow(t.Context(), `select count(*) from orders`).Scan(&n) == nil && n >= 100
	})
	await(t, "the switches are off", func() bool {
		_, err := pool.Exec(t.Context(), `delete from switch`)
		return err == nil
	})
	await(t, "every order has its effect and its message", func() bool {
		var open, left int
		err := pool.QueryRow(t.Context(), `select
			(select count(*) from pg_stat_activity where datname = current_database() and state = 'idle in transaction' and query like '%delivery%'),
			(select count(*) from fairlead.delivery) + (select count(*) from fairlead.parked)`).Scan(&open, &left)
		return err == nil && open == 0 && left == 0
	})
}

// count checks the outcome of a campaign.
func count(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	t.Logf("%d orders", one[int](t, pool, `select count(*) from orders`))
	for _, c := range []struct{ what, sql string }{
		{"orders without an effect", `select count(*) from orders o where not exists (select from effect e where e.id = o.id)`},
		{"effects that happened again", `select count(*) - count(distinct id) from effect`},
		{"effects of orders that were never committed", `select count(*) from effect e where not exists (select from orders o where o.id = e.id)`},
		{"orders without a message", `select count(*) from orders o where not exists (select from sent s where s.order_id = o.id)`},
		{"orders with two messages, that is, two ids", `select count(distinct id) - count(distinct order_id) from sent`},
		{"messages of orders that were never committed", `select count(*) from sent s where not exists (select from orders o where o.id = s.order_id)`},
		{"effects out of order", `select count(*) from (
			select o.n < lag(o.n) over (partition by o.key order by e.at) as wrong from effect e join orders o using (id)
			where o.key not in ('', 'poison')) e where wrong`},
		{"dead letters", `select count(*) from fairlead.dead`},
		{"rows left", `select (select count(*) from fairlead.delivery) + (select count(*) from fairlead.parked) + (select count(*) from fairlead.payload)`},
	} {
		if got := one[int](t, pool, c.sql); got != 0 {
			t.Errorf("got %d %s, want none", got, c.what)
		}
	}
}

// Programs come, are killed, and leave in good order, while others go on.
func TestProgramsComeAndGo(t *testing.T) {
	t.Parallel()
	url := services.Postgres(t)
	pool := connect(t, url)
	if _, err := pool.Exec(t.Context(), campaignSQL); err != nil {
		t.Fatal(err)
	}
	programs := []*victim{startProgram(t, url), startProgram(t, url)}
	await(t, "the programs are at work", func() bool {
		var n int
		return pool.QueryRow(t.Context(), `select count(*) from sent`).Scan(&n) == nil && n > 0
	})
	for n := range disturbances(t, 10) {
		someTime()
		i := rand.IntN(len(programs))
		switch {
		case n%5 == 4:
			programs[i].leave(t, pool)
		default:
			programs[i].kill()
			programs[i].expire(t, pool)
		}
		programs[i] = startProgram(t, url)
	}
	calmDown(t, pool)
	count(t, pool)
	for _, p := range programs {
		p.leave(t, pool)
	}
}

// Postgres is killed again and again while two programs publish and consume.
func TestPostgresIsKilledUnderPrograms(t *testing.T) {
	t.Parallel()
	server, err := embedded.Start(t.Context(), embedded.Config{Dir: filepath.Join(t.TempDir(), "pg"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Skip("service missing: postgres: ", err)
	}
	t.Cleanup(func() { server.Close() })
	pool := connect(t, server.URL())
	if _, err := pool.Exec(t.Context(), campaignSQL); err != nil {
		t.Fatal(err)
	}
	programs := []*victim{startProgram(t, server.URL()), startProgram(t, server.URL())}
	sent := func() (n int) {
		if err := pool.QueryRow(t.Context(), `select count(*) from sent`).Scan(&n); err != nil {
			return -1
		}
		return n
	}
	for range disturbances(t, 3) {
		before := max(0, sent())
		await(t, "the programs are at work", func() bool { return sent() > before })
		someTime()
		server.Kill()
	}
	calmDown(t, pool)
	count(t, pool)
	for _, p := range programs {
		p.leave(t, pool)
	}
}
