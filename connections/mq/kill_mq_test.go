//go:build mq && cgo

package mq

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/fairlead/fairlead/framework"
)

// Settings of the consumer that TestKill kills.
const (
	killPhase   = "FAIRLEAD_TEST_KILL_PHASE"
	killAddress = "FAIRLEAD_TEST_KILL_ADDRESS"
	killQueue   = "FAIRLEAD_TEST_KILL_QUEUE"
)

// TestKill kills a consumer, a process of its own, in each phase of its work.
// Nothing is lost, nothing that was not committed is there, and the queue
// manager counted.
func TestKill(t *testing.T) {
	for phase, count := range map[string]int{"connected": 0, "waiting": 0, "received": 1, "sent": 1, "accepted": 1} {
		t.Run(phase, func(t *testing.T) {
			t.Parallel()
			b, _ := clientBench(t, config())
			queue := queueName()
			consumer, ready := startConsumer(t, phase, b.settings.Address, queue)
			if phase == "waiting" {
				for b.Waiting(queue) == 0 {
					time.Sleep(time.Millisecond)
				}
			} else {
				send(t, b.sender(t, target(queue)), "0", "1", "2")
			}
			<-ready
			if err := consumer.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			consumer.Wait() // its error is that it was killed
			if phase == "waiting" {
				send(t, b.sender(t, target(queue)), "0", "1", "2")
			}
			r := b.receiver(t, source(queue))
			for i := range 3 {
				d := receive(t, r)
				if string(d.Body) != fmt.Sprint(i) || i == 0 && d.Count != count {
					t.Errorf("got %q, Count %d; want %d, Count %d", d.Body, d.Count, i, count)
				}
				if err := d.Settle(t.Context(), framework.Accept); err != nil {
					t.Fatal(err)
				}
			}
			wantDepth(t, b, queue+".OUT", 0)
		})
	}
}

// startConsumer runs TestConsumer in a process of its own. It says ready, once it
// has got as far as it should, by closing the channel.
func startConsumer(t *testing.T, phase, address, queue string) (*exec.Cmd, <-chan struct{}) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestConsumer$")
	cmd.Env = append(os.Environ(), killPhase+"="+phase, killAddress+"="+address, killQueue+"="+queue)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	go func() {
		defer close(ready)
		for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "ready"; {
		}
	}()
	return cmd, ready
}

// TestConsumer is the consumer.
func TestConsumer(t *testing.T) {
	phase, queue := os.Getenv(killPhase), os.Getenv(killQueue)
	if phase == "" {
		t.Skip("it is run by TestKill")
	}
	b := bench{driver: Driver(), settings: settings()}
	b.settings.Address = os.Getenv(killAddress)
	s := source(queue)
	s.Batch = 2
	r := b.receiver(t, s)
	consume(t, r, phase, queue)
	fmt.Println("ready")
	if phase == "waiting" {
		receive(t, r) // from where it is killed
	}
	select {}
}

func consume(t *testing.T, r *receiver, phase, queue string) {
	switch phase {
	case "received":
		receive(t, r)
	case "accepted":
		accept(t, r, "0")
	case "sent":
		receive(t, r)
		out, err := r.Sender(context.Background(), target(queue+".OUT"))
		if err != nil {
			t.Fatal(err)
		}
		send(t, out, "out")
	}
}
