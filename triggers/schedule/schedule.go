// Package schedule starts functions by the clock: at the times of a cron
// expression in a time zone, or at an interval.
//
// The times are those of a timetable, not of the process that keeps it, so that
// replicas agree about them: what is due has an id, and whoever fires it twice
// can be told.
package schedule

import (
	"context"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
)

// EventType is the type of the CloudEvent that a function is called with. Its
// time is the one that was scheduled.
const EventType = "fairlead.schedule"

// A Clock fires at the times of a timetable. Its fields must not change while
// it runs.
type Clock struct {
	Trigger   string
	Timetable Timetable

	// Last returns the time that was fired last, by any replica, or the zero time.
	// Nil, or an error: the time that Run began.
	Last func(ctx context.Context) (time.Time, error)

	// CatchUp fires the last of the times that were missed, when nothing ran.
	CatchUp bool

	// Fire is called with each time that is due, one after the other. It returns
	// when that is done, or ctx has ended; an error is logged.
	Fire func(ctx context.Context, due time.Time) error

	Log *slog.Logger
}

// Run fires until ctx ends. A time that passes while Fire runs, or while the
// machine sleeps, is missed, but for the last one, if CatchUp is set.
func (c *Clock) Run(ctx context.Context) {
	done := c.began(ctx)
	for {
		now := time.Now()
		due := c.due(done, now)
		if due.IsZero() {
			return // never again
		}
		if !sleepUntil(ctx, due) {
			return
		}
		if err := c.Fire(ctx, due); err != nil && ctx.Err() == nil {
			c.Log.ErrorContext(ctx, "schedule did not fire", "trigger", c.Trigger, "due", due, "err", err)
		}
		done = due
	}
}

// began returns the time up to which everything is fired.
func (c *Clock) began(ctx context.Context) time.Time {
	now := time.Now()
	if !c.CatchUp || c.Last == nil {
		return now
	}
	t, err := c.Last(ctx)
	if err != nil && ctx.Err() == nil {
		c.Log.WarnContext(ctx, "it is not known when this schedule fired last, so nothing is caught up with", "trigger", c.Trigger, "err", err)
	}
	if err != nil || t.IsZero() {
		return now
	}
	return t
}

// grain is how late a time may be and not be missed.
const grain = time.Second

// due returns the next time to fire at, after done. It is in the past, if that
// one was missed and shall be caught up with.
func (c *Clock) due(done, now time.Time) time.Time {
	next := c.Timetable.Next(done)
	if next.IsZero() || !next.Before(now.Add(-grain)) {
		return next
	}
	missed := last(c.Timetable, done, now)
	if c.CatchUp && !missed.IsZero() {
		return missed
	}
	if missed.After(now.Add(-grain)) {
		return missed
	}
	return c.Timetable.Next(now)
}

// look is how long the clock sleeps at most: timers stand still while a machine
// is suspended, and the time of day does not.
const look = time.Minute

func sleepUntil(ctx context.Context, due time.Time) bool {
	due = due.Round(0) // by the time of day
	for {
		d := due.Sub(time.Now().Round(0))
		if d <= 0 {
			return ctx.Err() == nil
		}
		timer := time.NewTimer(min(d, look))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}

// ID returns the id of the event that a trigger fires at a time. It is the same
// in every replica.
func ID(trigger string, due time.Time) string {
	return trigger + "@" + due.UTC().Format(time.RFC3339)
}

// DueIn returns the time that ID was made of, or the zero time.
func DueIn(id string) time.Time {
	_, s, _ := strings.Cut(id[max(strings.LastIndex(id, "@"), 0):], "@")
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

// Event returns the event that a trigger fires at a time. It has no data.
func Event(trigger string, due time.Time) event.Event {
	return event.Event{Context: &event.EventContextV1{
		ID: ID(trigger, due), Type: EventType,
		Source: types.URIRef{URL: url.URL{Path: "/schedules/" + trigger}},
		Time:   &types.Timestamp{Time: due.UTC()},
	}}
}
