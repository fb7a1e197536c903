package dashboard

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/admin"
)

func statusWith(started time.Time, done, failed uint64) admin.Status {
	return admin.Status{
		Started:  started,
		Triggers: []admin.TriggerStatus{{Name: "orders", Succeeded: done, Failed: failed}},
		Calls:    []admin.CallStatus{{Kind: admin.KindFunction, Name: "f", Succeeded: done, Panicked: failed}, {Kind: admin.KindBinding, Name: "b", Succeeded: 9}},
	}
}

func TestRatesAreOfTheTimeBetweenLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		var h history
		time.Sleep(10 * time.Second)
		h.add(statusWith(started, 50, 0)) // 5/s since the start
		h.add(statusWith(started, 999, 9))
		time.Sleep(2 * time.Second)
		h.add(statusWith(started, 150, 4)) // 50/s; the sample before was too early to count
		time.Sleep(100 * time.Second)      // nobody looked
		h.add(statusWith(started, 350, 4)) // 2/s
		time.Sleep(2 * time.Second)
		h.add(statusWith(started, 10, 0)) // the counter began again
		for _, key := range []string{"trigger/orders", "function/f", everything} {
			var got []float64
			for _, r := range h.rates(key) {
				got = append(got, r.Done)
			}
			if len(got) != 4 || got[0] != 5 || got[1] != 50 || got[2] != 2 || got[3] != 5 {
				t.Errorf("%q: got rates %v, want 5, 50, 2, 5", key, got)
			}
		}
		if r := h.rates("trigger/orders"); r[1].Failed != 2 {
			t.Errorf("got %v failures a second, want 2", r[1].Failed)
		}
		if r := h.rates("trigger/absent"); r[1].Done != 0 {
			t.Errorf("a trigger that is not there: got %v", r)
		}
	})
}

func TestHistoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h history
		for n := range uint64(1000) {
			h.add(statusWith(time.Now(), n, 0))
			time.Sleep(historyEvery)
		}
		if n := len(h.samples); n < historyMost || n > historyMost+2 {
			t.Errorf("got %d samples, want about %d", n, historyMost)
		}
		if rates := h.rates(everything); time.Since(rates[0].Since) > historyFor+2*historyEvery {
			t.Errorf("the oldest is of %v ago", time.Since(rates[0].Since))
		}
	})
}

func TestPlot(t *testing.T) {
	now := time.Now()
	p := plot{Name: `a"<b>`, now: now, Rates: []rate{{At: now.Add(-time.Minute), Since: now.Add(-2 * time.Minute), Done: 4}, {At: now, Since: now.Add(-time.Minute), Done: 2, Failed: 1}}}
	svg := string(p.SVG())
	for _, want := range []string{`aria-label="a&#34;&lt;b&gt; over the last 5 minutes: now 2 a second, at most 4"`, `d="M0.0 2.0L150.0 2.0L300.0 20.5"`, `class="plot-area"`} {
		if !strings.Contains(svg, want) {
			t.Errorf("got %s\nwant %s", svg, want)
		}
	}
	if svg := string(plot{now: now}.SVG()); strings.Contains(svg, "<path") {
		t.Errorf("nothing is known: got %s", svg)
	}
	p.Failed = true
	if p.Last() != 1 || p.Highest() != 1 {
		t.Errorf("failures: got %v, at most %v", p.Last(), p.Highest())
	}
}
