package tracing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

const (
	firstPause = 200 * time.Millisecond // after a collector that is busy; doubled each time
	maxPause   = 5 * time.Second
	maxAnswer  = 64 << 10 // bytes of a collector's answer that are read
)

// An exporter posts spans as OTLP says, section "OTLP/HTTP" of its specification
// 1.x, in the JSON encoding of protobuf, but with ids in hex.
type exporter struct {
	url      string
	headers  map[string]string
	resource map[string]string // whose spans they are
	client   *http.Client
	log      *slog.Logger
	lost     bool // spans were, and nobody has been told that it is well again
}

// export sends spans that have ended. One goroutine calls it; ctx has a limit.
// That they are lost is said in the log.
func (e *exporter) export(ctx context.Context, spans []*recording) {
	body, err := json.Marshal(e.encode(spans))
	if err == nil {
		err = e.deliver(ctx, body)
	}
	switch {
	case err != nil && !e.lost:
		e.lost = true
		e.log.Warn("the collector of traces does not take them; they are lost until it does", "spans", len(spans), "err", err)
	case err == nil && e.lost:
		e.lost = false
		e.log.Info("the collector takes traces again")
	}
}

// errBusy is wrapped by the errors after which the same may be sent again.
var errBusy = errors.New("it is busy")

func (e *exporter) deliver(ctx context.Context, body []byte) error {
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		wait, err := e.post(ctx, body)
		if !errors.Is(err, errBusy) {
			return err
		}
		wait = max(wait, pause/2+rand.N(pause))
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// post sends body once. After errBusy it returns how long the collector wants to
// be left alone.
func (e *exporter) post(ctx context.Context, body []byte) (wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	for name, value := range e.headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := e.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch resp.StatusCode {
	case http.StatusOK:
		return 0, rejected(answer)
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // a date is taken for "soon"
		return time.Duration(seconds) * time.Second, fmt.Errorf("%w: it answered %s", errBusy, resp.Status)
	}
	return 0, errors.Join(fmt.Errorf("it answered %s", resp.Status), err)
}

// rejected returns what a collector says that took only a part.
func rejected(answer []byte) error {
	var a struct {
		PartialSuccess struct {
			RejectedSpans json.RawMessage `json:"rejectedSpans"`
			ErrorMessage  string          `json:"errorMessage"`
		} `json:"partialSuccess"`
	}
	if json.Unmarshal(answer, &a) != nil || a.PartialSuccess.RejectedSpans == nil { // an empty answer is a good one
		return nil
	}
	if n := bytes.Trim(a.PartialSuccess.RejectedSpans, `"`); string(n) != "0" {
		return fmt.Errorf("it refused %s spans: %s", n, a.PartialSuccess.ErrorMessage)
	}
	return nil
}

// These are the messages of opentelemetry/proto/trace/v1/trace.proto and what
// they are made of.
type (
	traces struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource   resourceOf   `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
	}
	resourceOf struct {
		Attributes []keyValue `json:"attributes"`
	}
	scopeSpans struct {
		Scope scopeOf `json:"scope"`
		Spans []span  `json:"spans"`
	}
	scopeOf struct {
		Name    string `json:"name"`
		Version string `json:"version,omitempty"`
	}
	span struct {
		TraceID      string     `json:"traceId"`
		SpanID       string     `json:"spanId"`
		TraceState   string     `json:"traceState,omitempty"`
		ParentSpanID string     `json:"parentSpanId,omitempty"`
		Flags        uint32     `json:"flags"`
		Name         string     `json:"name"`
		Kind         int        `json:"kind"`
		Start        int64      `json:"startTimeUnixNano,string"`
		End          int64      `json:"endTimeUnixNano,string"`
		Attributes   []keyValue `json:"attributes,omitempty"`
		Dropped      int        `json:"droppedAttributesCount,omitempty"`
		Events       []happened `json:"events,omitempty"`
		Links        []link     `json:"links,omitempty"`
		Status       *status    `json:"status,omitempty"`
	}
	happened struct {
		Time       int64      `json:"timeUnixNano,string"`
		Name       string     `json:"name"`
		Attributes []keyValue `json:"attributes,omitempty"`
	}
	link struct {
		TraceID    string     `json:"traceId"`
		SpanID     string     `json:"spanId"`
		TraceState string     `json:"traceState,omitempty"`
		Attributes []keyValue `json:"attributes,omitempty"`
		Flags      uint32     `json:"flags"`
	}
	status struct {
		Message string `json:"message,omitempty"`
		Code    int    `json:"code"`
	}
	keyValue struct {
		Key   string         `json:"key"`
		Value map[string]any `json:"value"`
	}
)

// encode returns the message for spans.
func (e *exporter) encode(spans []*recording) traces {
	r := resourceSpans{}
	for _, name := range slices.Sorted(maps.Keys(e.resource)) {
		r.Resource.Attributes = append(r.Resource.Attributes, encodeAttribute(attribute.String(name, e.resource[name])))
	}
	for _, s := range spans {
		same := slices.IndexFunc(r.ScopeSpans, func(of scopeSpans) bool { return of.Scope == s.tracer.scope })
		if same < 0 {
			same = len(r.ScopeSpans)
			r.ScopeSpans = append(r.ScopeSpans, scopeSpans{Scope: s.tracer.scope})
		}
		of := &r.ScopeSpans[same]
		of.Spans = append(of.Spans, s.encode())
	}
	return traces{[]resourceSpans{r}}
}

// encode returns the message for a span that has ended.
func (s *recording) encode() span {
	out := span{
		TraceID: s.own.TraceID().String(), SpanID: s.own.SpanID().String(), TraceState: s.own.TraceState().String(), Flags: flags(s.own, s.parent),
		Name: s.name, Kind: int(s.kind), Start: s.start.UnixNano(), End: s.end.UnixNano(),
		Attributes: encodeAttributes(s.attrs), Dropped: s.dropped,
	}
	if s.parent.SpanID().IsValid() {
		out.ParentSpanID = s.parent.SpanID().String()
	}
	for _, e := range s.events {
		out.Events = append(out.Events, happened{e.at.UnixNano(), e.name, encodeAttributes(e.attrs)})
	}
	for _, l := range s.links {
		c := l.SpanContext
		out.Links = append(out.Links, link{c.TraceID().String(), c.SpanID().String(), c.TraceState().String(), encodeAttributes(l.Attributes), flags(c, c)})
	}
	switch s.code {
	case codes.Ok:
		out.Status = &status{Code: 1}
	case codes.Error:
		out.Status = &status{s.why, 2}
	}
	return out
}

// flags are the W3C flags of a span, and whether what it refers to, its parent or
// the link's target, came from elsewhere (SpanFlags of trace.proto).
func flags(own, from trace.SpanContext) uint32 {
	const knowsRemote, isRemote = 0x100, 0x200
	f := uint32(own.TraceFlags()) | knowsRemote
	if from.IsRemote() {
		f |= isRemote
	}
	return f
}

func encodeAttributes(attrs []attribute.KeyValue) []keyValue {
	all := make([]keyValue, len(attrs))
	for i, a := range attrs {
		all[i] = encodeAttribute(a)
	}
	return all
}

func encodeAttribute(a attribute.KeyValue) keyValue {
	return keyValue{string(a.Key), encodeValue(a.Value.AsInterface())}
}

// encodeValue returns an AnyValue of common.proto.
func encodeValue(v any) map[string]any {
	switch v := v.(type) {
	case bool:
		return map[string]any{"boolValue": v}
	case int64:
		return map[string]any{"intValue": strconv.FormatInt(v, 10)}
	case float64:
		return map[string]any{"doubleValue": encodeFloat(v)}
	case []bool:
		return encodeList(v)
	case []int64:
		return encodeList(v)
	case []float64:
		return encodeList(v)
	case []string:
		return encodeList(v)
	case []byte:
		return map[string]any{"bytesValue": v}
	case []attribute.Value:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = item.AsInterface()
		}
		return encodeList(items)
	case []attribute.KeyValue:
		return map[string]any{"kvlistValue": map[string]any{"values": encodeAttributes(v)}}
	case nil:
		return map[string]any{}
	}
	return map[string]any{"stringValue": fmt.Sprint(v)}
}

// encodeFloat returns what protobuf's JSON has for a number: for those that JSON
// does not know, a text.
func encodeFloat(f float64) any {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return f
}

func encodeList[T any](list []T) map[string]any {
	items := make([]map[string]any, len(list))
	for i, v := range list {
		items[i] = encodeValue(v)
	}
	return map[string]any{"arrayValue": map[string]any{"values": items}}
}
