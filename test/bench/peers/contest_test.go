package peers

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"testing"
	"time"
)

// payload is the data of every event.
var payload = bytes.Repeat([]byte("x"), 256)

const grace = 30 * time.Second

// A contestant does the same as the others of a contest, in its own way.
type contestant struct {
	name  string
	round func() float64 // prepares and runs one round, and returns its events per second
}

// rates are the rounds of each contestant.
type rates map[string][]float64

// contest lets the contestants take turns.
func contest(b *testing.B, rounds int, contestants ...contestant) rates {
	r := make(rates)
	for i := range rounds {
		for _, c := range contestants {
			r[c.name] = append(r[c.name], c.round())
		}
		if i < rounds-1 {
			slices.Reverse(contestants)
		}
	}
	for name, v := range r {
		b.ReportMetric(median(v), name+"/s")
	}
	b.ReportMetric(0, "ns/op") // hides a figure that says nothing here
	return r
}

// of is the median of the rounds' ratios of one contestant to another.
func (r rates) of(name, base string) float64 {
	ratios := make([]float64, len(r[name]))
	for i := range ratios {
		ratios[i] = r[name][i] / r[base][i]
	}
	return median(ratios)
}

// atLeast reports a figure beside its target.
func atLeast(b *testing.B, what string, got, want float64) {
	verdict(b, what, got, want, "≥", got >= want)
}

// atMost likewise.
func atMost(b *testing.B, what string, got, want float64) {
	verdict(b, what, got, want, "≤", got <= want)
}

func verdict(b *testing.B, what string, got, want float64, relation string, met bool) {
	word := "met"
	if !met {
		word = "MISSED"
	}
	b.Logf("%s: %.2f, target %s %.2f: %s", what, got, relation, want, word)
	b.ReportMetric(got, what)
}

func median[T float64 | time.Duration](v []T) T { return quantile(v, 0.5) }

func quantile[T float64 | time.Duration](v []T, q float64) T {
	v = slices.Sorted(slices.Values(v))
	return v[min(len(v)-1, int(float64(len(v))*q))]
}

// perSecond calls do from several goroutines for a while and returns how often
// it was done per second.
func perSecond(b *testing.B, goroutines int, turn time.Duration, do func(context.Context) error) float64 {
	b.Helper()
	counts := make([]int, goroutines)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range goroutines {
		wg.Go(func() {
			for time.Since(start) < turn {
				if err := do(b.Context()); err != nil {
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
