// Package tracing records spans by OpenTelemetry and sends them to a collector,
// as the environment variables of OpenTelemetry say.
//
// The interfaces are those of the OpenTelemetry project, so that a function can
// use its API, or a library that does, and be part of the trace. What is behind
// them is our own (docs/decisions/011-spans-are-recorded-here.md): the project's SDK and
// exporter made each program 9 MB larger and start 4 ms later.
package tracing

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// scope is the name under which spans are recorded.
const scope = "github.com/fairlead/fairlead"

// A Tracer records spans. Its methods may be called from any goroutine.
type Tracer struct {
	trace.Tracer
	batches *batches
	client  *http.Client
}

// Open returns a Tracer that sends to the collector that the environment names,
// by OTLP over HTTP in JSON; nil if it names none. What it follows:
//
//   - OTEL_EXPORTER_OTLP_ENDPOINT, as in http://127.0.0.1:4318, or
//     OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, which is the whole URL;
//   - OTEL_EXPORTER_OTLP_HEADERS and OTEL_EXPORTER_OTLP_TRACES_HEADERS: KEY=VALUE
//     pairs with commas between them, values percent-encoded;
//   - OTEL_EXPORTER_OTLP_PROTOCOL and OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, which may
//     only be http/json;
//   - OTEL_SERVICE_NAME (default: the program's name) and OTEL_RESOURCE_ATTRIBUTES;
//   - OTEL_TRACES_SAMPLER, one of always_on, always_off, traceidratio and those with
//     parentbased_ before (default: parentbased_always_on), and
//     OTEL_TRACES_SAMPLER_ARG, the ratio (default 1);
//   - OTEL_BSP_SCHEDULE_DELAY (ms, default 5000), OTEL_BSP_EXPORT_TIMEOUT (ms, 30000),
//     OTEL_BSP_MAX_EXPORT_BATCH_SIZE (512) and OTEL_BSP_MAX_QUEUE_SIZE (2048): so many
//     spans wait, those beyond are dropped;
//   - OTEL_SDK_DISABLED=true and OTEL_TRACES_EXPORTER=none: nothing is recorded.
//
// Spans that the collector does not take are lost, which log says; nothing waits
// for it.
func Open(version string, log *slog.Logger) (*Tracer, error) {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return nil, nil
	}
	to, err := endpoint()
	if to == "" || err != nil {
		return nil, err
	}
	if p := first("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); p != "" && p != "http/json" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL: found %q, expected http/json, which every collector takes where it takes http/protobuf", p)
	}
	headers, err := pairs("OTEL_EXPORTER_OTLP_HEADERS", first("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"))
	if err != nil {
		return nil, err
	}
	about, err := resource(version)
	if err != nil {
		return nil, err
	}
	sampled, err := sampler(os.Getenv("OTEL_TRACES_SAMPLER"), os.Getenv("OTEL_TRACES_SAMPLER_ARG"))
	if err != nil {
		return nil, err
	}
	l, err := limitsOf()
	if err != nil {
		return nil, err
	}
	e := &exporter{url: to, headers: headers, resource: about, client: new(http.Client), log: log}
	p := &provider{sampled: sampled, batches: newBatches(l, e.export)}
	return &Tracer{p.Tracer(scope, trace.WithInstrumentationVersion(version)), p.batches, e.client}, nil
}

// endpoint returns the URL that spans are posted to; empty: none.
func endpoint() (string, error) {
	whole, base := os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")
	if whole == "" && base == "" {
		return "", nil
	}
	name, text := "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", whole
	if whole == "" {
		name, text = "OTEL_EXPORTER_OTLP_ENDPOINT", base
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("%s: expected a URL like http://127.0.0.1:4318", name) // it may hold a password: it is not repeated
	}
	if whole == "" {
		u = u.JoinPath("v1", "traces")
	}
	return u.String(), nil
}

func first(names ...string) string {
	for _, name := range names {
		if v := os.Getenv(name); v != "" {
			return v
		}
	}
	return ""
}

