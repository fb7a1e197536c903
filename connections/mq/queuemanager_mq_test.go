//go:build mq && cgo

package mq

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections/connectiontest"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// TestQueueManager runs the suite on a queue manager that FAIRLEAD_MQ_… names,
// such as a real one. docs/ibm-mq.md says what it needs.
func TestQueueManager(t *testing.T) {
	if os.Getenv("FAIRLEAD_MQ_ADDRESS") == "" {
		t.Skip("FAIRLEAD_MQ_ADDRESS does not name a queue manager (docs/ibm-mq.md)")
	}
	c := &Connection{
		Address:      os.Getenv("FAIRLEAD_MQ_ADDRESS"),
		QueueManager: os.Getenv("FAIRLEAD_MQ_QUEUE_MANAGER"),
		Channel:      os.Getenv("FAIRLEAD_MQ_CHANNEL"),
		User:         os.Getenv("FAIRLEAD_MQ_USER"),
		Password:     os.Getenv("FAIRLEAD_MQ_PASSWORD"),
		JMS:          true,
	}
	if keys := os.Getenv("FAIRLEAD_MQ_KEY_REPOSITORY"); keys != "" {
		c.TLS = &TLS{KeyRepository: keys, KeyRepositoryPassword: os.Getenv("FAIRLEAD_MQ_KEY_PASSWORD")}
	}
	s := subject(connectIBM, c)
	s.Unreachable = settings()
	if c.User == "" {
		s.WrongPassword = nil
	}
	if os.Getenv("FAIRLEAD_MQ_PROXY") != "" { // cuts the connections
		host, port, _ := strings.Cut(strings.TrimSuffix(c.Address, ")"), "(")
		proxy := services.Proxy(t, host+":"+port)
		host, port, _ = strings.Cut(proxy.Addr, ":")
		c.Address = host + "(" + port + ")"
		s.Break = func(testing.TB) { proxy.Cut(); proxy.Restore() }
	}
	s.Queue = lend(c, strings.Split(os.Getenv("FAIRLEAD_MQ_QUEUES"), ","))
	s.Quiet = time.Second
	connectiontest.Run(t, s)
}

// lend returns what lends queues to tests, one at a time, empty.
func lend(c *Connection, names []string) func(testing.TB) string {
	free := make(chan string, len(names))
	for _, name := range names {
		free <- strings.TrimSpace(name)
	}
	return func(t testing.TB) string {
		t.Helper()
		select {
		case name := <-free:
			empty(t, c, name)
			t.Cleanup(func() { free <- name })
			return name
		case <-t.Context().Done():
			t.Fatal("FAIRLEAD_MQ_QUEUES names too few queues")
			return ""
		}
	}
}

// empty takes everything from a queue.
func empty(t testing.TB, c *Connection, queue string) {
	t.Helper()
	r := bench{driver: Driver(), settings: c}.receiver(t, source(queue))
	defer r.Close()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		d, err := r.Receive(ctx)
		cancel()
		if err != nil {
			return
		}
		if err := d.Settle(t.Context(), framework.Accept); err != nil {
			t.Fatal(err)
		}
	}
}
