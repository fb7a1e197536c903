package host

import (
	"context"
	"log/slog"
	"os"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/tracing"
	"go.opentelemetry.io/otel/trace"
)

// SetUpLog makes slog write to stderr, as [Main] does: text on a terminal and JSON elsewhere,
// from the level that FAIRLEAD_LOG names (debug, info, warn or error; default
// info), with what the ctx of a function knows: function, trigger, event,
// attempt, trace id, and the span's where spans are recorded.
func SetUpLog() *slog.Logger {
	opts := &slog.HandlerOptions{Level: logLevel(os.Getenv("FAIRLEAD_LOG"))}
	var h slog.Handler = slog.NewJSONHandler(os.Stderr, opts)
	if isTerminal(os.Stderr) {
		h = slog.NewTextHandler(os.Stderr, opts)
	}
	l := slog.New(contextHandler{h})
	slog.SetDefault(l)
	return l
}

func logLevel(name string) slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(name)); err != nil {
		return slog.LevelInfo
	}
	return l
}

// A contextHandler adds what ctx knows to each record.
type contextHandler struct{ slog.Handler }

func (h contextHandler) Handle(ctx context.Context, r slog.Record) error {
	inv := framework.FromContext(ctx)
	if inv != nil {
		r.AddAttrs(attributes(inv)...)
	}
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		r.AddAttrs(slog.String("trace", span.TraceID().String()), slog.String("span", span.SpanID().String()))
	} else if inv != nil {
		if sender := tracing.Remote(extensionsOf(inv.Event)); sender.IsValid() {
			r.AddAttrs(slog.String("trace", sender.TraceID().String()))
		}
	}
	return h.Handler.Handle(ctx, r)
}

func (h contextHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return contextHandler{h.Handler.WithAttrs(attrs)}
}

func (h contextHandler) WithGroup(name string) slog.Handler {
	return contextHandler{h.Handler.WithGroup(name)}
}

func attributes(inv *framework.Invocation) []slog.Attr {
	attrs := []slog.Attr{slog.String("function", inv.Function)}
	if s := inv.Source; s != nil && s.Trigger != "" {
		attrs = append(attrs, slog.String("trigger", s.Trigger), slog.Int("attempt", s.Attempt))
	}
	if inv.Event.Context == nil {
		return attrs
	}
	attrs = append(attrs, slog.String("event", inv.Event.ID()))
	return attrs
}
