package tracing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// recorder returns a tracer whose spans are there, encoded, after Close.
func recorder(t *testing.T) (*Tracer, func() []scopeSpans) {
	t.Helper()
	c := new(collector)
	tracer := open(t, c, slog.New(slog.DiscardHandler))
	return tracer, func() (all []scopeSpans) {
		if err := tracer.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, body := range c.bodies {
			var sent traces
			if err := json.Unmarshal(body, &sent); err != nil {
				t.Fatal(err)
			}
			all = append(all, sent.ResourceSpans[0].ScopeSpans...)
		}
		return all
	}
}

// A span can be described until its end, and only until then.
func TestSpan(t *testing.T) {
	tracer, sent := recorder(t)
	_, s := tracer.Start(t.Context(), "first name")
	describe := func() {
		s.SetName("name")
		s.SetAttributes(attribute.Int("n", 1), attribute.Int("n", 2), attribute.String("", "no key"))
		s.AddLink(trace.Link{}) // to nothing
		s.RecordError(errors.New("bad"), trace.WithAttributes(attribute.Bool("own", true)))
		s.RecordError(nil)
		s.SetStatus(codes.Error, "no")
		s.SetStatus(codes.Unset, "")
	}
	describe()
	if !s.IsRecording() {
		t.Error("it does not record")
	}
	s.End()
	if s.IsRecording() {
		t.Error("it records after its end")
	}
	s.SetName("late")
	describe()
	s.End()
	_, good := tracer.Start(t.Context(), "good")
	good.SetStatus(codes.Ok, "ignored")
	good.SetStatus(codes.Error, "late")
	good.End()

	all := sent()
	if len(all) != 1 || len(all[0].Spans) != 2 {
		t.Fatalf("got %+v, want two spans", all)
	}
	got := all[0].Spans[0]
	if got.Name != "name" || len(got.Links) != 0 || got.Dropped != 1 || len(got.Events) != 1 || got.ParentSpanID != "" || got.Kind != int(trace.SpanKindInternal) {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff([]keyValue{{"n", map[string]any{"intValue": "2"}}}, got.Attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	want := []keyValue{{"own", map[string]any{"boolValue": true}}, {"exception.type", map[string]any{"stringValue": "*errors.errorString"}}, {"exception.message", map[string]any{"stringValue": "bad"}}}
	if diff := cmp.Diff(want, got.Events[0].Attributes); diff != "" || got.Events[0].Name != "exception" {
		t.Errorf("event %s (-want +got):\n%s", got.Events[0].Name, diff)
	}
	if diff := cmp.Diff([]*status{{"no", 2}, {"", 1}}, []*status{got.Status, all[0].Spans[1].Status}); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

// A library finds the span in its ctx, and makes tracers of its own from it.
func TestOtherTracers(t *testing.T) {
	tracer, sent := recorder(t)
	ctx, outer := tracer.Start(t.Context(), "outer")
	other := trace.SpanFromContext(ctx).TracerProvider().Tracer("library", trace.WithInstrumentationVersion("2"))
	_, inner := other.Start(ctx, "inner")
	_, root := other.Start(ctx, "root", trace.WithNewRoot())
	if root.SpanContext().TraceID() == outer.SpanContext().TraceID() {
		t.Error("a new root is in the trace")
	}
	root.End()
	inner.End()
	outer.End()
	all := sent()
	if len(all) != 2 || all[0].Scope != (scopeOf{"library", "2"}) || all[1].Scope != (scopeOf{scope, "1.2.3"}) {
		t.Fatalf("got %+v", all)
	}
	if got := all[0].Spans[1]; got.ParentSpanID != outer.SpanContext().SpanID().String() || got.TraceID != outer.SpanContext().TraceID().String() {
		t.Errorf("got %+v, want a child of %v", got, outer.SpanContext())
	}
}

// What a span keeps has a limit.
func TestLimits(t *testing.T) {
	tracer, sent := recorder(t)
	_, s := tracer.Start(t.Context(), "x")
	for i := range maxOf + 3 {
		s.SetAttributes(attribute.Int(fmt.Sprint(i), i))
		s.AddEvent("e")
		s.AddLink(trace.Link{SpanContext: s.SpanContext()})
	}
	s.End()
	if got := sent()[0].Spans[0]; len(got.Attributes) != maxOf || got.Dropped != 3 || len(got.Events) != maxOf || len(got.Links) != maxOf {
		t.Errorf("got %d attributes, %d dropped, %d events and %d links", len(got.Attributes), got.Dropped, len(got.Events), len(got.Links))
	}
}

func TestSampler(t *testing.T) {
	low, high := trace.TraceID{15: 1}, trace.TraceID{8: 0xff}
	parent := func(flags trace.TraceFlags) trace.SpanContext {
		return trace.NewSpanContext(trace.SpanContextConfig{TraceID: low, SpanID: trace.SpanID{1}, TraceFlags: flags})
	}
	for _, c := range []struct {
		name, arg                        string
		low, high, whenSampled, whenLeft bool // roots with a low and a high id; children of what is recorded and of what is not
	}{
		{"", "", true, true, true, false},
		{"always_on", "", true, true, true, true},
		{"always_off", "", false, false, false, false},
		{"parentbased_always_off", "", false, false, true, false},
		{"traceidratio", "0.5", true, false, true, true},
		{"traceidratio", "0", false, false, false, false},
		{"parentbased_traceidratio", "0.5", true, false, true, false},
		{"parentbased_traceidratio", "", true, true, true, false},
	} {
		sampled, err := sampler(c.name, c.arg)
		if err != nil {
			t.Fatal(err)
		}
		got := [4]bool{sampled(trace.SpanContext{}, low), sampled(trace.SpanContext{}, high), sampled(parent(trace.FlagsSampled), low), sampled(parent(0), low)}
		if want := [4]bool{c.low, c.high, c.whenSampled, c.whenLeft}; got != want {
			t.Errorf("%s %s: got %v, want %v", c.name, c.arg, got, want)
		}
	}
}

// What is not recorded keeps its trace together all the same.
func TestNotSampled(t *testing.T) {
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	tracer, sent := recorder(t)
	ctx, s := tracer.Start(t.Context(), "x")
	if s.IsRecording() || !s.SpanContext().IsValid() || s.SpanContext().IsSampled() {
		t.Errorf("got %+v", s.SpanContext())
	}
	if got, want := Headers(ctx)["traceparent"], "00-"+s.SpanContext().TraceID().String()+"-"+s.SpanContext().SpanID().String()+"-00"; got != want {
		t.Errorf("got traceparent %q, want %q", got, want)
	}
	s.End()
	if all := sent(); len(all) != 0 {
		t.Errorf("got %+v, want nothing", all)
	}
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		value attribute.Value
		want  string
	}{
		{attribute.BoolSliceValue([]bool{true}), `{"arrayValue":{"values":[{"boolValue":true}]}}`},
		{attribute.Int64SliceValue([]int64{1, 2}), `{"arrayValue":{"values":[{"intValue":"1"},{"intValue":"2"}]}}`},
		{attribute.Float64SliceValue([]float64{math.NaN(), math.Inf(1), math.Inf(-1)}), `{"arrayValue":{"values":[{"doubleValue":"NaN"},{"doubleValue":"Infinity"},{"doubleValue":"-Infinity"}]}}`},
		{attribute.StringSliceValue(nil), `{"arrayValue":{"values":[]}}`},
		{attribute.ByteSliceValue([]byte{1, 2}), `{"bytesValue":"AQI="}`},
		{attribute.SliceValue(attribute.IntValue(1), attribute.StringValue("a")), `{"arrayValue":{"values":[{"intValue":"1"},{"stringValue":"a"}]}}`},
		{attribute.MapValue(attribute.Int("k", 1)), `{"kvlistValue":{"values":[{"key":"k","value":{"intValue":"1"}}]}}`},
		{attribute.Value{}, `{}`},
	} {
		got, err := json.Marshal(encodeValue(c.value.AsInterface()))
		if err != nil || string(got) != c.want {
			t.Errorf("%v: got %s, %v, want %s", c.value, got, err, c.want)
		}
	}
}

// Spans are handed over when they are many, or when the first has waited long
// enough; those beyond what may wait are dropped, and nobody waits.
func TestBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var got []string // when, and how many
		busy := make(chan struct{})
		began := time.Now()
		b := newBatches(limits{delay: 5 * time.Second, timeout: 30 * time.Second, waiting: 4, size: 3}, func(ctx context.Context, spans []*recording) {
			mu.Lock()
			got = append(got, fmt.Sprint(time.Since(began), " ", len(spans)))
			n := len(got)
			mu.Unlock()
			if n == 2 {
				<-busy
			}
		})
		add := func(n int) {
			for range n {
				b.add(nil)
			}
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		add(1) // sent after the delay
		time.Sleep(time.Second)
		add(1)
		time.Sleep(time.Minute)
		add(3)  // sent at once
		add(10) // the exporter is busy: 4 wait
		close(busy)
		synctest.Wait()
		if err := b.close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"1m5s 2", "2m1s 3", "2m1s 3", "2m1s 1"}, got); diff != "" {
			t.Errorf("exports (-want +got):\n%s", diff)
		}
	})
}

// A collector that hangs holds up an end no longer than it may take.
func TestCloseGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBatches(limits{delay: time.Second, timeout: time.Hour, waiting: 10, size: 1}, func(ctx context.Context, _ []*recording) { <-ctx.Done() })
		for range 3 {
			b.add(nil)
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		if err := b.close(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 10*time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}
