package tracing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
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
	url     string
	headers map[string]string
	client  *http.Client
	log     *slog.Logger
	lost    bool // spans were, and nobody has been told that it is well again
}

func newExporter(url string, headers map[string]string, log *slog.Logger) *exporter {
	return &exporter{url: url, headers: headers, client: &http.Client{}, log: log}
}

// ExportSpans implements [sdk.SpanExporter]. One goroutine calls it; ctx has a
// limit.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	body, err := json.Marshal(encode(spans))
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
	return nil // it was said
}

// Shutdown implements [sdk.SpanExporter].
func (e *exporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
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

// encode returns the message for spans, which all have one resource and one scope.
func encode(spans []sdk.ReadOnlySpan) traces {
	if len(spans) == 0 {
		return traces{}
	}
	all := make([]span, len(spans))
	for i, s := range spans {
		all[i] = encodeSpan(s)
	}
	s := spans[0].InstrumentationScope()
	return traces{[]resourceSpans{{
		Resource:   resourceOf{encodeAttributes(spans[0].Resource().Attributes())},
		ScopeSpans: []scopeSpans{{scopeOf{s.Name, s.Version}, all}},
	}}}
}

func encodeSpan(s sdk.ReadOnlySpan) span {
	own := s.SpanContext()
	out := span{
		TraceID: own.TraceID().String(), SpanID: own.SpanID().String(), TraceState: own.TraceState().String(), Flags: flags(own, s.Parent()),
		Name: s.Name(), Kind: int(s.SpanKind()), Start: s.StartTime().UnixNano(), End: s.EndTime().UnixNano(),
		Attributes: encodeAttributes(s.Attributes()), Dropped: s.DroppedAttributes(),
	}
	if s.Parent().SpanID().IsValid() {
		out.ParentSpanID = s.Parent().SpanID().String()
	}
	for _, e := range s.Events() {
		out.Events = append(out.Events, happened{e.Time.UnixNano(), e.Name, encodeAttributes(e.Attributes)})
	}
	for _, l := range s.Links() {
		c := l.SpanContext
		out.Links = append(out.Links, link{c.TraceID().String(), c.SpanID().String(), c.TraceState().String(), encodeAttributes(l.Attributes), flags(c, c)})
	}
	switch s.Status().Code {
	case codes.Ok:
		out.Status = &status{Code: 1}
	case codes.Error:
		out.Status = &status{s.Status().Description, 2}
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
		all[i] = keyValue{string(a.Key), encodeValue(a.Value)}
	}
	return all
}

// encodeValue returns an AnyValue of common.proto. Of lists it knows those of
// strings, which is all that is recorded here or comes from the environment.
func encodeValue(v attribute.Value) map[string]any {
	switch v.Type() {
	case attribute.BOOL:
		return map[string]any{"boolValue": v.AsBool()}
	case attribute.INT64:
		return map[string]any{"intValue": strconv.FormatInt(v.AsInt64(), 10)}
	case attribute.FLOAT64:
		return map[string]any{"doubleValue": v.AsFloat64()}
	case attribute.STRINGSLICE:
		items := []map[string]any{}
		for _, s := range v.AsStringSlice() {
			items = append(items, map[string]any{"stringValue": s})
		}
		return map[string]any{"arrayValue": map[string]any{"values": items}}
	}
	return map[string]any{"stringValue": v.String()}
}
