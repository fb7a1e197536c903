package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/outbox"
	"github.com/fairlead/fairlead/test/services"
)

// TestStoreScripts runs the scripts in testdata/store, each with a database of
// its own, STORE_URL.
func TestStoreScripts(t *testing.T) {
	services.Postgres(t) // skips the test where there is none
	p := scripts(t, "testdata/store")
	setup := p.Setup
	p.Setup = func(env *testscript.Env) error {
		env.Setenv("STORE_URL", services.Postgres(t))
		return setup(env)
	}
	p.Cmds["bury"], p.Cmds["untildead"], p.Cmds["stoppedright"], p.Cmds["kept"], p.Cmds["token"] = bury, untilDead, stoppedRight, kept, useToken
	testscript.Run(t, p)
}

// withStore calls f with the script's store.
func withStore(ts *testscript.TestScript, f func(context.Context, *outbox.Store) error) {
	ctx, cancel := context.WithTimeout(context.Background(), awaitTimeout)
	store, err := outbox.Open(outbox.Config{URL: ts.Getenv("STORE_URL"), Log: slog.New(slog.DiscardHandler)})
	ts.Check(err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		store.Run(ctx)
	}()
	err = f(ctx, store)
	cancel()
	<-done
	ts.Check(err)
}

// bury makes dead letters of a trigger: bury N TRIGGER FUNCTION CAUSE.
func bury(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: bury N TRIGGER FUNCTION CAUSE")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	cause := strings.ReplaceAll(args[3], `\n`, "\n")
	withStore(ts, func(ctx context.Context, s *outbox.Store) error {
		for i := range n {
			if err := s.Bury(ctx, letter(i, args[1], args[2], cause)); err != nil {
				return err
			}
		}
		return nil
	})
}

func letter(i int, trigger, function, cause string) outbox.Letter {
	ec := &event.EventContextV1{ID: fmt.Sprintf("%s-%d", trigger, i), Type: "test", Source: types.URIRef{URL: url.URL{Path: "/broker/" + trigger}}}
	return outbox.Letter{
		Trigger: trigger, Function: function, Connection: "broker", Destination: strings.ToUpper(trigger), Event: event.Event{Context: ec},
		Message: connections.Message{Body: fmt.Appendf(nil, "number%d", i), ContentType: "text/plain", Header: map[string]any{"color": "red"}},
		Cause:   cause, Stack: "goroutine 1", Attempts: 5, First: time.Now().Add(-3 * time.Hour), Last: time.Now().Add(-time.Minute),
	}
}

func countDead(ts *testscript.TestScript) (n int) {
	withStore(ts, func(ctx context.Context, s *outbox.Store) (err error) {
		n, err = s.CountDeadLetters(ctx, outbox.Filter{})
		return err
	})
	return n
}

// untilDead waits until there are from least to most dead letters: untildead LEAST MOST.
func untilDead(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: untildead LEAST MOST")
	}
	least, err := strconv.Atoi(args[0])
	ts.Check(err)
	most, err := strconv.Atoi(args[1])
	ts.Check(err)
	for end := time.Now().Add(awaitTimeout); ; time.Sleep(10 * time.Millisecond) {
		n := countDead(ts)
		if n >= least && n <= most {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("there are %d dead letters, want %d to %d", n, least, most)
		}
	}
}

var replayed = regexp.MustCompile(`replayed (\d+) of`)

// stoppedRight checks that what a replay said it has done, and what is left, are
// all that there was: stoppedright TOTAL FILE.
func stoppedRight(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: stoppedright TOTAL FILE")
	}
	said := replayed.FindStringSubmatch(ts.ReadFile(args[1]))
	if said == nil {
		ts.Fatalf("%s does not say how many were replayed", args[1])
	}
	done, err := strconv.Atoi(said[1])
	ts.Check(err)
	if left := countDead(ts); strconv.Itoa(done+left) != args[0] {
		ts.Fatalf("it said that %d were replayed, %d are left, and there were %s", done, left, args[0])
	}
}

// kept waits until the dead letters and those that were replayed are as many as
// there were in all: kept TOTAL.
func kept(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: kept TOTAL")
	}
	for end := time.Now().Add(awaitTimeout); ; time.Sleep(10 * time.Millisecond) {
		dead, parked := countDead(ts), 0
		withStore(ts, func(ctx context.Context, s *outbox.Store) error {
			queues, err := s.ParkedRetries(ctx)
			for _, q := range queues {
				parked += q.Depth
			}
			return err
		})
		if strconv.Itoa(dead+parked) == args[0] {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%d are dead and %d were replayed, and there were %s", dead, parked, args[0])
		}
	}
}

// useToken makes the commands that follow use the token in a file: token FILE.
func useToken(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: token FILE")
	}
	ts.Setenv("FAIRLEAD_TOKEN", strings.TrimSpace(ts.ReadFile(args[0])))
}
