package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
)

// TestStopDrains stops the program while it works, and expects every message in
// exactly one of two places: done, or back in the queue, with nothing done twice.
func TestStopDrains(t *testing.T) {
	for _, s := range setups {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			b := s.shared(t)
			in, out := queueName(t, "in"), queueName(t, "out")
			p := newPeer(t, s, b)
			const n = 100
			for i := range n {
				p.publish(in, fmt.Sprintf("m-%d", i))
			}
			a := newApp(t, s.document(b, s.address(b), "slow", in, out))
			a.start()
			done := make(map[string]int)
			p.take(out, 1, func(d connections.Delivery) { done[string(d.Body)]++ }) // it works
			if took := a.stop(); took > 15*time.Second {                            // the grace period is 25 s
				t.Errorf("stopping took %v with calls of 300 ms", took)
			}
			p.drain(out, 2*time.Second, func(d connections.Delivery) { done[string(d.Body)]++ })
			finished := len(done)
			p.drain(in, 2*time.Second, func(d connections.Delivery) {
				done[string(d.Body)]++
				if d.Count > 0 && s.releasesUncounted() {
					t.Errorf("%s was given back with a delivery count of %d", d.Body, d.Count)
				}
			})
			for i := range n {
				if id := fmt.Sprintf("m-%d", i); done[id] != 1 {
					t.Errorf("%s is in %d places, want 1", id, done[id])
				}
			}
			if finished == 0 || finished > n/2 {
				t.Errorf("%d of %d were done before the program stopped; the test says nothing", finished, n)
			}
		})
	}
}

// releasesUncounted says whether the broker can take messages back without
// counting a delivery.
func (s setup) releasesUncounted() bool { return s.protocol == "amqp" }
