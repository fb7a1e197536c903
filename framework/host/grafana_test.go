package host

import (
	"context"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/framework"
)

// The dashboard for Grafana asks only for metrics that there are, and docs/metrics.md
// names them.
func TestGrafana(t *testing.T) {
	data, err := os.ReadFile("../../examples/grafana/fairlead.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatal(err)
	}
	r := newStoreRig(t, framework.Functions{"work": framework.Sink(func(context.Context, string) error { return nil })})
	r.apply(`triggers: {in: {connection: m, queue: q, function: work}, stored: {topic: orders, function: work}}
bindings: {out: {connection: m}}`)
	store, err := r.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ev, err := framework.Data("x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Publish(t.Context(), "topic:orders", ev, framework.PublishOptions{}); err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	r.meters.binding("out") // it shows once something was sent
	if err := r.WriteMetrics(t.Context(), &page); err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`fairlead_\w+`)
	asked := 0
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			for _, name := range names.FindAllString(target.Expr, -1) {
				asked++
				if !strings.Contains(page.String(), "\n"+name+"{") && !strings.Contains(page.String(), "\n"+name+" ") {
					t.Errorf("panel %q asks for %s, which there is not", p.Title, name)
				}
			}
		}
	}
	if asked < 20 {
		t.Errorf("found %d metrics in the dashboard, expected more", asked)
	}
}
