package tracing

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// A collector stands for one: it keeps what was posted and answers as told.
type collector struct {
	answer func(n int, w http.ResponseWriter) // n counts from 1; nil: 200

	mu       sync.Mutex
	requests []*http.Request
	bodies   [][]byte
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	c.requests, c.bodies = append(c.requests, r), append(c.bodies, body)
	n := len(c.bodies)
	c.mu.Unlock()
	if c.answer != nil {
		c.answer(n, w)
	}
}

func (c *collector) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.bodies)
}

// open returns a Tracer that sends to c.
func open(t *testing.T, c *collector, log *slog.Logger) *Tracer {
	t.Helper()
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL+"/base/")
	tracer, err := Open("1.2.3", log)
	if err != nil || tracer == nil {
		t.Fatalf("Open: %v, %v", tracer, err)
	}
	return tracer
}

func TestSpans(t *testing.T) {
	t.Setenv("OTEL_SERVICE_NAME", "orders")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=s%20cret, x = y")
	c := new(collector)
	tracer := open(t, c, slog.New(slog.DiscardHandler))

	sender := Remote(func(name string) string {
		return map[string]string{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "vendor=1"}[name]
	})
	ctx, parent := tracer.Start(trace.ContextWithRemoteSpanContext(t.Context(), sender), "process orders",
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithLinks(trace.Link{SpanContext: sender}),
		trace.WithAttributes(attribute.String("s", "text"), attribute.Int("i", -1<<62), attribute.Bool("b", true),
			attribute.Float64("f", 1.5), attribute.StringSlice("l", []string{"a", "b"})))
	_, child := tracer.Start(ctx, "send out", trace.WithSpanKind(trace.SpanKindProducer))
	child.AddEvent("again")
	child.SetStatus(codes.Error, "refused")
	child.End()
	parent.End()
	if err := tracer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}

	if c.count() != 1 {
		t.Fatalf("got %d requests, want 1", c.count())
	}
	r := c.requests[0]
	got := []string{r.Method, r.URL.Path, r.Header.Get("Content-Type"), r.Header.Get("api-key"), r.Header.Get("x")}
	if diff := cmp.Diff([]string{"POST", "/base/v1/traces", "application/json", "s cret", "y"}, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	var sent traces
	if err := json.Unmarshal(c.bodies[0], &sent); err != nil {
		t.Fatal(err)
	}
	resource := make(map[string]any)
	for _, a := range sent.ResourceSpans[0].Resource.Attributes {
		resource[a.Key] = a.Value["stringValue"]
	}
	if diff := cmp.Diff(map[string]any{"service.name": "orders", "service.version": "1.2.3", "deployment.environment.name": "test"}, resource); diff != "" {
		t.Errorf("resource (-want +got):\n%s", diff)
	}
	spans := sent.ResourceSpans[0].ScopeSpans[0].Spans // in the order of their ends
	for i, want := range []struct {
		name, parent, state string
		kind                int
		flags               uint32
		status              *status
	}{
		{"send out", spans[1].SpanID, "vendor=1", 4, 0x101, &status{"refused", 2}},
		{"process orders", "00f067aa0ba902b7", "vendor=1", 5, 0x301, nil},
	} {
		s := spans[i]
		if s.Name != want.name || s.ParentSpanID != want.parent || s.TraceState != want.state || s.Kind != want.kind || s.Flags != want.flags || !cmp.Equal(s.Status, want.status) ||
			s.TraceID != "4bf92f3577b34da6a3ce929d0e0e4736" || s.Start == 0 || s.End < s.Start {
			t.Errorf("got span %+v, want %+v", s, want)
		}
	}
	if len(spans[0].Events) != 1 || spans[0].Events[0].Name != "again" || len(spans[1].Links) != 1 || spans[1].Links[0].SpanID != "00f067aa0ba902b7" {
		t.Errorf("got events %v and links %v", spans[0].Events, spans[1].Links)
	}
	values, _ := json.Marshal(spans[1].Attributes)
	want := `[{"key":"s","value":{"stringValue":"text"}},{"key":"i","value":{"intValue":"-4611686018427387904"}},{"key":"b","value":{"boolValue":true}},` +
		`{"key":"f","value":{"doubleValue":1.5}},{"key":"l","value":{"arrayValue":{"values":[{"stringValue":"a"},{"stringValue":"b"}]}}}]`
	if string(values) != want {
		t.Errorf("got attributes %s\nwant %s", values, want)
	}
}

func TestHeaders(t *testing.T) {
	tracer := open(t, new(collector), slog.New(slog.DiscardHandler))
	ctx, span := tracer.Start(t.Context(), "x")
	defer span.End()
	got := Headers(ctx)["traceparent"]
	if want := "00-" + span.SpanContext().TraceID().String() + "-" + span.SpanContext().SpanID().String() + "-01"; got != want {
		t.Errorf("got traceparent %q, want %q", got, want)
	}
	if c := Remote(func(string) string { return "00-nonsense" }); c.IsValid() {
		t.Errorf("nonsense became %v", c)
	}
}

