package metrics_test

import (
	"bytes"
	"math"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/fairlead/fairlead/metrics"
)

// parse reads a page with Prometheus' own parser.
func parse(t *testing.T, p *metrics.Page) map[string]*dto.MetricFamily {
	t.Helper()
	var b bytes.Buffer
	n, err := p.WriteTo(&b)
	if err != nil || n != int64(b.Len()) {
		t.Fatalf("wrote %d bytes of %d, %v", n, b.Len(), err)
	}
	text := b.String()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(&b)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return families
}

func TestAPage(t *testing.T) {
	var p metrics.Page
	p.Counter("a_total", "what\nand \\ why", 1e15, "x", "1")
	p.Gauge("b", "b's", math.Inf(1))
	p.Counter("a_total", "another help", 2, "x", "q\"\\\nä\xff", "y", "")
	families := parse(t, &p)
	a := families["a_total"]
	if a.GetHelp() != "what\nand \\ why" || a.GetType() != dto.MetricType_COUNTER || len(a.GetMetric()) != 2 {
		t.Errorf("got %v", a)
	}
	if m := a.GetMetric()[0]; m.GetCounter().GetValue() != 1e15 || m.GetLabel()[0].GetValue() != "1" {
		t.Errorf("got %v", m)
	}
	if m := a.GetMetric()[1]; m.GetCounter().GetValue() != 2 || m.GetLabel()[0].GetValue() != "q\"\\\nä\uFFFD" || m.GetLabel()[1].GetName() != "y" {
		t.Errorf("got %v", m)
	}
	if v := families["b"].GetMetric()[0].GetGauge().GetValue(); !math.IsInf(v, 1) {
		t.Errorf("got %v", v)
	}
}

func TestHistogram(t *testing.T) {
	var h metrics.Histogram
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, d := range []time.Duration{-1, 0, time.Millisecond, time.Millisecond + 1, time.Hour} {
				h.Observe(d)
			}
		})
	}
	wg.Wait()
	var p metrics.Page
	p.Histogram("d_seconds", "how long", &h, "f", "x")
	got := parse(t, &p)["d_seconds"].GetMetric()[0].GetHistogram()
	if got.GetSampleCount() != 20 || math.Abs(got.GetSampleSum()-4*(3600+0.002)) > 1e-3 {
		t.Errorf("got count %d, sum %v", got.GetSampleCount(), got.GetSampleSum())
	}
	for _, b := range got.GetBucket() {
		want := map[float64]uint64{0.0001: 8, 0.001: 12, 0.0025: 16, 60: 16, math.Inf(1): 20}
		if n, ok := want[b.GetUpperBound()]; ok && b.GetCumulativeCount() != n {
			t.Errorf("up to %v: got %d, want %d", b.GetUpperBound(), b.GetCumulativeCount(), n)
		}
	}
}

func BenchmarkObserve(b *testing.B) {
	var h metrics.Histogram
	for b.Loop() {
		h.Observe(20 * time.Millisecond)
	}
}
