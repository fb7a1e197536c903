package broker

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestCommitIsAtomic(t *testing.T) {
	for _, end := range []string{"COMMIT", "ABORT", "DISCONNECT", "lost"} {
		t.Run(end, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &Broker{NackDelay: time.Nanosecond}
				p := serve(t, b)
				c := p.connect(t, v12)
				c.put("/queue/in", "accepted")
				c.put("/queue/in", "refused")
				c.subscribe("/queue/in", "client-individual")
				accepted, refused := c.wantMessage("accepted"), c.wantMessage("refused")
				used := inUse(b)
				c.do("BEGIN", "transaction", "t")
				c.put("/queue/out", "one", "transaction", "t")
				c.ack(accepted, "transaction", "t")
				c.do("NACK", "id", refused.Header.Get("ack"), "transaction", "t")
				c.put("/queue/out", "two", "transaction", "t")
				wantDepth(t, b, "in", 0, 2)
				wantDepth(t, b, "out", 0, 0)
				switch end {
				case "COMMIT":
					c.do("COMMIT", "transaction", "t")
					wantDepth(t, b, "out", 2, 0)
					wantHeaders(t, c.wantMessage("refused"), "delivery-count", "1")
					wantDepth(t, b, "in", 0, 1)
				case "ABORT":
					c.do("ABORT", "transaction", "t")
					wantDepth(t, b, "in", 0, 2)
				case "DISCONNECT":
					c.do("DISCONNECT")
					wantDepth(t, b, "in", 2, 0)
				case "lost":
					c.conn.Close()
					synctest.Wait()
					wantDepth(t, b, "in", 2, 0)
				}
				if end != "COMMIT" {
					wantDepth(t, b, "out", 0, 0)
					if got := inUse(b); got != used {
						t.Errorf("got %d bytes in use, want %d as before", got, used)
					}
				}
				if end == "ABORT" {
					c.ack(accepted)
					c.ack(refused)
					wantDepth(t, b, "in", 0, 0)
				}
			})
		})
	}
}

func inUse(b *Broker) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

func TestCumulativeAckInTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Broker{}
		c := serve(t, b).connect(t, v12)
		for _, text := range []string{"0", "1", "2", "3"} {
			c.put("/queue/q", text)
		}
		c.subscribe("/queue/q", "client")
		c.wantMessage("0")
		one := c.wantMessage("1")
		c.wantMessage("2")
		three := c.wantMessage("3")
		c.do("BEGIN", "transaction", "t")
		c.do("BEGIN", "transaction", "u")
		c.ack(one, "transaction", "t")
		c.ack(three, "transaction", "u")
		c.do("ABORT", "transaction", "t")
		c.do("COMMIT", "transaction", "u")
		wantDepth(t, b, "q", 0, 2)
		c.ack(one)
		c.do("DISCONNECT")
		wantEmpty(t, b)
	})
}

func TestTransactionOutlivesSubscription(t *testing.T) {
	for end, left := range map[string]int{"COMMIT": 1, "ABORT": 2} {
		t.Run(end, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &Broker{}
				c := serve(t, b).connect(t, v12)
				c.put("/queue/q", "one")
				c.put("/queue/q", "two")
				c.subscribe("/queue/q", "client-individual")
				f := c.wantMessage("one")
				c.wantMessage("two")
				c.do("BEGIN", "transaction", "t")
				c.ack(f, "transaction", "t")
				c.do("UNSUBSCRIBE", "id", "1")
				wantDepth(t, b, "q", 1, 1)
				c.do(end, "transaction", "t")
				wantDepth(t, b, "q", left, 0)
			})
		})
	}
}

func TestAckTwiceInTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, &Broker{}).connect(t, v12)
		c.put("/queue/q", "x")
		c.subscribe("/queue/q", "client-individual")
		f := c.wantMessage("x")
		c.do("BEGIN", "transaction", "t")
		c.ack(f, "transaction", "t")
		c.send("ACK", "id", f.Header.Get("ack"))
		c.wantError("no message of that id")
	})
}

func TestBadTransactions(t *testing.T) {
	for _, test := range []struct{ command, transaction, want string }{
		{"BEGIN", "", "no transaction header"},
		{"BEGIN", "open", "has begun already"},
		{"COMMIT", "other", "has not begun"},
		{"ABORT", "other", "has not begun"},
		{"SEND", "other", "has not begun"},
	} {
		t.Run(test.command+" "+test.transaction, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := serve(t, &Broker{}).connect(t, v12)
				c.do("BEGIN", "transaction", "open")
				headers := []string{"destination", "q"}
				if test.transaction != "" {
					headers = append(headers, "transaction", test.transaction)
				}
				c.send(test.command, headers...)
				c.wantError(test.want)
			})
		})
	}
}
