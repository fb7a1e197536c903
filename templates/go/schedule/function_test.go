package function_test

import (
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/framework/frameworktest"

	"function"
)

func TestBuild(t *testing.T) {
	due := event.New()
	due.SetID("nightly@1")
	due.SetSource("/schedules/nightly")
	due.SetType("fairlead.schedule")
	due.SetTime(time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC))
	if _, err := frameworktest.New(t).Run(function.Functions["report.build"], due); err != nil {
		t.Error(err)
	}
}

func TestTheReportIsOfTheDayBefore(t *testing.T) {
	if got, want := function.Day(time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)), "2026-02-28"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
