package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/triggers"
)

// seen is what a function was called with.
type seen struct {
	mu     sync.Mutex
	events []string
}

func (s *seen) add(v string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, v)
}

func (s *seen) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

func TestScheduleWithoutAStore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var got seen
		begin := time.Now()
		r := newRig(t, framework.Functions{
			"report": framework.Sink(func(ctx context.Context, in event.Event) error {
				got.add(time.Since(begin).Round(time.Minute).String() + " " + in.ID() + " " + framework.Source(ctx).Trigger)
				return nil
			}),
			"broken": framework.Sink(func(ctx context.Context, in event.Event) error {
				if in.Type() != "fairlead.schedule" {
					t.Errorf("got %v", in)
				}
				return errors.New("boom")
			}),
		})
		const document = `{version: 1, store: none, connections: {m: {type: memory}}, bindings: {dead: {connection: m}}, triggers: {
			hourly: {every: 1h, function: report}, failing: {schedule: "30 0 * * *", function: broken, retry: {attempts: 3}, deadLetter: dead/failed}}}`
		r.apply(document)
		pass(90 * time.Minute)
		r.apply(document)
		pass(time.Hour)
		day := begin.UTC().Format(time.DateOnly)
		want := []string{"1h0m0s hourly@" + day + "T01:00:00Z hourly", "2h0m0s hourly@" + day + "T02:00:00Z hourly"}
		if diff := cmp.Diff(want, got.all()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		if m := r.take("failed"); fmt.Sprint(m.Header["fairlead_attempts"]) != "3" {
			t.Errorf("dead letter: got %v", m.Header)
		}
		status := r.Status().Triggers
		if s := status["hourly"]; s.State != triggers.Running || s.Succeeded != 2 || s.Failed != 0 {
			t.Errorf("hourly: got %+v", s)
		}
		if s := status["failing"]; s.Failed != 3 || s.Dead != 1 || s.Succeeded != 0 {
			t.Errorf("failing: got %+v, want 3 failed attempts and a dead letter", s)
		}
	})
}

// TestOneReplicaFires runs three hosts on one store.
func TestOneReplicaFires(t *testing.T) {
	var got seen
	functions := framework.Functions{"report": framework.Sink(func(_ context.Context, in event.Event) error {
		got.add(in.ID())
		return nil
	})}
	const document = `triggers: {often: {every: 1s, function: report}}`
	first := newStoreRig(t, functions)
	first.apply(document)
	for range 2 {
		next := newStoreRig(t, functions)
		next.applyAt(first.url, document)
	}
	deadline := time.Now().Add(time.Minute)
	for len(got.all()) < 5 && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	all := got.all()
	if len(all) < 5 {
		t.Fatalf("got %v after a minute, want at least 5 events", all)
	}
	slices.Sort(all)
	if n := len(slices.Compact(slices.Clone(all))); n != len(all) {
		t.Errorf("some times fired twice: %v", all)
	}
}

// TestMissedRuns starts a schedule that fired three days ago for the last time.
func TestMissedRuns(t *testing.T) {
	for missed, want := range map[string]int{"skip": 0, "once": 1} {
		t.Run(missed, func(t *testing.T) {
			t.Parallel()
			var got seen
			functions := framework.Functions{"report": framework.Sink(func(_ context.Context, in event.Event) error {
				got.add(in.ID())
				return nil
			})}
			r := newStoreRig(t, functions)
			document := `triggers: {daily: {schedule: "@daily", missed: ` + missed + `, function: report}}`
			r.apply("") // the trigger is gone for days
			s, err := r.Store(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			long := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -3)
			fired := framework.PublishOptions{ID: "daily@" + long.Format(time.RFC3339)}
			ev, err := framework.Data("x")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Publish(ctx, "topic:schedule.daily", ev, fired); err != nil {
				t.Fatal(err)
			}
			wait := func(n int) {
				t.Helper()
				for deadline := time.Now().Add(time.Minute); len(got.all()) < n && time.Now().Before(deadline); {
					time.Sleep(20 * time.Millisecond)
				}
				if len(got.all()) != n {
					t.Fatalf("got %v, want %d calls", got.all(), n)
				}
			}
			r.apply(document)
			wait(1 + want)
			if want == 1 {
				// The event that was fired before waits in the topic until now.
				if today := "daily@" + time.Now().UTC().Format(time.DateOnly) + "T00:00:00Z"; !slices.Contains(got.all(), today) {
					t.Errorf("got %v, want %s and the one before", got.all(), today)
				}
			}
			r.apply("")
			r.apply(document) // nothing is missed now
			wait(1 + want)
		})
	}
}
