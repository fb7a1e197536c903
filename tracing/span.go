package tracing

import (
	"context"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
)

// maxOf is how many attributes, events and links a span keeps, of each: the
// default of OpenTelemetry's specification, "Span Limits". The attributes beyond
// are counted.
const maxOf = 128

// A provider makes the tracers whose spans go to one collector.
type provider struct {
	embedded.TracerProvider
	sampled func(parent trace.SpanContext, id trace.TraceID) bool
	batches *batches
}

// Tracer implements [trace.TracerProvider].
func (p *provider) Tracer(name string, options ...trace.TracerOption) trace.Tracer {
	c := trace.NewTracerConfig(options...)
	return &tracer{provider: p, scope: scopeOf{name, c.InstrumentationVersion()}}
}

type tracer struct {
	embedded.Tracer
	provider *provider
	scope    scopeOf
}

// Start implements [trace.Tracer].
func (t *tracer) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	c := trace.NewSpanStartConfig(options...)
	var parent trace.SpanContext
	if !c.NewRoot() {
		parent = trace.SpanContextFromContext(ctx)
	}
	own := trace.SpanContextConfig{TraceID: parent.TraceID(), SpanID: newSpanID(), TraceState: parent.TraceState()}
	if !own.TraceID.IsValid() {
		own.TraceID = newTraceID()
	}
	if !t.provider.sampled(parent, own.TraceID) {
		ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(own))
		return ctx, trace.SpanFromContext(ctx)
	}
	own.TraceFlags = trace.FlagsSampled
	s := &recording{tracer: t, parent: parent, own: trace.NewSpanContext(own), kind: trace.ValidateSpanKind(c.SpanKind()), name: name, start: c.Timestamp()}
	if s.start.IsZero() {
		s.start = time.Now()
	}
	for _, l := range c.Links() {
		s.AddLink(l)
	}
	s.SetAttributes(c.Attributes()...)
	return trace.ContextWithSpan(ctx, s), s
}

// newTraceID and newSpanID return ids that nobody else has; none is all zeros.
func newTraceID() (id trace.TraceID) {
	for !id.IsValid() {
		*(*[8]byte)(id[:8]), *(*[8]byte)(id[8:]) = newSpanID(), newSpanID()
	}
	return id
}

func newSpanID() (id trace.SpanID) {
	for !id.IsValid() {
		for i, n := 0, rand.Uint64(); i < len(id); i, n = i+1, n>>8 {
			id[i] = byte(n)
		}
	}
	return id
}

// A recording is a span that is kept and sent when it has ended.
type recording struct {
	embedded.Span
	tracer      *tracer
	parent, own trace.SpanContext
	kind        trace.SpanKind
	start       time.Time

	mu      sync.Mutex // guards what follows, until the end; nothing changes it after
	name    string
	end     time.Time // zero: it goes on
	attrs   []attribute.KeyValue
	dropped int // attributes
	events  []occurrence
	links   []trace.Link
	code    codes.Code
	why     string // of an error
}

// An occurrence is an event of a span.
type occurrence struct {
	name  string
	at    time.Time
	attrs []attribute.KeyValue
}

// while calls change unless the span has ended.
func (s *recording) while(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end.IsZero() {
		change()
	}
}

// End implements [trace.Span]. The second time does nothing.
func (s *recording) End(options ...trace.SpanEndOption) {
	c := trace.NewSpanEndConfig(options...)
	at := c.Timestamp()
	if at.IsZero() {
		at = s.start.Add(time.Since(s.start)) // not before it, whatever is done to the clock
	}
	s.while(func() {
		s.end = at
		s.tracer.provider.batches.add(s)
	})
}

// IsRecording implements [trace.Span].
func (s *recording) IsRecording() (is bool) {
	s.while(func() { is = true })
	return is
}

// SpanContext implements [trace.Span].
func (s *recording) SpanContext() trace.SpanContext { return s.own }

// TracerProvider implements [trace.Span].
func (s *recording) TracerProvider() trace.TracerProvider { return s.tracer.provider }

// SetName implements [trace.Span].
func (s *recording) SetName(name string) { s.while(func() { s.name = name }) }

// SetStatus implements [trace.Span]. Ok is final, and an error is not taken back
// but by it.
func (s *recording) SetStatus(code codes.Code, description string) {
	s.while(func() {
		if s.code == codes.Ok || code == codes.Unset {
			return
		}
		if s.code, s.why = code, ""; code == codes.Error {
			s.why = description
		}
	})
}

// SetAttributes implements [trace.Span]. The last value of a key counts.
func (s *recording) SetAttributes(attrs ...attribute.KeyValue) {
	s.while(func() {
		for _, a := range attrs {
			same := slices.IndexFunc(s.attrs, func(b attribute.KeyValue) bool { return b.Key == a.Key })
			switch {
			case !a.Valid() || same < 0 && len(s.attrs) == maxOf:
				s.dropped++
			case same >= 0:
				s.attrs[same] = a
			default:
				s.attrs = append(s.attrs, a)
			}
		}
	})
}

// AddLink implements [trace.Span]. A link to nothing is left out.
func (s *recording) AddLink(l trace.Link) {
	s.while(func() {
		if l.SpanContext.IsValid() && len(s.links) < maxOf {
			s.links = append(s.links, l)
		}
	})
}

// AddEvent implements [trace.Span].
func (s *recording) AddEvent(name string, options ...trace.EventOption) {
	c := trace.NewEventConfig(options...)
	s.while(func() {
		if len(s.events) < maxOf {
			s.events = append(s.events, occurrence{name, c.Timestamp(), c.Attributes()})
		}
	})
}

// RecordError implements [trace.Span]: an event as the semantic conventions for
// exceptions name it.
func (s *recording) RecordError(err error, options ...trace.EventOption) {
	if err == nil {
		return
	}
	s.AddEvent("exception", append(options, trace.WithAttributes(
		attribute.String("exception.type", reflect.TypeOf(err).String()), attribute.String("exception.message", err.Error())))...)
}
