package collector

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/host"
	"github.com/fairlead/fairlead/test/services"
)

// limit is how long anything may take on a slow machine.
const limit = 30 * time.Second

// receive starts the collector's OTLP receiver, makes hosts send to it, and
// returns what it took.
func receive(t *testing.T) *consumertest.TracesSink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	factory := otlpreceiver.NewFactory()
	cfg := factory.CreateDefaultConfig().(*otlpreceiver.Config)
	http := *cfg.Protocols.HTTP.GetOrInsertDefault()
	http.ServerConfig.NetAddr.Endpoint = address
	cfg.Protocols.HTTP = configoptional.Some(http)
	sink := new(consumertest.TracesSink)
	r, err := factory.CreateTraces(t.Context(), receivertest.NewNopSettings(factory.Type()), cfg, sink)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+address)
	t.Setenv("OTEL_SERVICE_NAME", "orders")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
	return sink
}

const sender = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// An order goes by HTTP to a function, through a broker to the next, which fails
// once, through the outbox to a third, and in a transaction to the broker again:
// one trace, that of whoever sent the request.
func TestOneTrace(t *testing.T) {
	artemis, postgres := services.Artemis(t), services.Postgres(t)
	sink := receive(t)
	queue := fmt.Sprintf("trace.%d", time.Now().UnixNano())
	var tries atomic.Int32
	last := make(chan event.Event, 1)
	h := host.New(framework.Functions{
		"first": framework.Sink(func(ctx context.Context, data string) error { return framework.Send(ctx, "out", queue+".a", data) }),
		"second": framework.Sink(func(ctx context.Context, data string) error {
			if tries.Add(1) == 1 {
				return errors.New("not yet")
			}
			return framework.Publish(ctx, "third", data)
		}),
		"third": framework.Transactional(func(ctx context.Context, _ pgx.Tx, data string) error {
			return framework.Send(ctx, "out", queue+".b", data)
		}),
		"fourth": framework.Sink(func(_ context.Context, in event.Event) error {
			last <- in
			return nil
		}),
	})
	file := filepath.Join(t.TempDir(), "fairlead.yaml")
	document := fmt.Sprintf(`version: 1
store: {url: %q}
connections:
  b: {type: amqp, url: "amqp://%s", user: %q, password: %q}
triggers:
  start: {http: POST /start, function: first}
  a: {connection: b, queue: %s.a, function: second, retry: {first: 10ms}}
  b: {connection: b, queue: %s.b, function: fourth}
bindings:
  out: {connection: b}
`, postgres, artemis.AMQP, artemis.User, artemis.Password, queue, queue)
	if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context(), map[string]string{"FAIRLEAD_CONFIG": file}); err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequest(http.MethodPost, "/start", strings.NewReader("order"))
	request.Header.Set("Traceparent", sender)
	request.Header.Set("Content-Type", "text/plain")
	answer := httptest.NewRecorder()
	h.Handle(answer, request)
	if answer.Code != http.StatusNoContent {
		t.Fatalf("got %d: %s", answer.Code, answer.Body)
	}
	var end event.Event
	select {
	case end = <-last:
	case <-time.After(limit):
		t.Fatal("the order did not reach the last function")
	}
	if err := h.Stop(t.Context()); err != nil { // which sends the rest
		t.Fatal(err)
	}

	got := tree(t, sink, "00f067aa0ba902b7")
	want := []string{
		"server POST 204",
		"  internal first start",
		"    producer send " + queue + ".a",
		"      consumer process " + queue + ".a attempt 1 error: not yet",
		"      consumer process " + queue + ".a attempt 2",
		"        producer publish third",
		"          consumer process third attempt 1",
		"            producer send " + queue + ".b",
		"              consumer process " + queue + ".b attempt 1",
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got the trace\n%s\nwant\n%s", g, w)
	}
	if parent, _ := end.Extensions()["traceparent"].(string); !strings.HasPrefix(parent, sender[:36]) {
		t.Errorf("the last message has traceparent %q, want one of %s", parent, sender[:36])
	}
}

// tree returns the spans of the trace below a span, in the order of their starts,
// each indented below its parent. All spans must be in it.
func tree(t *testing.T, sink *consumertest.TracesSink, root string) []string {
	t.Helper()
	children := make(map[string][]ptrace.Span)
	n := 0
	for _, batch := range sink.AllTraces() {
		for _, rs := range batch.ResourceSpans().All() {
			if name, _ := rs.Resource().Attributes().Get("service.name"); name.Str() != "orders" {
				t.Errorf("got spans of the service %q", name.Str())
			}
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					if s.TraceID().String() != sender[3:35] {
						t.Errorf("span %s is in another trace", s.Name())
					}
					parent := s.ParentSpanID().String()
					children[parent] = append(children[parent], s)
					n++
				}
			}
		}
	}
	var lines []string
	var walk func(parent, indent string)
	walk = func(parent, indent string) {
		below := children[parent]
		slices.SortStableFunc(below, func(a, b ptrace.Span) int { return cmp.Compare(a.StartTimestamp(), b.StartTimestamp()) })
		for _, s := range below {
			lines = append(lines, indent+describe(t, s))
			walk(s.SpanID().String(), indent+"  ")
		}
	}
	walk(root, "")
	if len(lines) != n {
		data, _ := json.Marshal(lines)
		t.Errorf("%d spans came, of which these are below the request: %s", n, data)
	}
	return lines
}

func describe(t *testing.T, s ptrace.Span) string {
	t.Helper()
	text := strings.ToLower(s.Kind().String()) + " " + s.Name()
	a := s.Attributes()
	switch s.Kind() {
	case ptrace.SpanKindServer:
		status, _ := a.Get("http.response.status_code")
		text += fmt.Sprintf(" %d", status.Int())
	case ptrace.SpanKindConsumer:
		attempt, _ := a.Get("fairlead.attempt")
		text += fmt.Sprintf(" attempt %d", attempt.Int())
		if s.Links().Len() != 1 || s.Links().At(0).SpanID() != s.ParentSpanID() {
			t.Errorf("span %s is not linked to its sender", s.Name())
		}
		fallthrough
	case ptrace.SpanKindProducer:
		for _, key := range []string{"messaging.system", "messaging.destination.name", "messaging.operation.name", "messaging.operation.type"} {
			if v, _ := a.Get(key); v.Str() == "" {
				t.Errorf("span %s has no %s", s.Name(), key)
			}
		}
	case ptrace.SpanKindInternal:
		trigger, _ := a.Get("fairlead.trigger")
		text += " " + trigger.Str()
	}
	if s.Status().Code() == ptrace.StatusCodeError {
		text += " error: " + s.Status().Message()
	}
	return text
}
