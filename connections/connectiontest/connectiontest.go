// Package connectiontest holds the promises that every driver keeps, as named
// checks. A driver's test calls [Run] with a [Subject] for each broker that it
// talks to:
//
//	func TestPromises(t *testing.T) {
//		broker := services.Artemis(t)
//		connectiontest.Run(t, connectiontest.Subject{
//			Driver:     amqp.Driver(),
//			Connection: &amqp.Connection{URL: "amqp://" + broker.AMQP, …},
//			Queue:      func(t testing.TB) string { return "q." + rand.Text() },
//			…
//		})
//	}
//
// Each promise has a queue and connections of its own, runs beside the others
// unless it breaks connections, and is over after a fixed time even if the
// driver hangs. A rule that the suite missed is added here first.
//
// The suite's own test runs it on drivers that each break one promise, and
// checks that exactly that one is reported.
package connectiontest

import (
	"context"
	"crypto/rand"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	limit   = 45 * time.Second // for one promise, cleaning up included
	arrival = 10 * time.Second // for one message, or one answer
)

// A promise is one thing that a driver's callers rely on.
type promise struct {
	name  string // as in go test -run
	text  string // the sentence that is kept, printed when it is not
	check func(e *env)

	// unless returns why the subject's broker cannot keep it, or "". Nil: all can.
	unless func(s *Subject) string
	breaks bool // it cuts connections, those of others included
}

func promises() []promise {
	return slices.Concat(contentPromises(), fieldPromises(), eventPromises(), settlePromises(), receivePromises(),
		sendPromises(), topicPromises(), closePromises(), lostPromises(), settingPromises())
}

// Run checks every promise that the subject's broker can keep.
func Run(t *testing.T, s Subject) {
	for _, p := range promises() {
		t.Run(p.name, func(t *testing.T) {
			if !p.breaks { // the others wait until those that break have ended
				t.Parallel()
			}
			p.run(t, s)
		})
	}
}

// run checks p on a goroutine of its own, so that a driver that hangs fails the
// check and not the program. Everything that may end the test is done here.
func (p promise) run(t testing.TB, s Subject) {
	t.Helper()
	if why := p.skip(&s); why != "" {
		t.Skip(why)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	e := &env{id: rand.Text(), ctx: ctx, subject: s, queue: s.Queue(t), asks: make(chan func(testing.TB)), done: make(chan struct{})}
	go pprof.Do(ctx, e.labels(), func(context.Context) { e.run(p.check) })
	timeout := time.NewTimer(limit + time.Second)
	defer timeout.Stop()
	for {
		select {
		case ask := <-e.asks:
			ask(t)
		case <-e.done:
			if e.failure != "" {
				t.Fatalf("%s\npromise: %s", e.failure, p.text)
			}
			return
		case <-timeout.C:
			t.Fatalf("still busy after %v; it hangs here:\n%s\npromise: %s", limit, strings.Join(e.goroutines(), "\n\n"), p.text)
		}
	}
}

func (p promise) skip(s *Subject) string {
	if p.breaks && s.Break == nil {
		return "the subject cannot break connections"
	}
	if p.unless == nil {
		return ""
	}
	return p.unless(s)
}

// labels mark every goroutine that the check starts, and those they start.
func (e *env) labels() pprof.LabelSet { return pprof.Labels("connectiontest", e.id) }
