package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/admin/access"
	"github.com/fairlead/fairlead/framework"
)

// scrape returns the samples of a page that Prometheus' own parser reads, by
// name and labels.
func scrape(t *testing.T, page io.Reader) map[string]float64 {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(page)
	if err != nil {
		t.Fatal(err)
	}
	samples := make(map[string]float64)
	for name, f := range families {
		for _, m := range f.GetMetric() {
			key := name
			for _, l := range m.GetLabel() {
				key += " " + l.GetName() + "=" + l.GetValue()
			}
			samples[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return samples
}

func TestMetrics(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, framework.Functions{
			"work": framework.Sink(func(ctx context.Context, s string) error {
				switch s {
				case "bad":
					return framework.Terminal(errors.New("boom"))
				case "panic":
					panic("boom")
				}
				return framework.Send(ctx, "out", "", s)
			}),
		})
		r.apply(`{version: 1, connections: {m: {type: memory}}, bindings: {out: {connection: m, queue: o}},
			triggers: {in: {connection: m, queue: q, function: work, retry: {attempts: 2}}, web: {http: POST /web, function: work}}}`)
		for _, s := range []string{"a", "b", "bad", "panic"} {
			r.put("q", s)
		}
		pass(time.Minute)
		ask(r.host, "POST", "/web", "c")
		ask(r.host, "POST", "/web", "bad")
		var page bytes.Buffer
		if err := r.WriteMetrics(t.Context(), &page); err != nil {
			t.Fatal(err)
		}
		text := page.String()
		got := scrape(t, &page)
		for name, want := range map[string]float64{
			"fairlead_ready":             1,
			"fairlead_config_generation": 1,
			"fairlead_config_refused":    0,
			"fairlead_trigger_received_total trigger=in function=work":      4,
			"fairlead_trigger_succeeded_total trigger=in function=work":     2,
			"fairlead_trigger_failed_total trigger=in function=work":        3,
			"fairlead_trigger_dead_total trigger=in function=work":          2,
			"fairlead_trigger_received_total trigger=web function=work":     2,
			"fairlead_trigger_succeeded_total trigger=web function=work":    1,
			"fairlead_function_calls_total function=work outcome=succeeded": 3,
			"fairlead_function_calls_total function=work outcome=failed":    2,
			"fairlead_function_calls_total function=work outcome=panicked":  2,
			"fairlead_function_duration_seconds function=work":              7,
			"fairlead_function_in_flight function=work":                     0,
			"fairlead_binding_calls_total binding=out outcome=succeeded":    3,
			"fairlead_binding_duration_seconds binding=out":                 3,
			"fairlead_connection_up connection=m":                           1,
			"fairlead_trigger_running trigger=in function=work":             1,
		} {
			if v, ok := got[name]; !ok || v != want {
				t.Errorf("%s: got %v, want %v", name, v, want)
			}
		}
		if t.Failed() {
			t.Log(text)
		}
	})
}

func TestMetricsOfTheStore(t *testing.T) {
	r := newStoreRig(t, framework.Functions{"work": framework.Sink(func(context.Context, string) error { return errors.New("boom") })})
	r.apply(``)
	s, err := r.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ev, err := framework.Data("x")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := s.Publish(t.Context(), "topic:nobody", ev, framework.PublishOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	var page bytes.Buffer
	if err := r.WriteMetrics(t.Context(), &page); err != nil {
		t.Fatal(err)
	}
	got := scrape(t, &page)
	if got["fairlead_topic_depth topic=topic:nobody subscription="] != 3 || got["fairlead_topic_oldest_age_seconds topic=topic:nobody subscription="] <= 0 || got["fairlead_store_up"] != 1 {
		t.Errorf("got %v", got)
	}
}

func TestMetricsHaveAListenerOfTheirOwn(t *testing.T) {
	r := newRig(t, framework.Functions{"work": framework.Sink(func(context.Context, string) error { return nil })})
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := probe.Addr().String()
	cfg := r.parse(fmt.Sprintf(`{version: 1, metrics: {listen: %q}}`, address))
	if err := r.Apply(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	if _, err := r.serveMetrics(cfg, failed); err == nil || !strings.Contains(err.Error(), "serve metrics") {
		t.Errorf("on a port that is taken: got %v", err)
	}
	probe.Close()
	server, err := r.serveMetrics(cfg, failed)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for path, want := range map[string]int{"/metrics": 200, "/": 404, "/api/v1/status": 404} {
		resp, err := http.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != want {
			t.Errorf("%s: got %d, want %d", path, resp.StatusCode, want)
		}
		if want == 200 && (scrape(t, resp.Body)["fairlead_ready"] != 1 || resp.Header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8") {
			t.Errorf("%s: got %v", path, resp.Header)
		}
		resp.Body.Close()
	}
}

func TestTheManagementAPIHasMetricsBehindItsToken(t *testing.T) {
	r := newRig(t, framework.Functions{"work": framework.Sink(func(context.Context, string) error { return nil })})
	api := admin.Handler(r.Backend(), access.New(access.Options{Token: "secret"}))
	for token, want := range map[string]int{"secret": 200, "other": 401, "": 401} {
		req := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		req.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		api.ServeHTTP(w, req)
		if w.Code != want || want == 200 && scrape(t, w.Body)["fairlead_config_generation"] != 0 {
			t.Errorf("token %q: got %d", token, w.Code)
		}
	}
}

// BenchmarkMeter measures what counting adds to a call.
func BenchmarkMeter(b *testing.B) {
	var m meters
	f := m.wrap("f", func(context.Context, event.Event) (*event.Event, error) { return nil, nil })
	for b.Loop() {
		if _, err := f(b.Context(), event.Event{}); err != nil {
			b.Fatal(err)
		}
	}
}
