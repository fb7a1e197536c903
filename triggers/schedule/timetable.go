package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// A Timetable says when something is due. The times follow from the timetable
// alone, so that all replicas mean the same ones.
type Timetable interface {
	// Next returns the first time after t that something is due; the zero time if
	// there is none within five years.
	Next(t time.Time) time.Time
}

// Cron returns the timetable of an expression with five fields (minute, hour,
// day of month, month, day of week), or of @hourly, @daily, @weekly, @monthly or
// @yearly, in a time zone such as Europe/Berlin; "" is UTC. As with most
// crons, what is due in the hour that is skipped when summer time begins is not
// due that day, and what is due in the hour that comes twice when it ends is due
// twice; UTC has neither.
func Cron(expression, zone string) (Timetable, error) {
	location, err := zoneOf(zone)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(expression, "@every") || strings.Contains(expression, "TZ=") {
		return nil, errors.New("five fields such as 0 2 * * *; every and timeZone are keys of their own")
	}
	t, err := cron.ParseStandard(expression)
	if err != nil {
		return nil, fmt.Errorf("five fields such as 0 2 * * *: %s", strings.TrimPrefix(err.Error(), "cron: "))
	}
	if spec, ok := t.(*cron.SpecSchedule); ok {
		spec.Location = location
	}
	if t.Next(time.Now()).IsZero() {
		return nil, errors.New("a time that comes: this one is never due")
	}
	return t, nil
}

// CheckZone reports whether a time zone is known to this machine.
func CheckZone(name string) error {
	_, err := zoneOf(name)
	return err
}

func zoneOf(name string) (*time.Location, error) {
	if name == "Local" { // replicas may have different ones
		return nil, errors.New("the name of a time zone, such as Europe/Berlin")
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("the name of a time zone, such as Europe/Berlin: %w", err)
	}
	return location, nil
}

// shortest is the shortest interval.
const shortest = time.Second

// Every returns the timetable of all multiples of d since the Unix epoch.
func Every(d time.Duration) (Timetable, error) {
	if d < shortest {
		return nil, fmt.Errorf("at least %v", shortest)
	}
	return interval(d), nil
}

type interval time.Duration

// Next implements [Timetable].
func (d interval) Next(t time.Time) time.Time {
	step := int64(d)
	n := t.UnixNano() / step
	return time.Unix(0, (n+1)*step).UTC()
}

// last returns the last time in (from, to] that something was due, or the zero
// time.
func last(t Timetable, from, to time.Time) time.Time {
	if d, ok := t.(interval); ok { // not one by one: a store may have slept for years
		from = later(from, to.Add(-2*time.Duration(d)))
	}
	var found time.Time
	for next := t.Next(from); !next.IsZero() && !next.After(to); next = t.Next(next) {
		found = next
	}
	return found
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
