package admin

import (
	"context"
	"io"
	"log/slog"
	"net/http"

	"github.com/fairlead/fairlead/admin/access"
	"github.com/fairlead/fairlead/metrics"
)

// A MetricsWriter is a [Backend] that can be asked for its counters.
type MetricsWriter interface {
	// WriteMetrics writes them in the text format of Prometheus.
	WriteMetrics(ctx context.Context, w io.Writer) error
}

func (s *server) metricsRoutes() []route {
	m, ok := s.backend.(MetricsWriter)
	if !ok {
		return nil
	}
	return []route{{
		method: "GET", path: "/metrics", role: access.Viewer, summary: "Counters in the text format of Prometheus",
		out: typeOf[string](), media: metrics.ContentType, serve: func(w http.ResponseWriter, r *http.Request) { scrape(w, r, m) },
	}}
}

func scrape(w http.ResponseWriter, r *http.Request, m MetricsWriter) {
	w.Header().Set("Content-Type", metrics.ContentType)
	if err := m.WriteMetrics(r.Context(), w); err != nil {
		slog.DebugContext(r.Context(), "whoever scrapes did not wait", "err", err)
	}
}
