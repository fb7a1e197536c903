// Package function is called by the clock, at the times that fairlead.yaml says.
package function

import (
	"context"
	"log/slog"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/host"
)

// New returns what serves the functions. "fairlead run" and Knative's func call it.
func New() *host.Host { return host.New(Functions) }

// Functions are those of this program, by the names that they are called by.
var Functions = framework.Functions{"report.build": framework.Sink(Build)}

// Build makes the report of the day before the time that was due, which is the
// event's time. It is that time, too, when a call is late or tried again.
func Build(ctx context.Context, due event.Event) error {
	at := due.Time()
	if at.IsZero() { // a person called it
		at = time.Now().UTC()
	}
	slog.InfoContext(ctx, "built the report", "of", Day(at))
	return nil
}

// Day returns the day that a report which is due at a time is about.
func Day(due time.Time) string { return due.AddDate(0, 0, -1).Format(time.DateOnly) }
