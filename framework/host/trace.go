package host

import (
	"context"
	"maps"
	"net/http"

	"github.com/cloudevents/sdk-go/v2/event"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/tracing"
)

// Spans are named and described as OpenTelemetry's semantic conventions for
// messaging and HTTP say (version 1.37), where those have a word.

// openTracer begins to record spans, if the environment asks for it.
func (h *host) openTracer() error {
	var err error
	h.tracer, err = tracing.Open(Version(), h.log)
	return err
}

// traced returns f, each call of which is a span.
func (h *host) traced(name string, f framework.Handler) framework.Handler {
	if f == nil {
		return nil
	}
	return func(ctx context.Context, in event.Event) (out *event.Event, err error) {
		if h.tracer == nil {
			return f(ctx, in)
		}
		ctx, span := h.startCall(ctx, name, in)
		returned := false
		defer func() {
			if !returned {
				span.SetStatus(codes.Error, "panic")
			}
			span.End()
		}()
		out, err = f(ctx, in)
		returned = true
		note(span, err)
		return out, err
	}
}

// note says on a span that it failed.
func note(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
}

// startCall begins the span of a call. It belongs to the request or the function
// that calls; a message's, to the trace of whoever sent it, with a link to it.
func (h *host) startCall(ctx context.Context, function string, in event.Event) (context.Context, trace.Span) {
	attrs := []attribute.KeyValue{attribute.String("fairlead.function", function), attribute.String("cloudevents.event_id", in.ID()),
		attribute.String("cloudevents.event_source", in.Source()), attribute.String("cloudevents.event_type", in.Type())}
	var o *framework.Origin
	if inv := framework.FromContext(ctx); inv != nil && inv.Parent == nil {
		o = inv.Source
	}
	if o != nil && o.Trigger != "" {
		attrs = append(attrs, attribute.String("fairlead.trigger", o.Trigger), attribute.Int("fairlead.attempt", o.Attempt))
	}
	if trace.SpanContextFromContext(ctx).IsValid() || o == nil {
		return h.tracer.Start(ctx, function, trace.WithAttributes(attrs...))
	}
	attrs = append(attrs, messaging("process", h.systemOf(o.Connection), o.Destination)...)
	if o.Deliveries > 0 {
		attrs = append(attrs, attribute.Int("fairlead.deliveries", o.Deliveries))
	}
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(attrs...)}
	if sender := tracing.Remote(extensionsOf(in)); sender.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, sender)
		options = append(options, trace.WithLinks(trace.Link{SpanContext: sender}))
	}
	return h.tracer.Start(ctx, "process "+o.Destination, options...)
}

// extensionsOf returns what reads in's extensions that are texts.
func extensionsOf(in event.Event) func(string) string {
	return func(name string) string {
		if in.Context == nil {
			return ""
		}
		s, _ := in.Extensions()[name].(string)
		return s
	}
}

// storeSystem is the messaging system of what goes through the store.
const storeSystem = "fairlead"

// systemOf is the messaging system behind a connection: the type it is configured
// with, as the brokers themselves do not say what they are.
func (h *host) systemOf(connection string) string {
	if connection == "" {
		return storeSystem
	}
	return h.config.Load().Connections[connection].Type
}

func messaging(operation, system, destination string) []attribute.KeyValue {
	kind := operation
	if operation == "publish" {
		kind = "send"
	}
	return []attribute.KeyValue{
		attribute.String("messaging.operation.name", operation), attribute.String("messaging.operation.type", kind),
		attribute.String("messaging.system", system), attribute.String("messaging.destination.name", destination),
	}
}

// tracedSend makes send hand over ev and header in a span that the receiver can
// find: what has no traceparent gets that of the span.
func (h *host) tracedSend(ctx context.Context, operation, system, destination string, ev event.Event, header map[string]any,
	send func(context.Context, event.Event, map[string]any) error) error {
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(messaging(operation, system, destination)...)}
	before := tracing.Remote(extensionsOf(ev))
	if before.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: before}))
	}
	ctx, span := h.tracer.Start(ctx, operation+" "+destination, options...)
	defer span.End()
	if !before.IsValid() {
		ev, header = withTrace(ctx, ev, header)
	}
	err := send(ctx, ev, header)
	note(span, err)
	return err
}

// withTrace adds ctx's span to an event, or to the headers of plain data, unless
// there is one.
func withTrace(ctx context.Context, ev event.Event, header map[string]any) (event.Event, map[string]any) {
	own := tracing.Headers(ctx)
	if !framework.Plain(ev) {
		ev = ev.Clone()
		for name, value := range own {
			ev.SetExtension(name, value)
		}
		return ev, header
	}
	if header["traceparent"] != nil {
		return ev, header
	}
	all := maps.Clone(header)
	if all == nil {
		all = make(map[string]any, len(own))
	}
	for name, value := range own {
		all[name] = value
	}
	return ev, all
}

// traceRequest begins the span of a request, in the trace of whoever sent it.
func (h *host) traceRequest(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request, func()) {
	ctx := r.Context()
	if sender := tracing.Remote(r.Header.Get); sender.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, sender)
	}
	ctx, span := h.tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", r.Method), attribute.String("url.path", r.URL.Path)))
	answer := &tracedAnswer{ResponseWriter: w, status: http.StatusOK}
	return answer, r.WithContext(ctx), func() {
		span.SetAttributes(attribute.Int("http.response.status_code", answer.status))
		if answer.status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// A tracedAnswer remembers its status.
type tracedAnswer struct {
	http.ResponseWriter
	status int
}

func (a *tracedAnswer) WriteHeader(status int) {
	if status >= http.StatusOK { // not one that another follows
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for [http.ResponseController].
func (a *tracedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
