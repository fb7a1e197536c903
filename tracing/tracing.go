// Package tracing records spans by OpenTelemetry and sends them to a collector,
// as the environment variables of OpenTelemetry say.
//
// The exporter is our own: the one of the OpenTelemetry project brings gRPC
// along, which made each program 8 MB larger and start 4 ms later.
package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// scope is the name under which spans are recorded.
const scope = "github.com/fairlead/fairlead"

// A Tracer records spans. Its methods may be called from any goroutine.
type Tracer struct {
	trace.Tracer
	provider *sdk.TracerProvider
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
//   - OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG (default: parentbased_always_on);
//   - OTEL_BSP_SCHEDULE_DELAY and the like; at most OTEL_BSP_MAX_QUEUE_SIZE (2048)
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
	headers, err := headersOf(first("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"))
	if err != nil {
		return nil, err
	}
	about, err := resource.New(context.Background(),
		resource.WithAttributes(attribute.String("service.name", filepath.Base(os.Args[0])), attribute.String("service.version", version)),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	provider := sdk.NewTracerProvider(sdk.WithResource(about), sdk.WithBatcher(newExporter(to, headers, log)))
	return &Tracer{provider.Tracer(scope, trace.WithInstrumentationVersion(version)), provider}, nil
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

func headersOf(text string) (map[string]string, error) {
	all := make(map[string]string)
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, found := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if key = strings.TrimSpace(key); !found || key == "" || err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_HEADERS: expected KEY=VALUE pairs with commas between them, values percent-encoded")
		}
		all[key] = value
	}
	return all, nil
}

// Close sends what was recorded, until ctx ends. A nil Tracer has nothing to send.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
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
