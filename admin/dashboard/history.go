package dashboard

import (
	"sync"
	"time"

	"github.com/fairlead/fairlead/admin"
)

// How much of the past is kept.
const (
	historyFor   = 5 * time.Minute
	historyLeast = 30 * time.Second // what a picture shows at least
	historyEvery = liveEvery
	historyMost  = int(historyFor/historyEvery) + 1
)

// history keeps the counters of the last minutes, from which rates are made.
// It is filled when somebody looks: counters only grow, so the rate over a time
// when nobody did is its mean.
type history struct {
	mu      sync.Mutex
	samples []sample // the oldest first
}

// A sample is the counters at one time, by what they count, such as
// "trigger/orders".
type sample struct {
	at     time.Time
	counts map[string]counts
}

type counts struct{ done, failed uint64 }

// everything is the key of the sum over all triggers.
const everything = ""

// add takes a sample, unless the last one is young.
func (h *history) add(s admin.Status) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if n := len(h.samples); n > 0 && now.Sub(h.samples[n-1].at) < historyEvery-historyEvery/10 {
		return
	}
	if len(h.samples) == 0 { // all counters began at 0
		h.samples = append(h.samples, sample{at: s.Started})
	}
	h.samples = append(h.samples, sample{now, count(s)})
	for len(h.samples) > historyMost+1 || len(h.samples) > 2 && now.Sub(h.samples[1].at) > historyFor {
		h.samples = h.samples[1:]
	}
}

// count returns the counters of a status.
func count(s admin.Status) map[string]counts {
	all := make(map[string]counts, len(s.Triggers)+len(s.Calls)+1)
	var sum counts
	for _, t := range s.Triggers {
		all["trigger/"+t.Name] = counts{t.Succeeded, t.Failed}
	}
	for _, c := range s.Calls {
		n := counts{c.Succeeded, c.Failed + c.Unavailable + c.Panicked}
		all[c.Kind+"/"+c.Name] = n
		if c.Kind == admin.KindFunction {
			sum.done += n.done
			sum.failed += n.failed
		}
	}
	all[everything] = sum
	return all
}

// A rate is how much was done per second until At, since the rate before it.
type rate struct {
	At           time.Time
	Since        time.Time
	Done, Failed float64
}

// rates returns how much was done of something over the last minutes, the oldest
// first.
func (h *history) rates(key string) []rate {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []rate
	for i := 1; i < len(h.samples); i++ {
		before, now := h.samples[i-1], h.samples[i]
		seconds := now.at.Sub(before.at).Seconds()
		if seconds <= 0 {
			continue
		}
		a, b := before.counts[key], now.counts[key]
		all = append(all, rate{now.at, before.at, grown(a.done, b.done) / seconds, grown(a.failed, b.failed) / seconds})
	}
	return all
}

// grown returns by how much a counter has grown that may have begun again at 0.
func grown(before, now uint64) float64 {
	if now < before {
		return float64(now)
	}
	return float64(now - before)
}
