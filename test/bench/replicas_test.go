package bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/outbox"
	"github.com/fairlead/fairlead/test/services"
)

// BenchmarkReplicas says what more replicas on one Postgres bring: nothing where
// Postgres or the processor is what is short, their number where functions wait.
// The replicas are stores of one process, each with its own connections; they and
// Postgres share the processors of this machine.
func BenchmarkReplicas(b *testing.B) {
	for _, work := range []struct {
		name   string
		takes  time.Duration
		events int
	}{{"no-work", 0, 30_000}, {"50ms", 50 * time.Millisecond, 1_000}} {
		for _, target := range []string{"bench", "topic:bench"} {
			for replicas := 1; replicas <= 3; replicas++ {
				b.Run(fmt.Sprintf("%s/%s/replicas=%d", work.name, target, replicas), func(b *testing.B) {
					var took time.Duration
					for b.Loop() {
						took += share(b, target, replicas, work.events, work.takes)
					}
					b.ReportMetric(float64(work.events*b.N)/took.Seconds(), "events/s")
				})
			}
		}
	}
}

// share returns how long it takes until replicas have worked off events, each of
// which takes its function a while.
func share(b *testing.B, target string, replicas, events int, takes time.Duration) time.Duration {
	b.Helper()
	b.StopTimer()
	defer b.StartTimer()
	url := services.Postgres(b)
	backlog(b, url, target, events)
	var left atomic.Int64
	left.Store(int64(events))
	all := make(chan struct{})
	handle := func(context.Context, *outbox.Delivery) error {
		if takes > 0 {
			time.Sleep(takes)
		}
		if left.Add(-1) == 0 {
			close(all)
		}
		return nil
	}
	ctx, stop := context.WithCancel(b.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	begin := time.Now()
	for range replicas {
		s, err := outbox.Open(outbox.Config{URL: url, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
		if err != nil {
			b.Fatal(err)
		}
		c, err := s.Subscribe(outbox.Subscription{Target: target, Trigger: "bench", Function: "bench", Concurrency: 8, Retry: outbox.DefaultRetry(), Handle: handle})
		if err != nil {
			b.Fatal(err)
		}
		running.Go(func() { errorUnlessStopped(b, s.Run(ctx)) })
		running.Go(func() { errorUnlessStopped(b, c.Run(ctx)) })
	}
	<-all
	return time.Since(begin)
}

func errorUnlessStopped(b *testing.B, err error) {
	if err != nil && b.Context().Err() == nil {
		b.Log(err) // how a store ends that is told to
	}
}

// backlog publishes an event as everybody does, and copies it.
func backlog(b *testing.B, url, target string, events int) {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(b.Context())
	if err := outbox.Migrate(b.Context(), conn, outbox.DefaultSchema); err != nil {
		b.Fatal(err)
	}
	if err := pgx.BeginFunc(b.Context(), conn, func(tx pgx.Tx) error { return outbox.Publish(b.Context(), tx, target, "an order of a customer") }); err != nil {
		b.Fatal(err)
	}
	if _, err := conn.Exec(b.Context(), `insert into fairlead.delivery (queue, rank, event_id, header, data)
		select queue, rank, event_id || i, header, data from fairlead.delivery, generate_series(2, $1) i`, events); err != nil {
		b.Fatal(err)
	}
	if _, err := conn.Exec(b.Context(), "vacuum analyze fairlead.delivery"); err != nil {
		b.Fatal(err)
	}
}
