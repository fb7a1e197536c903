package connectiontest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// TestHonest checks that a driver that keeps every promise passes, whatever its
// broker cannot do.
func TestHonest(t *testing.T) {
	for name, h := range map[string]hooks{
		"can everything": {},
		"serial":         {subject: func(s *Subject) { s.Driver.Serial = true }},
		"does not count": {
			subject:  func(s *Subject) { s.Cannot.Count = true },
			delivery: func(_ *receiver, d *connections.Delivery) { d.Count = 0 },
		},
		"has no identity": {
			subject:  func(s *Subject) { s.Cannot.KeepIdentity = true },
			delivery: func(_ *receiver, d *connections.Delivery) { d.Identity = "" },
		},
		"releases when the receiver closes": {
			subject:  func(s *Subject) { s.Cannot = Cannot{Count: true, ReleaseOne: true} },
			delivery: onlyAccept,
		},
		"releases when the conn closes": {
			subject:  func(s *Subject) { s.Cannot = Cannot{Count: true, ReleaseReceiver: true} },
			delivery: onlyAccept,
			receiver: closeNothing,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, p := range promises() {
				if failure := try(t, p, h); failure != "" {
					t.Errorf("%s: %s", p.name, failure)
				}
			}
		})
	}
}

// onlyAccept leaves unsettled what is to be given back, and counts nothing.
func onlyAccept(r *receiver, d *connections.Delivery) {
	d.Count = 0
	settle := d.Settle
	d.Settle = func(ctx context.Context, o framework.Outcome) error {
		if o == framework.Release || o == framework.Modify {
			return r.conn.liveConn.Ping(ctx)
		}
		return settle(ctx, o)
	}
}

// closeNothing leaves the broker's part of a Receiver open until its Conn is closed.
func closeNothing(r *receiver) {
	closed := make(chan struct{})
	r.close = sync.OnceValue(func() error { close(closed); return nil })
	r.receive = func(ctx context.Context) (connections.Delivery, error) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		go func() {
			select {
			case <-closed:
				cancel(connections.ErrConnLost)
			case <-ctx.Done():
			}
		}()
		d, err := r.matching(ctx)
		if cause := context.Cause(ctx); err != nil && cause != nil {
			return d, cause
		}
		return d, err
	}
}

// A saboteur is a driver that breaks promises: exactly those that it names.
type saboteur struct {
	name   string
	breaks []string
	hooks  func() hooks // made for each check, since some remember what they saw
}

func saboteurs() []saboteur {
	return slices.Concat(contentSaboteurs(), settleSaboteurs(), receiveSaboteurs(), sendSaboteurs(),
		topicSaboteurs(), closeSaboteurs(), lostSaboteurs(), settingSaboteurs())
}

// TestSabotage checks that each saboteur is caught by the promises that it
// breaks, and by no others.
func TestSabotage(t *testing.T) {
	for _, s := range saboteurs() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			var broken []string
			for _, p := range promises() {
				if failure := try(t, p, s.hooks()); failure != "" {
					broken = append(broken, p.name)
					t.Logf("%s: %s", p.name, failure)
				}
			}
			slices.Sort(broken)
			slices.Sort(s.breaks)
			if diff := cmp.Diff(s.breaks, broken); diff != "" {
				t.Errorf("broken promises, -want +got:\n%s", diff)
			}
		})
	}
}

// TestEveryPromiseCanFail checks that there is a saboteur for each promise.
func TestEveryPromiseCanFail(t *testing.T) {
	seen := make(map[string]bool)
	for _, s := range saboteurs() {
		for _, name := range s.breaks {
			seen[name] = true
		}
	}
	for _, p := range promises() {
		if !seen[p.name] {
			t.Errorf("no saboteur breaks the promise %q", p.name)
		}
	}
}

// try runs one promise on a double of its own, in a bubble where waiting takes
// no time, and returns how it failed, or "".
func try(t *testing.T, p promise, h hooks) (failure string) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := &double{hooks: h, stop: make(chan struct{})}
		r := &recorder{TB: t, ctx: ctx}
		done := make(chan struct{})
		go func() {
			defer close(done)
			p.run(r, b.subject())
		}()
		<-done
		cancel()
		close(b.stop)
		b.broker.Break()
		time.Sleep(time.Minute) // time stands still once this returns
		failure = r.failure
	})
	return failure
}

// A recorder stands in for the test of a promise and notes how it ends.
type recorder struct {
	testing.TB
	ctx     context.Context
	failure string
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Skip(...any)              { runtime.Goexit() }

func (r *recorder) Fatalf(format string, args ...any) {
	r.failure = fmt.Sprintf(format, args...)
	runtime.Goexit()
}
