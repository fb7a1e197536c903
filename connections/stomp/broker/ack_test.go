package broker

import (
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-stomp/stomp/v3"
	"github.com/go-stomp/stomp/v3/frame"
)

// TestAckModes runs go-stomp's client in each version with each way to acknowledge.
func TestAckModes(t *testing.T) {
	for _, v := range []stomp.Version{stomp.V10, stomp.V11, stomp.V12} {
		for _, test := range []struct {
			mode stomp.AckMode
			ack  int   // which of five messages is acknowledged
			left []int // what then comes again
		}{
			{stomp.AckAuto, 2, nil},
			{stomp.AckClient, 2, []int{3, 4}},
			{stomp.AckClientIndividual, 2, []int{0, 1, 3, 4}},
		} {
			t.Run(fmt.Sprint(v, " ", test.mode), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := &Broker{}
					p := serve(t, b)
					sender := dialStomp(t, p.dial(t), stomp.ConnOpt.AcceptVersion(v))
					conn := p.dial(t)
					receiver, err := stomp.Connect(conn, stomp.ConnOpt.AcceptVersion(v), stomp.ConnOpt.Logger(quiet{}))
					if err != nil {
						t.Fatal(err)
					}
					if got := receiver.Version(); got != v {
						t.Fatalf("version: got %s, want %s", got, v)
					}
					for i := range 5 {
						if err := sender.Send("/queue/q", "text/plain", []byte(strconv.Itoa(i)), stomp.SendOpt.Receipt); err != nil {
							t.Fatal(err)
						}
					}
					receiveAndAck(t, receiver, test.mode, 5, test.ack)
					synctest.Wait()
					conn.Close()
					synctest.Wait()
					wantDepth(t, b, "q", len(test.left), 0)
					checker := p.connect(t, v12)
					checker.subscribe("/queue/q", "auto")
					for _, i := range test.left {
						wantHeaders(t, checker.wantMessage(strconv.Itoa(i)), "redelivered", "true")
					}
					checker.wantNothing(time.Hour)
				})
			})
		}
	}
}

// receiveAndAck receives n messages and then acknowledges the one with the given number.
func receiveAndAck(t *testing.T, c *stomp.Conn, mode stomp.AckMode, n, acked int) {
	t.Helper()
	sub, err := c.Subscribe("/queue/q", mode)
	if err != nil {
		t.Fatal(err)
	}
	var messages []*stomp.Message
	for i := range n {
		m := <-sub.C
		if m.Err != nil || string(m.Body) != strconv.Itoa(i) {
			t.Fatalf("message %d: got %q, %v", i, m.Body, m.Err)
		}
		messages = append(messages, m)
	}
	if err := c.Ack(messages[acked]); err != nil {
		t.Fatal(err)
	}
}

func TestNackByGoStomp(t *testing.T) {
	for _, v := range []stomp.Version{stomp.V11, stomp.V12} {
		t.Run(string(v), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &Broker{}
				c := dialStomp(t, serve(t, b).dial(t), stomp.ConnOpt.AcceptVersion(v))
				if err := c.Send("q", "", []byte("again"), stomp.SendOpt.Receipt); err != nil {
					t.Fatal(err)
				}
				sub, err := c.Subscribe("q", stomp.AckClientIndividual)
				if err != nil {
					t.Fatal(err)
				}
				first, start := <-sub.C, time.Now()
				if err := c.Nack(first); err != nil {
					t.Fatal(err)
				}
				second := <-sub.C
				if got := time.Since(start); got != time.Second {
					t.Errorf("redelivered after %s, want 1s", got)
				}
				if got, want := second.Header.Get("message-id"), first.Header.Get("message-id"); got != want {
					t.Errorf("message-id: got %s, want %s", got, want)
				}
				if err := c.Ack(second); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				wantDepth(t, b, "q", 0, 0)
			})
		})
	}
}

func TestCumulativeNack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, &Broker{}).connect(t, v11)
		for i := range 4 {
			c.put("/queue/q", strconv.Itoa(i))
		}
		c.subscribe("/queue/q", "client", "prefetch-count", "3")
		c.wantMessages("0", "1")
		f := c.wantMessage("2")
		c.do("NACK", "message-id", f.Header.Get("message-id"), "subscription", "1")
		c.wantMessage("3")
		c.wantMessages("0", "1") // room for two: 3 is with us
		c.wantNothing(time.Hour)
	})
}

func TestBadAcks(t *testing.T) {
	for _, test := range []struct {
		name    string
		version version
		headers func(message *frame.Frame) []string
		want    string
	}{
		{"unknown id", v12, func(*frame.Frame) []string { return []string{"id", "77"} }, "no message of that id"},
		{"message-id as id", v12, func(f *frame.Frame) []string { return []string{"id", f.Header.Get("message-id")} }, "what the message's ack header says"},
		{"no subscription", v11, func(f *frame.Frame) []string { return []string{"message-id", f.Header.Get("message-id")} }, "message-id and subscription"},
		{"another subscription", v11, func(f *frame.Frame) []string {
			return []string{"message-id", f.Header.Get("message-id"), "subscription", "2"}
		}, "no message of that id"},
		{"unknown transaction", v12, func(f *frame.Frame) []string {
			return []string{"id", f.Header.Get("ack"), "transaction", "t"}
		}, `transaction "t" has not begun`},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := serve(t, &Broker{}).connect(t, test.version)
				c.put("/queue/q", "x")
				c.subscribe("/queue/q", "client-individual")
				c.send("ACK", append(test.headers(c.next()), "receipt", "r")...)
				wantHeaders(t, c.wantError(test.want), "receipt-id", "r")
			})
		})
	}
}

func TestAckTwiceOrOfAuto(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := serve(t, &Broker{})
		c := p.connect(t, v12)
		c.put("/queue/q", "x")
		c.subscribe("/queue/q", "client")
		f := c.wantMessage("x")
		c.ack(f)
		c.send("ACK", "id", f.Header.Get("ack"))
		c.wantError("it may have been already")
		c = p.connect(t, v11)
		c.put("/queue/q", "x")
		c.subscribe("/queue/q", "auto")
		c.send("ACK", "subscription", "1", "message-id", c.wantMessage("x").Header.Get("message-id"))
		c.wantError("no message of that id")
	})
}

func TestVersion10WithoutIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Broker{}
		c := serve(t, b).connect(t, v10)
		c.put("/queue/q", "x", "path", `c:\temp`)
		c.do("SUBSCRIBE", "destination", "/queue/q", "ack", "client")
		f := c.wantMessage("x")
		wantHeaders(t, f, "subscription", "")
		c.do("ACK", "message-id", f.Header.Get("message-id"))
		c.do("UNSUBSCRIBE", "destination", "/queue/q")
		c.put("/queue/q", "y")
		wantDepth(t, b, "q", 1, 0)
		c.send("NACK", "message-id", f.Header.Get("message-id"))
		c.wantError("no NACK in STOMP 1.0")
	})
}
