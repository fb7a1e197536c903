package broker

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestQueueKeepsOrderAndHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Broker{}
		c := serve(t, b).connect(t, v12)
		c.put("orders", "one", "reply-to", "answers", "correlation-id", "c:1", "content-type", "text/plain", "mine", "a\nb", "transaction-like", "x", "mine", "second")
		c.put("/queue/orders", "two\x00three", "content-length", "9")
		wantDepth(t, b, "orders", 2, 0)
		c.subscribe("/queue/orders", "client-individual")
		f := c.wantMessage("one")
		wantHeaders(t, f, "destination", "/queue/orders", "subscription", "1", "reply-to", "answers", "correlation-id", "c:1",
			"content-type", "text/plain", "mine", "a\nb", "transaction-like", "x", "receipt", "", "content-length", "", "redelivered", "", "delivery-count", "")
		wantHeaders(t, c.wantMessage("two\x00three"), "content-length", "9")
		wantDepth(t, b, "orders", 0, 2)
		c.ack(f)
		wantDepth(t, b, "orders", 0, 1)
	})
}

func TestConsumersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Broker{}
		p := serve(t, b)
		sender, first, second := p.connect(t, v12), p.connect(t, v12), p.connect(t, v12)
		first.subscribe("/queue/q", "client-individual", "prefetch-count", "2")
		second.subscribe("/queue/q", "client-individual", "activemq.prefetchSize", "3")
		counts := map[*client]int{}
		for i := range 8 {
			sender.put("/queue/q", strconv.Itoa(i))
		}
		wantDepth(t, b, "q", 3, 5)
		for counts[first] < 2 {
			counts[first]++
			first.next()
		}
		first.wantNothing(time.Hour)
		last := second.next()
		second.next()
		second.next()
		second.wantNothing(time.Hour)
		second.ack(last)
		second.wantMessage("5")
		second.wantNothing(time.Hour)
	})
}

func TestGivenBackInOrder(t *testing.T) {
	for _, test := range []struct {
		how        string
		leave      func(*client)
		count, jms string
	}{
		{"UNSUBSCRIBE", func(c *client) { c.do("UNSUBSCRIBE", "id", "1") }, "", ""},
		{"DISCONNECT", func(c *client) { c.do("DISCONNECT") }, "", ""},
		{"lost", func(c *client) { c.conn.Close() }, "1", "2"},
		{"ERROR", func(c *client) { c.send("ACK", "id", "99") }, "1", "2"},
	} {
		t.Run(test.how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := serve(t, &Broker{})
				c, other := p.connect(t, v12), p.connect(t, v12)
				for i := range 5 {
					c.put("/queue/q", strconv.Itoa(i))
				}
				c.subscribe("/queue/q", "client-individual", "prefetch-count", "4")
				ids := map[string]string{}
				for i := range 4 {
					f := c.wantMessage(strconv.Itoa(i))
					ids[string(f.Body)] = f.Header.Get("message-id")
					if i == 1 {
						c.ack(f)
					}
				}
				c.wantMessage("4")
				test.leave(c)
				synctest.Wait()
				other.subscribe("/queue/q", "client-individual")
				for _, i := range []string{"0", "2", "3"} {
					f := other.wantMessage(i)
					wantHeaders(t, f, "redelivered", "true", "message-id", ids[i], "delivery-count", test.count, "JMSXDeliveryCount", test.jms)
				}
				other.wantMessage("4")
				other.wantNothing(time.Hour)
			})
		})
	}
}

func TestWhatWasNeverWrittenIsNotRedelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := serve(t, &Broker{})
		slow, other := p.connect(t, v12), p.connect(t, v12)
		big := strings.Repeat("x", 64<<10) // more than a buffer, so that the writer waits for the client
		slow.send("SUBSCRIBE", "destination", "/queue/q", "id", "1")
		synctest.Wait()
		other.put("/queue/q", big)
		synctest.Wait()
		other.put("/queue/q", "unseen")
		slow.conn.Close()
		synctest.Wait()
		other.subscribe("/queue/q", "auto")
		wantHeaders(t, other.wantMessage(big), "redelivered", "true", "delivery-count", "1")
		wantHeaders(t, other.wantMessage("unseen"), "redelivered", "", "delivery-count", "")
	})
}

func TestNothingComesAfterUnsubscribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Broker{}
		p := serve(t, b)
		c, sender := p.connect(t, v12), p.connect(t, v12)
		c.subscribe("/queue/q", "client")
		for _, text := range []string{"0", "1", "2"} {
			sender.put("/queue/q", text)
			synctest.Wait() // the first is being written: the client does not read
		}
		c.do("UNSUBSCRIBE", "id", "1")
		c.wantMessage("0")
		c.wantNothing(time.Hour)
		wantDepth(t, b, "q", 3, 0)
	})
}

func TestAutoAckNeedsNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := serve(t, &Broker{})
		c, sender := p.connect(t, v12), p.connect(t, v12)
		c.subscribe("/queue/q", "auto", "prefetch-count", "2")
		for i := range 10 {
			sender.put("/queue/q", strconv.Itoa(i))
		}
		for i := range 10 {
			c.wantMessage(strconv.Itoa(i))
		}
	})
}

func TestNackComesBackLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Broker{NackDelay: 3 * time.Second}
		c := serve(t, b).connect(t, v12)
		c.put("/queue/q", "one")
		c.put("/queue/q", "two")
		c.subscribe("/queue/q", "client-individual")
		f := c.wantMessage("one")
		c.do("NACK", "id", f.Header.Get("ack"))
		c.wantMessage("two")
		wantDepth(t, b, "q", 1, 1)
		c.wantNothing(3*time.Second - time.Millisecond)
		again := c.wantMessage("one")
		wantHeaders(t, again, "message-id", f.Header.Get("message-id"), "redelivered", "true", "delivery-count", "1", "JMSXDeliveryCount", "2")
		c.do("NACK", "id", again.Header.Get("ack"))
		wantHeaders(t, c.wantMessage("one"), "delivery-count", "2", "JMSXDeliveryCount", "3")
	})
}

func TestPriorityExpiryAndDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Broker{}
		c := serve(t, b).connect(t, v12)
		in := func(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).UnixMilli(), 10) }
		c.put("/queue/q", "low", "priority", "0")
		c.put("/queue/q", "normal")
		c.put("/queue/q", "high", "priority", "9")
		c.put("/queue/q", "normal too", "priority", "4", "expires", in(time.Hour))
		c.put("/queue/q", "dead", "priority", "9", "expires", in(time.Second))
		c.put("/queue/q", "later", "AMQ_SCHEDULED_DELAY", "5000")
		wantDepth(t, b, "q", 6, 0)
		time.Sleep(2 * time.Second)
		c.subscribe("/queue/q", "auto")
		c.wantMessages("high", "normal", "normal too", "low")
		c.wantNothing(3*time.Second - time.Millisecond)
		wantHeaders(t, c.wantMessage("later"), "AMQ_SCHEDULED_DELAY", "")
		c.put("/queue/q", "too late", "expires", in(-time.Second))
		c.put("/queue/q", "late too", "expires", in(time.Second), "AMQ_SCHEDULED_DELAY", "2000")
		c.wantNothing(time.Hour)
		synctest.Wait()
		wantDepth(t, b, "q", 0, 0)
		c.do("DISCONNECT")
		wantEmpty(t, b)
	})
}

func TestSelectorOfConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := serve(t, &Broker{})
		red, any := p.connect(t, v12), p.connect(t, v12)
		red.subscribe("/queue/q", "auto", "selector", "color = 'red'")
		red.put("/queue/q", "blue", "color", "blue")
		red.put("/queue/q", "red", "color", "red")
		red.wantMessage("red")
		red.wantNothing(time.Hour)
		any.subscribe("/queue/q", "auto")
		any.wantMessage("blue")
	})
}

func TestForgetsQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Broker{}
		c := serve(t, b).connect(t, v12)
		c.subscribe("/queue/other", "client")
		c.do("UNSUBSCRIBE", "id", "1")
		for i := range 3 {
			name := fmt.Sprint("/queue/q", i)
			c.put(name, "x")
			c.subscribe(name, "client")
			c.ack(c.wantMessage("x"))
			c.do("UNSUBSCRIBE", "id", "1")
		}
		wantEmpty(t, b)
	})
}

func TestServeAgainKeepsMessages(t *testing.T) {
	b := &Broker{}
	synctest.Test(t, func(t *testing.T) {
		p := serve(t, b)
		c := p.connect(t, v12)
		c.put("/queue/q", "kept")
		c.subscribe("/queue/q", "client")
		c.wantMessage("kept")
		go p.stop()
		c.wantError("stopping")
	})
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, b).connect(t, v12)
		c.subscribe("/queue/q", "client")
		wantHeaders(t, c.wantMessage("kept"), "redelivered", "true", "delivery-count", "")
	})
}

// TestNothingIsLost has consumers that take a few messages, acknowledge some
// and go away in one way or another, until all are acknowledged.
func TestNothingIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const messages = 500
		b := &Broker{}
		p := serve(t, b)
		sender := p.connect(t, v12)
		for i := range messages {
			sender.put("/queue/q", strconv.Itoa(i))
		}
		acknowledged := make(acknowledgements, messages)
		var consumers sync.WaitGroup
		for n := range 4 {
			consumers.Go(func() {
				random := rand.New(rand.NewPCG(1, uint64(n)))
				for acknowledged.left(b) {
					acknowledged.some(t, p, random)
				}
			})
		}
		consumers.Wait()
		for i := range acknowledged {
			if got := acknowledged[i].Load(); got != 1 {
				t.Errorf("message %d was acknowledged %d times, want once", i, got)
			}
		}
		wantEmpty(t, b)
	})
}

// acknowledgements counts how often each message was acknowledged.
type acknowledgements []atomic.Int32

func (a acknowledgements) left(b *Broker) bool {
	waiting, unacknowledged := b.Depth("q")
	return waiting+unacknowledged > 0
}

// some is the life of one consumer.
func (a acknowledgements) some(t *testing.T, p *pipes, random *rand.Rand) {
	c := p.connect(t, v12)
	c.subscribe("/queue/q", "client-individual", "prefetch-count", strconv.Itoa(1+random.IntN(20)))
	for range len(c.got) {
		f := c.next()
		i, err := strconv.Atoi(string(f.Body))
		if err != nil {
			t.Error(err)
		}
		if random.IntN(3) > 0 {
			c.ack(f)
			a[i].Add(1)
		}
	}
	switch random.IntN(3) {
	case 0:
		c.do("UNSUBSCRIBE", "id", "1")
	case 1:
		c.do("DISCONNECT")
	}
	c.conn.Close()
	time.Sleep(time.Millisecond) // of no real time, until the broker is done with it
}