// pairs reads what a variable says in the form KEY=VALUE,KEY=VALUE, values
// percent-encoded.
func pairs(variable, text string) (map[string]string, error) {
	all := make(map[string]string)
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, found := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if key = strings.TrimSpace(key); !found || key == "" || err != nil {
			return nil, fmt.Errorf("%s: expected KEY=VALUE pairs with commas between them, values percent-encoded", variable) // they may be secret
		}
		all[key] = value
	}
	return all, nil
}

// resource returns what says whose spans they are.
func resource(version string) (map[string]string, error) {
	about := map[string]string{"service.name": filepath.Base(os.Args[0]), "service.version": version}
	more, err := pairs("OTEL_RESOURCE_ATTRIBUTES", os.Getenv("OTEL_RESOURCE_ATTRIBUTES"))
	if err != nil {
		return nil, err
	}
	maps.Copy(about, more)
	if name := os.Getenv("OTEL_SERVICE_NAME"); name != "" {
		about["service.name"] = name
	}
	return about, nil
}

// sampler returns what decides whether a span is recorded.
func sampler(name, arg string) (func(parent trace.SpanContext, id trace.TraceID) bool, error) {
	kind, ofParent := strings.CutPrefix(cmp.Or(name, "parentbased_always_on"), "parentbased_")
	ratio := 1.0
	switch kind {
	case "always_on":
	case "always_off":
		ratio = 0
	case "traceidratio":
		var err error
		if ratio, err = strconv.ParseFloat(cmp.Or(arg, "1"), 64); err != nil || !(ratio >= 0 && ratio <= 1) {
			return nil, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG: found %q, expected a number from 0 to 1", arg)
		}
	default:
		return nil, fmt.Errorf("OTEL_TRACES_SAMPLER: found %q, expected always_on, always_off, traceidratio, or one of them after parentbased_", name)
	}
	// The same ids as other services choose, whose ratio is the same.
	below := uint64(ratio * (1 << 63))
	return func(parent trace.SpanContext, id trace.TraceID) bool {
		if ofParent && parent.IsValid() {
			return parent.IsSampled()
		}
		return binary.BigEndian.Uint64(id[8:])>>1 < below
	}, nil
}

// limitsOf returns what the environment says of batches.
func limitsOf() (limits, error) {
	l := limits{delay: 5 * time.Second, timeout: 30 * time.Second, waiting: 2048, size: 512}
	for _, v := range []struct {
		name string
		set  func(int)
	}{
		{"OTEL_BSP_SCHEDULE_DELAY", func(n int) { l.delay = time.Duration(n) * time.Millisecond }},
		{"OTEL_BSP_EXPORT_TIMEOUT", func(n int) { l.timeout = time.Duration(n) * time.Millisecond }},
		{"OTEL_BSP_MAX_QUEUE_SIZE", func(n int) { l.waiting = n }},
		{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", func(n int) { l.size = n }},
	} {
		text := os.Getenv(v.name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1<<20 {
			return l, fmt.Errorf("%s: found %q, expected a number from 1 to %d", v.name, text, 1<<20)
		}
		v.set(n)
	}
	return l, nil
}

// Close sends what was recorded, until ctx ends. A nil Tracer has nothing to send.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	defer t.client.CloseIdleConnections()
	return t.batches.close(ctx)
}

var w3c propagation.TraceContext

// Remote returns the span context that headers name by traceparent and tracestate
// (W3C Trace Context); an invalid one if they name none. get returns a header's
// value, or "".
func Remote(get func(name string) string) trace.SpanContext {
	return trace.SpanContextFromContext(w3c.Extract(context.Background(), getter(get)))
}

// Headers returns traceparent, and tracestate if there is one, of ctx's span.
func Headers(ctx context.Context) map[string]string {
	c := make(propagation.MapCarrier)
	w3c.Inject(ctx, c)
	return c
}

type getter func(string) string

func (g getter) Get(name string) string { return g(name) }
func (getter) Set(string, string)       {}
func (getter) Keys() []string           { return nil }
