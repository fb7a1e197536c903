package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/test/services"
)

// count is how many messages each fault test sends; FAIRLEAD_E2E_MESSAGES
// overrides it.
func count(t *testing.T) int {
	s := os.Getenv("FAIRLEAD_E2E_MESSAGES")
	if s == "" {
		return 1500
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const poisons = 5

// TestNothingIsLost sends numbered messages while the program is killed, the
// broker is killed and the connections are cut, and then looks for every one.
func TestNothingIsLost(t *testing.T) {
	if testing.Short() {
		t.Skip("short: takes minutes")
	}
	for _, s := range setups {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			b := services.Private(t, s.broker)
			proxy := services.Proxy(t, s.address(b.Broker))
			in, out := queueName(t, "in"), queueName(t, "out")
			a := newApp(t, s.document(b.Broker, proxy.Addr, "forward", in, out))
			p := newPeer(t, s, b.Broker)
			p.declare(in, out, in+".DLQ")
			b.Stop() // RabbitMQ may lose a queue that it is killed soon after it was made
			b.Start()
			a.start()
			n := count(t)
			faults(t, a, b, proxy, func() {
				for i := range n {
					if !p.publish(in, fmt.Sprintf("m-%d", i)) {
						return
					}
					if i%(n/poisons) == 0 {
						p.publish(in, fmt.Sprintf("poison-%d", i))
					}
					if i%50 == 0 {
						time.Sleep(100 * time.Millisecond) // spread the load over the faults
					}
				}
			})
			verify(t, a, p, in, out, n)
		})
	}
}

// faults does harm, about once a second, while load runs, and leaves everything
// running.
func faults(t *testing.T, a *app, b *services.Instance, proxy *services.ToxiProxy, load func()) {
	harm := []func(){
		func() { a.kill(); a.start() },
		func() { proxy.Cut(); time.Sleep(200 * time.Millisecond); proxy.Restore() },
		func() { a.kill(); a.start() },
		func() { b.Kill(); b.Start() },
		func() { proxy.Cut(); proxy.Restore() },
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		load()
	}()
	for i := 0; ; i++ {
		select {
		case <-over:
			if i >= len(harm) {
				return
			}
		case <-time.After(time.Second + rand.N(500*time.Millisecond)):
		}
		harm[i%len(harm)]()
	}
}

// verify waits until the program has nothing left to do, and counts.
func verify(t *testing.T, a *app, p *peer, in, out string, n int) {
	t.Helper()
	seen := make(map[string]int)
	deadline := time.Now().Add(90 * time.Second)
	for len(seen) < n && time.Now().Before(deadline) {
		p.drain(out, 2*time.Second, func(d connections.Delivery) { seen[string(d.Body)]++ })
	}
	doubled := 0
	for i := range n {
		id := fmt.Sprintf("m-%d", i)
		switch k := seen[id]; {
		case k == 0:
			t.Errorf("%s is lost", id)
		case k > 1:
			doubled++
		}
		delete(seen, id)
	}
	for id := range seen {
		t.Errorf("%q came out and was never sent", id)
	}
	time.Sleep(time.Second)
	a.stop()
	dead := make(map[string]bool)
	p.drain(in+".DLQ", 2*time.Second, func(d connections.Delivery) {
		dead[string(d.Body)] = true
		if got := fmt.Sprint(d.Header["fairlead_attempts"]); got != "3" {
			t.Errorf("%s was dead-lettered after %s attempts, want 3", d.Body, got)
		}
	})
	for id := range dead {
		if !strings.HasPrefix(id, "poison") {
			t.Errorf("%s is in the dead letters, and was no poison", id)
		}
	}
	if len(dead) != poisons {
		t.Errorf("%d poison messages in the dead letters, want %d", len(dead), poisons)
	}
	p.drain(in, time.Second, func(d connections.Delivery) { t.Errorf("%s was left in the queue", d.Body) })
	t.Logf("%d messages, %d of them more than once, none lost", n, doubled)
}
