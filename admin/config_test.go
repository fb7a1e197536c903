package admin_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/admin"
)

// A desk is a ConfigOperator that answers with what it has, and notes what is
// switched.
type desk struct {
	document admin.Document
	plan     admin.Plan
	objects  []admin.Object
	planned  admin.Document
	switched []string
}

func (d *desk) Export(context.Context) (admin.Document, error) { return d.document, nil }

func (d *desk) Plan(_ context.Context, wanted admin.Document) (admin.Plan, error) {
	d.planned = wanted
	if wanted.Text == "" {
		return admin.Plan{}, fmt.Errorf("%w: fairlead.yaml:1:1: expected more", admin.ErrBadRequest)
	}
	return d.plan, nil
}

func (d *desk) Objects(_ context.Context, kind string) ([]admin.Object, error) {
	if kind != "triggers" {
		return nil, fmt.Errorf("%w: there is no kind %q", admin.ErrNotFound, kind)
	}
	return d.objects, nil
}

func (d *desk) Object(_ context.Context, _, name string) (admin.Object, error) {
	for _, o := range d.objects {
		if o.Name == name {
			return o, nil
		}
	}
	return admin.Object{}, fmt.Errorf("%w: there is no %q", admin.ErrNotFound, name)
}

func (d *desk) Pause(_ context.Context, trigger string) error { return d.toggle("pause", trigger) }

func (d *desk) Resume(_ context.Context, trigger string) error { return d.toggle("resume", trigger) }

func (d *desk) toggle(what, trigger string) error {
	if trigger == "nobody" {
		return fmt.Errorf("%w: there is no trigger %q", admin.ErrNotFound, trigger)
	}
	d.switched = append(d.switched, what+" "+trigger)
	return nil
}

func TestConfig(t *testing.T) {
	d := &desk{
		document: admin.Document{File: "fairlead.yaml", Text: "version: 1\n"},
		plan:     admin.Plan{Generation: 3, Steps: []admin.Step{{Kind: "triggers", Name: "t", Action: admin.Restarted, Effect: "drained"}}, Refused: "no"},
		objects:  []admin.Object{{Kind: "triggers", Name: "a b/c", Owner: "fairlead.yaml", State: "paused", Spec: map[string]any{"queue": "in", "concurrency": 4.0}}},
	}
	c := serve(t, &fake{ConfigOperator: d})
	same := func(what string, want, got any, err error) {
		t.Helper()
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: got error %v (-want +got):\n%s", what, err, diff)
		}
	}
	document, err := c.Export(t.Context())
	same("export", d.document, document, err)
	plan, err := c.Plan(t.Context(), admin.Document{File: "next.yaml", Text: "version: 1"})
	same("plan", d.plan, plan, err)
	same("what is planned", admin.Document{File: "next.yaml", Text: "version: 1"}, d.planned, nil)
	objects, err := c.Objects(t.Context(), "triggers")
	same("objects", d.objects, objects, err)
	object, err := c.Object(t.Context(), "triggers", "a b/c")
	same("object", d.objects[0], object, err)
	same("switched", nil, nil, errors.Join(c.Pause(t.Context(), "a b/c"), c.Resume(t.Context(), "x")))
	same("switches", []string{"pause a b/c", "resume x"}, d.switched, nil)

	for what, tt := range map[string]struct {
		ask  func() error
		want int
	}{
		"a wrong document": {func() error { _, err := c.Plan(t.Context(), admin.Document{}); return err }, 400},
		"no such kind":     {func() error { _, err := c.Objects(t.Context(), "x"); return err }, 404},
		"no such object":   {func() error { _, err := c.Object(t.Context(), "triggers", "x"); return err }, 404},
		"no such trigger":  {func() error { return c.Pause(t.Context(), "nobody") }, 404},
	} {
		err := tt.ask()
		if p, ok := errors.AsType[*admin.Problem](err); !ok || p.Status != tt.want {
			t.Errorf("%s: got error %v, want a problem with status %d", what, err, tt.want)
		}
	}
}

func TestConfigStatus(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	want := admin.Status{Config: admin.ConfigStatus{File: "fairlead.yaml", Generation: 2, Applied: at, Refused: "fairlead.yaml:3:1: no", RefusedAt: &at}}
	got, err := serve(t, &fake{status: func() admin.Status { return want }}).Status(t.Context())
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("got error %v (-want +got):\n%s", err, diff)
	}
}
