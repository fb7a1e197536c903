package outbox

import (
	"bytes"
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/framework"
)

// A contender is one of several ways to do the same, compared in one run.
type contender struct {
	name string
	do   func() error
}

// compare lets the contenders take turns of a few milliseconds, with several
// goroutines each, and reports their rates and the median of their ratios to
// the first.
func compare(b *testing.B, parallel int, contenders ...contender) {
	const turn = 60 * time.Millisecond
	rates := make([][]float64, len(contenders))
	for b.Loop() {
		for i, c := range contenders {
			rates[i] = append(rates[i], rate(b, parallel, turn, c.do))
		}
	}
	for i, c := range contenders {
		ratios := make([]float64, len(rates[i]))
		for j := range ratios {
			ratios[j] = rates[i][j] / rates[0][j]
		}
		b.ReportMetric(median(rates[i]), c.name+"/s")
		if i > 0 {
			b.ReportMetric(median(ratios), c.name+":"+contenders[0].name)
		}
	}
}

func rate(b *testing.B, parallel int, turn time.Duration, do func() error) float64 {
	ctx, cancel := context.WithTimeout(b.Context(), turn)
	defer cancel()
	var wg sync.WaitGroup
	counts := make([]int, parallel)
	start := time.Now()
	for i := range parallel {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := do(); err != nil {
					b.Error(err)
					return
				}
				counts[i]++
			}
		})
	}
	wg.Wait()
	n := 0
	for _, c := range counts {
		n += c
	}
	return float64(n) / time.Since(start).Seconds()
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

func BenchmarkEnqueue(b *testing.B) {
	pool := migrated(b)
	data := bytes.Repeat([]byte("x"), 256)
	ctx := b.Context()
	if _, err := pool.Exec(ctx, `create table raw (id bigint generated always as identity primary key, queue text not null, state text not null default 'new', attempt int not null default 0, header jsonb not null, body bytea not null, created_at timestamptz not null default now())`); err != nil {
		b.Fatal(err)
	}
	in := func(f func(tx pgx.Tx) error) func() error {
		return func() error { return pgx.BeginFunc(ctx, pool, f) }
	}
	compare(b, 4,
		contender{"raw", in(func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `insert into raw (queue, header, body) values ($1, $2::text::jsonb, $3)`, "q", `{"source":"/a/b","type":"fairlead.message"}`, data)
			return err
		})},
		contender{"publish", in(func(tx pgx.Tx) error { return Publish(ctx, tx, "my.target", data) })},
		contender{"publish-once", in(func(tx pgx.Tx) error {
			return Publish(ctx, tx, "my.target", data, framework.ID(rand.Text()))
		})},
	)
}
