package peers

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// job is an event as River has it.
type job struct {
	Data []byte `json:"data"`
}

func (job) Kind() string { return "bench" }

type jobWorker struct {
	river.WorkerDefaults[job]
	handle func()
}

func (w *jobWorker) Work(context.Context, *river.Job[job]) error {
	w.handle()
	return nil
}

// riverQueue is River in a database.
type riverQueue struct {
	db      *database
	inserts *river.Client[pgx.Tx]
}

func newRiver(b *testing.B, db *database) *riverQueue {
	b.Helper()
	driver := riverpgxv5.New(db.Pool)
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: quiet})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := migrator.Migrate(b.Context(), rivermigrate.DirectionUp, nil); err != nil {
		b.Fatal(err)
	}
	client, err := river.NewClient(driver, &river.Config{Logger: quiet})
	if err != nil {
		b.Fatal(err)
	}
	return &riverQueue{db: db, inserts: client}
}

func (r *riverQueue) insert(ctx context.Context) error {
	return pgx.BeginFunc(ctx, r.db.Pool, func(tx pgx.Tx) error {
		_, err := r.inserts.InsertTx(ctx, tx, job{payload}, nil)
		return err
	})
}

func (r *riverQueue) fill(b *testing.B, n int) {
	b.Helper()
	r.db.exec(b, "truncate river_job")
	for n > 0 {
		batch := make([]river.InsertManyParams, min(n, 5000))
		for i := range batch {
			batch[i].Args = job{payload}
		}
		if _, err := r.inserts.InsertMany(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		n -= len(batch)
	}
}

// work runs a client with the settings of River's own benchmark until stop is
// called. done gets a value for each job that is durably done.
func (r *riverQueue) work(b *testing.B, handle func()) (done <-chan *river.Event, stop func()) {
	b.Helper()
	workers := river.NewWorkers()
	river.AddWorker(workers, &jobWorker{handle: handle})
	client, err := river.NewClient(riverpgxv5.New(r.db.Pool), &river.Config{
		FetchCooldown: 2 * time.Millisecond, FetchPollInterval: 20 * time.Millisecond, Logger: quiet,
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 2000}}, Workers: workers,
	})
	if err != nil {
		b.Fatal(err)
	}
	done, cancel := client.SubscribeConfig(&river.SubscribeConfig{ChanSize: 75_000, Kinds: []river.EventKind{river.EventKindJobCompleted}})
	if err := client.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	return done, func() {
		cancel()
		if err := client.Stop(b.Context()); err != nil {
			b.Error(err)
		}
	}
}

// drain returns how long it takes until n jobs are done.
func (r *riverQueue) drain(b *testing.B, n int) time.Duration {
	b.Helper()
	start := time.Now()
	done, stop := r.work(b, func() {})
	for range n {
		<-done
	}
	d := time.Since(start)
	stop()
	return d
}
