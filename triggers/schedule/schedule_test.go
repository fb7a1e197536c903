package schedule_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/triggers/schedule"
)

func at(t testing.TB, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTimetables(t *testing.T) {
	for name, tt := range map[string]struct {
		cron, zone string
		every      time.Duration
		from       string
		want       []string
	}{
		"daily":                           {"0 2 * * *", "", 0, "2026-01-31T02:00:00Z", []string{"2026-02-01T02:00:00Z", "2026-02-02T02:00:00Z"}},
		"ranges, steps, names":            {"*/30 9-10 * * mon,FRI", "", 0, "2026-01-02T09:31:00Z", []string{"2026-01-02T10:00:00Z", "2026-01-02T10:30:00Z", "2026-01-05T09:00:00Z"}},
		"a time zone":                     {"0 2 * * *", "Asia/Kolkata", 0, "2026-01-01T00:00:00Z", []string{"2026-01-01T20:30:00Z"}},
		"the hour that is skipped":        {"30 2 * * *", "Europe/Berlin", 0, "2026-03-28T00:00:00Z", []string{"2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"}},
		"the hour that comes twice":       {"30 2 * * *", "Europe/Berlin", 0, "2026-10-24T12:00:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"}},
		"hourly, in the hour comes twice": {"30 * * * *", "Europe/Berlin", 0, "2026-10-25T00:00:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"}},
		"a name":                          {"@weekly", "", 0, "2026-01-01T00:00:00Z", []string{"2026-01-04T00:00:00Z"}},
		"leap day":                        {"0 0 29 2 *", "", 0, "2026-01-01T00:00:00Z", []string{"2028-02-29T00:00:00Z"}},
		"an interval":                     {"", "", 15 * time.Minute, "2026-01-01T00:07:30Z", []string{"2026-01-01T00:15:00Z", "2026-01-01T00:30:00Z"}},
		"an interval, at its time":        {"", "", 15 * time.Minute, "2026-01-01T00:15:00Z", []string{"2026-01-01T00:30:00Z"}},
	} {
		table, err := schedule.Cron(tt.cron, tt.zone)
		if tt.every > 0 {
			table, err = schedule.Every(tt.every)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for next := at(t, tt.from); len(got) < len(tt.want); got = append(got, next.UTC().Format(time.RFC3339)) {
			next = table.Next(next)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWrongTimetables(t *testing.T) {
	for _, expression := range []string{"", "* * * *", "* * * * * *", "60 * * * *", "TZ=", "CRON_TZ=UTC * * * * *", "@every 1s", "@sometimes", "0 0 31 2 *"} {
		if table, err := schedule.Cron(expression, ""); err == nil {
			t.Errorf("%q: got %v", expression, table)
		}
	}
	for _, zone := range []string{"Nowhere", "Local", "../etc/passwd"} {
		if _, err := schedule.Cron("* * * * *", zone); err == nil {
			t.Errorf("zone %q was accepted", zone)
		}
	}
	if _, err := schedule.Every(time.Millisecond); err == nil {
		t.Error("an interval of 1ms was accepted")
	}
}

func FuzzCron(f *testing.F) {
	for _, s := range []string{"0 2 * * *", "TZ=0", "@every 1h", "*/0 * * * *", "1-5/2 * ? jan *"} {
		f.Add(s, "Europe/Berlin")
	}
	f.Fuzz(func(t *testing.T, expression, zone string) {
		table, err := schedule.Cron(expression, zone)
		if err != nil {
			return
		}
		now := at(t, "2026-01-01T00:00:00Z")
		if next := table.Next(now); !next.After(now) {
			t.Errorf("%q: after %v comes %v", expression, now, next)
		}
	})
}

// watch runs a clock in a bubble for d and returns when it fired what.
func watch(t *testing.T, c schedule.Clock, d time.Duration, each func(time.Time) error) (fired []string) {
	t.Helper()
	begin := time.Now()
	c.Log = slog.New(slog.DiscardHandler)
	c.Fire = func(_ context.Context, due time.Time) error {
		fired = append(fired, due.Sub(begin).String()+" at "+time.Since(begin).String())
		return each(due)
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	c.Run(ctx)
	return fired
}

func hourly(t *testing.T) schedule.Timetable {
	t.Helper()
	table, err := schedule.Every(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestClock(t *testing.T) {
	nothing := func(time.Time) error { return nil }
	ago := func(d time.Duration) func(context.Context) (time.Time, error) {
		return func(context.Context) (time.Time, error) { return time.Now().Add(-d), nil }
	}
	first := true
	for name, tt := range map[string]struct {
		clock schedule.Clock
		each  func(time.Time) error
		want  []string
	}{
		"on time":                    {schedule.Clock{}, nothing, []string{"1h0m0s at 1h0m0s", "2h0m0s at 2h0m0s", "3h0m0s at 3h0m0s"}},
		"after an error":             {schedule.Clock{}, func(time.Time) error { return errors.New("boom") }, []string{"1h0m0s at 1h0m0s", "2h0m0s at 2h0m0s", "3h0m0s at 3h0m0s"}},
		"missed at the start":        {schedule.Clock{CatchUp: true, Last: ago(5 * time.Hour)}, nothing, []string{"0s at 0s", "1h0m0s at 1h0m0s", "2h0m0s at 2h0m0s", "3h0m0s at 3h0m0s"}},
		"missed, but not caught up":  {schedule.Clock{Last: ago(5 * time.Hour)}, nothing, []string{"1h0m0s at 1h0m0s", "2h0m0s at 2h0m0s", "3h0m0s at 3h0m0s"}},
		"nothing missed":             {schedule.Clock{CatchUp: true, Last: ago(0)}, nothing, []string{"1h0m0s at 1h0m0s", "2h0m0s at 2h0m0s", "3h0m0s at 3h0m0s"}},
		"never fired":                {schedule.Clock{CatchUp: true, Last: func(context.Context) (time.Time, error) { return time.Time{}, nil }}, nothing, []string{"1h0m0s at 1h0m0s", "2h0m0s at 2h0m0s", "3h0m0s at 3h0m0s"}},
		"the last time is not known": {schedule.Clock{CatchUp: true, Last: func(context.Context) (time.Time, error) { return time.Time{}, errors.New("down") }}, nothing, []string{"1h0m0s at 1h0m0s", "2h0m0s at 2h0m0s", "3h0m0s at 3h0m0s"}},
		"one that takes long":        {schedule.Clock{}, func(time.Time) error { time.Sleep(90 * time.Minute); return nil }, []string{"1h0m0s at 1h0m0s", "3h0m0s at 3h0m0s"}},
		"one that takes long, caught": {schedule.Clock{CatchUp: true}, func(time.Time) error {
			if first {
				first = false
				time.Sleep(150 * time.Minute)
			}
			return nil
		}, []string{"1h0m0s at 1h0m0s", "3h0m0s at 3h30m0s"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			tt.clock.Timetable = hourly(t)
			if diff := cmp.Diff(tt.want, watch(t, tt.clock, 3*time.Hour+45*time.Minute, tt.each)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		})
	}
}

func TestIdentity(t *testing.T) {
	due := at(t, "2026-01-02T03:04:05+02:00")
	ev := schedule.Event("night@work", due)
	if err := ev.Validate(); err != nil {
		t.Error(err)
	}
	if ev.ID() != "night@work@2026-01-02T01:04:05Z" || ev.Source() != "/schedules/night@work" || ev.Type() != "fairlead.schedule" || !ev.Time().Equal(due) {
		t.Errorf("got %v", ev)
	}
	if got := schedule.DueIn(ev.ID()); !got.Equal(due) {
		t.Errorf("got %v, want %v", got, due)
	}
	for _, id := range []string{"", "x", "x@", "@", "x@y"} {
		if got := schedule.DueIn(id); !got.IsZero() {
			t.Errorf("%q: got %v", id, got)
		}
	}
}
