package e2e

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/bindings"
	"github.com/fairlead/fairlead/connections"
)

// waiting is how many messages of 1 KiB wait in the memory test;
// FAIRLEAD_E2E_WAITING overrides it.
func waiting(t *testing.T) int {
	s := os.Getenv("FAIRLEAD_E2E_WAITING")
	if s == "" {
		return 20_000
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Bounds of the program's memory, in KiB, while messages wait for a slow function.
const (
	mostMemory = 64 << 10
	mostGrowth = 8 << 10
)

// TestMemoryIsBoundedByThePrefetch lets many messages wait for a slow function.
func TestMemoryIsBoundedByThePrefetch(t *testing.T) {
	for _, s := range []setup{{"artemis", "amqp"}, {"artemis", "stomp"}, {"classic", "stomp"}, {"rabbitmq", "stomp"}} {
		t.Run(s.String(), func(t *testing.T) {
			b := s.shared(t)
			in, out := queueName(t, "in"), queueName(t, "out")
			p := newPeer(t, s, b)
			n := waiting(t)
			p.fill(in, n)
			a := newApp(t, s.document(b, s.address(b), "slow", in, out))
			a.start()
			p.take(out, 1, func(connections.Delivery) {})
			before := a.memory()
			time.Sleep(4 * time.Second)
			after := a.memory()
			t.Logf("%d waiting: %d KiB, 4 s later %d KiB", n, before, after)
			if after > mostMemory || after-before > mostGrowth {
				t.Errorf("memory went from %d to %d KiB, want at most %d and at most %d more", before, after, mostMemory, mostGrowth)
			}
			a.kill()
			p.drain(in, 2*time.Second, func(connections.Delivery) {})
			p.drain(out, time.Second, func(connections.Delivery) {})
		})
	}
}

// fill puts n messages of 1 KiB into queue.
func (p *peer) fill(queue string, n int) {
	p.t.Helper()
	const size = 500
	to := bindings.At("peer", p.driver.Target(), queue, false)
	batch := make([]connections.Message, size)
	for i := range batch {
		batch[i] = connections.Message{Body: make([]byte, 1024)}
	}
	for ; n > 0; n -= size {
		if err := errors.Join(p.pool.SendBatch(p.t.Context(), to, batch[:min(size, n)])...); err != nil {
			p.t.Fatal(err)
		}
	}
}

// memory returns the program's resident memory in KiB.
func (a *app) memory() int {
	a.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.cmd.Process.Pid))
	if err != nil {
		a.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		a.t.Fatal(err)
	}
	return kib
}
