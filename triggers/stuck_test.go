package triggers_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
)

// A trigger is stuck when every worker is in a call that ignores its ctx.
func TestStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := newRig(t, func(context.Context, event.Event) error { <-release; return nil })
		r.spec.Concurrency = 2
		r.put("a")
		r.start()
		pass(10 * time.Minute)
		if r.Status().Stuck {
			t.Error("it is stuck, although one worker is free")
		}
		r.put("b")
		pass(59 * time.Second)
		if r.Status().Stuck {
			t.Error("it is stuck before its time")
		}
		pass(2 * time.Second)
		if !r.Status().Stuck {
			t.Error("it is not stuck")
		}
		close(release)
		pass(time.Second)
		if r.Status().Stuck {
			t.Error("it is stuck although its calls have ended")
		}
	})
}