// What the collector answers decides what becomes of the spans, and is said once.
func TestAnswers(t *testing.T) {
	respond := func(status int) func(int, http.ResponseWriter) {
		return func(n int, w http.ResponseWriter) {
			if n == 1 {
				w.WriteHeader(status)
			}
		}
	}
	for _, c := range []struct {
		name     string
		answer   func(int, http.ResponseWriter)
		requests int
		logged   string
	}{
		{"taken", nil, 1, ""},
		{"busy, then taken", respond(503), 2, ""},
		{"slow down", respond(429), 2, ""},
		{"refused", respond(400), 1, "it answered 400 Bad Request"},
		{"not what it seems", respond(404), 1, "it answered 404 Not Found"},
		{"a part", func(_ int, w http.ResponseWriter) {
			io.WriteString(w, `{"partialSuccess":{"rejectedSpans":"1","errorMessage":"too long"}}`)
		}, 1, "it refused 1 spans: too long"},
		{"only a warning", func(_ int, w http.ResponseWriter) { io.WriteString(w, `{"partialSuccess":{"errorMessage":"soon"}}`) }, 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			to := &collector{answer: c.answer}
			tracer := open(t, to, slog.New(slog.NewTextHandler(&log, nil)))
			_, span := tracer.Start(t.Context(), "x")
			span.End()
			if err := tracer.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if to.count() != c.requests {
				t.Errorf("got %d requests, want %d", to.count(), c.requests)
			}
			if got := log.String(); !strings.Contains(got, c.logged) || c.logged == "" && got != "" {
				t.Errorf("logged %q, want %q", got, c.logged)
			}
		})
	}
}

// While there is no collector, spans are lost and nothing waits; one line says so.
func TestNoCollector(t *testing.T) {
	var log bytes.Buffer
	e := &exporter{url: "http://127.0.0.1:1/v1/traces", client: new(http.Client), log: slog.New(slog.NewTextHandler(&log, nil))}
	for range 3 {
		e.export(t.Context(), nil)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("logged %d lines, want 1:\n%s", n, log.String())
	}
}

// A collector that stays busy is asked less and less often, until the time is up.
func TestBusyCollector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		e := &exporter{url: "http://collector", client: &http.Client{Transport: roundTrip(func(*http.Request) *http.Response {
			n++
			return &http.Response{StatusCode: 503, Body: http.NoBody, Header: http.Header{"Retry-After": {"4"}}}
		})}}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if err := e.deliver(ctx, nil); err == nil {
			t.Error("got no error")
		}
		if n < 4 || n > 8 {
			t.Errorf("asked %d times in 30 s, want at most every 4 s", n)
		}
	})
}

type roundTrip func(*http.Request) *http.Response

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

func TestOpen(t *testing.T) {
	const base = "OTEL_EXPORTER_OTLP_ENDPOINT"
	for _, c := range []struct {
		name   string
		env    map[string]string
		opens  bool
		refuse string
	}{
		{"nothing asks for it", nil, false, ""},
		{"switched off", map[string]string{base: "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}, false, ""},
		{"no exporter", map[string]string{base: "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"}, false, ""},
		{"whole URL", map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://127.0.0.1:1/x"}, true, ""},
		{"not a URL", map[string]string{base: "127.0.0.1:4318"}, false, base + ": expected a URL"},
		{"gRPC", map[string]string{base: "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, `found "grpc", expected http/json`},
		{"unknown sampler", map[string]string{base: "http://127.0.0.1:1", "OTEL_TRACES_SAMPLER": "jaeger_remote"}, false, `OTEL_TRACES_SAMPLER: found "jaeger_remote"`},
		{"bad ratio", map[string]string{base: "http://127.0.0.1:1", "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "10"}, false, `OTEL_TRACES_SAMPLER_ARG: found "10"`},
		{"bad delay", map[string]string{base: "http://127.0.0.1:1", "OTEL_BSP_SCHEDULE_DELAY": "5s"}, false, `OTEL_BSP_SCHEDULE_DELAY: found "5s"`},
		{"bad resource", map[string]string{base: "http://127.0.0.1:1", "OTEL_RESOURCE_ATTRIBUTES": "test"}, false, "OTEL_RESOURCE_ATTRIBUTES: expected KEY=VALUE"},
		{"bad headers", map[string]string{base: "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_HEADERS": "secret"}, false, "expected KEY=VALUE pairs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			tracer, err := Open("1", slog.New(slog.DiscardHandler))
			if (tracer != nil) != c.opens || (err != nil) != (c.refuse != "") || err != nil && !strings.Contains(err.Error(), c.refuse) {
				t.Errorf("got %v, %v", tracer, err)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells what may be secret: %v", err)
			}
			tracer.Close(t.Context())
		})
	}
}
