package host

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/framework"
)

func TestPlan(t *testing.T) {
	r := newRig(t, framework.Functions{"f": framework.Sink(nothing), "g": framework.Sink(nothing)})
	const base = `version: 1
connections: {a: {type: memory}, b: {type: memory}}
triggers:
  ta: {connection: a, queue: in, function: f}
  tb: {connection: b, queue: in, function: g}
  th: {http: POST /x, function: f}
`
	if err := r.Apply(t.Context(), r.parse(base)); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		document string
		want     []admin.Step
	}{
		"the same": {base, []admin.Step{}},
		"grace": {base + "grace: 3s\n", []admin.Step{
			{Kind: "grace", Action: admin.Changed, Effect: atOnce},
			{Kind: "triggers", Name: "ta", Action: admin.Restarted, Effect: "drained, then started again, because of grace"},
			{Kind: "triggers", Name: "tb", Action: admin.Restarted, Effect: "drained, then started again, because of grace"},
		}},
		"functions": {base + "functions: {f: {settings: {x: 1}}, g: {timeout: 3s}}\n", []admin.Step{
			{Kind: "functions", Name: "f", Action: admin.Changed, Effect: atOnce},
			{Kind: "functions", Name: "g", Action: admin.Changed, Effect: atOnce},
			{Kind: "triggers", Name: "tb", Action: admin.Restarted, Effect: "drained, then started again, because of functions.g"},
		}},
		"addresses": {base + "admin: {listen: \"off\"}\nhttp: {listen: \"127.0.0.1:0\"}\n", []admin.Step{
			{Kind: "admin", Action: admin.Changed, Effect: atStart},
			{Kind: "http", Action: admin.Changed, Effect: atStart},
		}},
		"all else": {`version: 1
connections: {a: {type: memory, limit: 3}, c: {type: memory}}
triggers:
  ta: {connection: a, queue: in, function: f}
  tc: {connection: c, queue: in, function: g}
  th: {http: POST /y, function: f}
bindings: {out: {connection: a}}
`, []admin.Step{
			{Kind: "bindings", Name: "out", Action: admin.Created, Effect: atOnce},
			{Kind: "connections", Name: "a", Action: admin.Changed, Effect: "proved, then its links are replaced"},
			{Kind: "connections", Name: "b", Action: admin.Removed, Effect: "closed, once what is being sent is sent"},
			{Kind: "connections", Name: "c", Action: admin.Created, Effect: "proved"},
			{Kind: "triggers", Name: "ta", Action: admin.Restarted, Effect: "drained, then started again, because of connections.a"},
			{Kind: "triggers", Name: "tb", Action: admin.Removed, Effect: "drained, then stopped"},
			{Kind: "triggers", Name: "tc", Action: admin.Created, Effect: "started"},
			{Kind: "triggers", Name: "th", Action: admin.Changed, Effect: atOnce},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := r.Backend().Plan(t.Context(), admin.Document{File: "next.yaml", Text: tt.document})
			if diff := cmp.Diff(admin.Plan{Generation: 1, Steps: tt.want}, p); err != nil || diff != "" {
				t.Errorf("got error %v (-want +got):\n%s", err, diff)
			}
		})
	}
	if _, err := r.Backend().Plan(t.Context(), admin.Document{File: "next.yaml", Text: "version: 2"}); err == nil || err.Error() != "bad request: next.yaml:1:10: version: found 2, expected 1" {
		t.Errorf("a wrong document: got error %v", err)
	}
}
