package peers

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/outbox"
	"github.com/fairlead/fairlead/outbox/embedded"
)

var quiet = slog.New(slog.DiscardHandler)

// conns is how many connections each contestant may use.
const conns = 16

// database is a Postgres of the benchmark's own, with the outbox's tables.
type database struct {
	*pgxpool.Pool
	url string
}

func newDatabase(b *testing.B) *database {
	b.Helper()
	server, err := embedded.Start(b.Context(), embedded.Config{Dir: filepath.Join(b.TempDir(), "postgres"), Log: quiet})
	if err != nil {
		b.Skip("service missing: postgres: ", err)
	}
	b.Cleanup(func() { server.Close() })
	db := &database{url: server.URL()}
	db.Pool = newPool(b, db.url)
	db.migrate(b, outbox.DefaultSchema)
	return db
}

func newPool(b *testing.B, url string) *pgxpool.Pool {
	b.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		b.Fatal(err)
	}
	cfg.MaxConns = conns
	pool, err := pgxpool.NewWithConfig(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	return pool
}

func (db *database) migrate(b *testing.B, schema string) {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), db.url)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(b.Context())
	if err := outbox.Migrate(b.Context(), conn, schema); err != nil {
		b.Fatal(err)
	}
}

func (db *database) exec(b *testing.B, sql string, args ...any) {
	b.Helper()
	if _, err := db.Exec(b.Context(), sql, args...); err != nil {
		b.Fatalf("%s: %v", sql, err)
	}
}

// settle writes out what earlier turns have left to write, so that the next one
// does not pay for it.
func (db *database) settle(b *testing.B) {
	b.Helper()
	db.exec(b, "checkpoint")
}

// store runs an outbox until the returned function is called.
func (db *database) store(b *testing.B, schema string) (s *outbox.Store, stop func()) {
	b.Helper()
	s, err := outbox.Open(outbox.Config{URL: db.url, Schema: schema, Log: quiet, MaxConns: conns})
	if err != nil {
		b.Fatal(err)
	}
	return s, background(b, s.Run)
}

// background calls run until stop is called or the benchmark ends.
func background(b *testing.B, run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := run(ctx); err != nil {
			b.Error(err)
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
	})
	b.Cleanup(stop)
	return stop
}

// subscribe runs a consumer until the returned function is called, which returns
// once all that was handled is written.
func subscribe(b *testing.B, s *outbox.Store, target string, handle func()) (stop func()) {
	b.Helper()
	c, err := s.Subscribe(outbox.Subscription{
		Target: target, Concurrency: 8, Retry: outbox.DefaultRetry(), Grace: grace, Log: quiet,
		Handle: func(context.Context, *outbox.Delivery) error {
			handle()
			return nil
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	return background(b, c.Run)
}

// publish publishes an event of 256 bytes in a transaction of its own.
func publish(ctx context.Context, pool *pgxpool.Pool, target string, opts ...framework.PublishOption) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return outbox.Publish(ctx, tx, target, payload, opts...) })
}
