package outbox

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fairlead/fairlead/test/services"
)

// migrated returns a pool on a fresh database with the tables.
func migrated(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool := connect(t, services.Postgres(t))
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if err := Migrate(t.Context(), conn.Conn(), ""); err != nil {
		t.Fatal(err)
	}
	return pool
}

func connect(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// inTx runs f in a transaction.
func inTx(t testing.TB, pool *pgxpool.Pool, f func(tx pgx.Tx) error) {
	t.Helper()
	if err := pgx.BeginFunc(t.Context(), pool, f); err != nil {
		t.Fatal(err)
	}
}

// one returns the only value of a query's only row.
func one[T any](t testing.TB, pool *pgxpool.Pool, sql string, args ...any) (v T) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// testLog writes to the test's log.
func testLog(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(testWriter{t}, nil))
}

type testWriter struct{ testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	w.Logf("%s", b)
	return len(b), nil
}

// start runs a store until the test ends.
func start(t testing.TB, url string) *Store {
	t.Helper()
	s, _ := startStop(t, Config{URL: url})
	return s
}

// startStop is start with a function to stop the store before the test ends.
func startStop(t testing.TB, cfg Config) (*Store, func()) {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = testLog(t)
	}
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	stop := background(t, s.Run)
	return s, stop
}

// background calls run until the returned function is called or the test ends.
func background(t testing.TB, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := run(ctx); err != nil {
			t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
	})
	t.Cleanup(stop)
	return stop
}

// subscribe runs a consumer until the returned function is called or the test ends.
func subscribe(t testing.TB, s *Store, sub Subscription) (stop func()) {
	t.Helper()
	if sub.Grace == 0 {
		sub.Grace = 5 * time.Second
	}
	c, err := s.Subscribe(sub)
	if err != nil {
		t.Fatal(err)
	}
	return background(t, c.Run)
}

// await waits until ok holds.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("still not after 30 s: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// receive returns the next value from c.
func receive[T any](t testing.TB, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
		return v
	case <-time.After(30 * time.Second):
		t.Fatal("nothing came within 30 s")
		return v
	}
}
