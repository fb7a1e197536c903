package triggers_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// Messages of one group follow each other whatever happens to them; those of
// others pass.
func TestGroupsKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []string
		failed := make(map[string]bool)
		running := make(map[string]int)
		r := newRig(t, func(ctx context.Context, in event.Event) error {
			id := string(in.Data())
			group, _, _ := strings.Cut(id, "-")
			mu.Lock()
			running[group]++
			if running[group] > 1 {
				t.Errorf("two messages of group %s at once", group)
			}
			first := !failed[id]
			failed[id] = true
			mu.Unlock()
			time.Sleep(10 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			running[group]--
			if first && strings.HasSuffix(id, "3") {
				return errors.New("the first time fails")
			}
			order = append(order, id)
			return nil
		})
		r.spec.Concurrency, r.spec.Prefetch = 4, 100
		const groups, each = 3, 6
		for i := range each {
			for g := range groups {
				r.broker.Put("in", connections.Message{Body: fmt.Appendf(nil, "g%d-%d", g, i), Text: true, Key: fmt.Sprint("g", g)})
			}
		}
		r.put("free-0")
		r.start()
		pass(time.Minute)
		if len(order) != groups*each+1 {
			t.Fatalf("%d calls succeeded, want %d: %v", len(order), groups*each+1, order)
		}
		for g := range groups {
			var got []string
			for _, id := range order {
				if strings.HasPrefix(id, fmt.Sprintf("g%d-", g)) {
					got = append(got, id)
				}
			}
			if !slices.IsSorted(got) {
				t.Errorf("group %d came as %v", g, got)
			}
		}
		if i := slices.Index(order, "free-0"); i > 4 {
			t.Errorf("a message of no group was call %d: it waited for others", i)
		}
	})
}

// What stands behind another of its group goes back when the trigger stops.
func TestGroupsAreGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(context.Context, event.Event) error { time.Sleep(5 * time.Second); return nil })
		r.spec.Concurrency, r.spec.Prefetch = 2, 10
		for range 5 {
			r.broker.Put("in", connections.Message{Body: []byte("x"), Text: true, Key: "k"})
		}
		r.start()
		pass(time.Second)
		r.stop()
		if n := r.broker.Len("in"); n != 4 {
			t.Errorf("%d messages are in the queue, want the 4 that did not run", n)
		}
	})
}

func TestFunctionsThatSettle(t *testing.T) {
	for _, o := range []framework.Outcome{framework.Accept, framework.Release} {
		t.Run(o.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				r := newRig(t, func(ctx context.Context, _ event.Event) error {
					calls++
					if calls > 1 {
						o = framework.Accept
					}
					if err := framework.Source(ctx).Settle(ctx, o); err != nil {
						t.Error(err)
					}
					if err := framework.Source(ctx).Settle(ctx, o); err == nil {
						t.Error("the second Settle: got no error")
					}
					return errors.New("an error after it was settled changes nothing")
				})
				r.spec.Manual = true
				want := 1
				if o == framework.Release {
					want = 2
				}
				r.put("x")
				r.start()
				pass(time.Minute)
				if calls != want || r.broker.Len("in") != 0 || r.broker.Len("in.DLQ") != 0 {
					t.Errorf("%d calls, %d messages left, %d dead letters; want %d, 0, 0", calls, r.broker.Len("in"), r.broker.Len("in.DLQ"), want)
				}
			})
		})
	}
}

// What a function does not settle comes again, but does not turn in a circle.
func TestFunctionsThatForgetToSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		r := newRig(t, func(context.Context, event.Event) error { calls++; return nil })
		r.spec.Manual = true
		r.put("x")
		r.start()
		pass(10*time.Second + time.Millisecond)
		if calls < 2 || calls > 12 {
			t.Errorf("%d calls in 10 s, want about one each second", calls)
		}
		r.stop()
		if n := r.broker.Len("in"); n != 1 {
			t.Errorf("%d messages in the queue, want it back", n)
		}
	})
}
