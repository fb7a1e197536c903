package stomp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-stomp/stomp/v3/frame"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

func TestHeartbeatIsSent(t *testing.T) {
	for _, test := range []struct {
		name    string
		ours    time.Duration
		greets  []string
		longest time.Duration // that the broker waits; 0: for ever
	}{
		{"as agreed", 10 * time.Second, []string{"version", "1.2", "heart-beat", "0,5000"}, 10 * time.Second},
		{"as seldom as the broker wants", 10 * time.Second, []string{"version", "1.1", "heart-beat", "0,30000"}, 30 * time.Second},
		{"off, but the broker wants it", 0, []string{"version", "1.2", "heart-beat", "0,30000"}, 30 * time.Second},
		{"off", 0, []string{"version", "1.2", "heart-beat", "0,0"}, 0},
		{"the broker wants none", 10 * time.Second, []string{"version", "1.2", "heart-beat", "0,0"}, 0},
		{"1.0", 10 * time.Second, nil, 10 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, s := piped(t, &Connection{Heartbeat: &test.ours}, test.greets...)
				for range 5 {
					if test.longest > 0 {
						s.conn.SetReadDeadline(time.Now().Add(test.longest))
					} else {
						s.conn.SetReadDeadline(time.Now().Add(time.Hour))
					}
					f, err := s.in.Read()
					if test.longest > 0 && (f != nil || err != nil) {
						t.Fatalf("got frame %v, error %v, want a heart-beat within %v", f, err, test.longest)
					}
					if test.longest == 0 && err == nil {
						t.Fatalf("got frame %v, want nothing", f)
					}
				}
			})
		})
	}
}

// A broker that is silent is lost, though TCP says nothing; one that has
// promised nothing may be.
func TestSilence(t *testing.T) {
	for _, test := range []struct {
		name   string
		greets []string
		limit  time.Duration // 0: for ever
	}{
		{"heart-beats promised", []string{"version", "1.2", "heart-beat", "10000,0"}, 15 * time.Second},
		{"seldom ones promised", []string{"version", "1.2", "heart-beat", "60000,0"}, 90 * time.Second},
		{"none promised", []string{"version", "1.2", "heart-beat", "0,0"}, 0},
		{"1.0", nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := piped(t, new(Connection), test.greets...)
				time.Sleep(test.limit - time.Second)
				s.out.Write(nil) // a heart-beat
				go s.obey()
				time.Sleep(test.limit - time.Second)
				select {
				case <-c.Done():
					t.Fatalf("lost too soon: %v", c.err)
				default:
				}
				time.Sleep(time.Hour)
				select {
				case <-c.Done():
					wantLost(t, "silence", c.err)
				default:
					if test.limit > 0 {
						t.Errorf("not lost after %v of silence", test.limit)
					}
				}
			})
		})
	}
}

// A receipt that comes when nobody waits for it any more is no harm.
func TestLateReceipt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := piped(t, new(Connection), "version", "1.2")
		late := make(chan *frame.Frame, 1)
		go func() {
			s.read() // BEGIN
			late <- s.read()
			time.Sleep(time.Minute)
			s.receipt(<-late)
			s.obey()
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got error %v, want that the receipt did not come in time", err)
		}
		time.Sleep(2 * time.Minute)
		if err := c.Ping(t.Context()); err != nil {
			t.Errorf("ping after the late receipt: %v", err)
		}
	})
}

// messages writes n messages to the first subscription.
func (s *session) messages(n int) {
	for i := range n {
		s.write(frame.MESSAGE, frame.Subscription, "1", frame.MessageId, fmt.Sprint(i), frame.Ack, fmt.Sprint(i))
	}
}

// Acknowledging from many goroutines while the broker ends the connection blocks
// nobody, as it does with go-stomp's Conn.
func TestSettleWhileTheBrokerHangsUp(t *testing.T) {
	for _, last := range []string{"shutting down", ""} {
		t.Run("ERROR "+last, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n, before = 100, 3
				c, s := piped(t, new(Connection), "version", "1.2")
				go func() {
					s.receipt(s.read())
					s.messages(n)
					for range before {
						s.read() // an ACK
					}
					if last != "" {
						s.write(frame.ERROR, frame.Message, last)
					}
					s.conn.Close()
				}()
				r := receiverOf(t, c, n)
				settled := make(chan error, n)
				var deliveries []connections.Delivery
				for range n {
					d, err := r.Receive(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					deliveries = append(deliveries, d)
				}
				for _, d := range deliveries {
					go func() { settled <- d.Settle(t.Context(), framework.Accept) }()
				}
				for range n {
					if err := <-settled; err != nil { // synctest fails if it never comes
						wantLost(t, "settle", err)
					}
				}
				<-c.Done()
				wantLost(t, "settle", deliveries[0].Settle(t.Context(), framework.Release))
				if _, err := r.Receive(t.Context()); !strings.Contains(fmt.Sprint(err), last) {
					t.Errorf("got error %v, want the broker's words", err)
				}
			})
		})
	}
}

// A broker that ignores the prefetch is read only as far as there is room.
// Meanwhile our heart-beats go on, and its own are not missed.
func TestMoreThanThePrefetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, prefetch = 50, 4
		c, s := piped(t, new(Connection), "version", "1.2", "server", "RabbitMQ/3", "heart-beat", "10000,10000")
		sent := make(chan bool)
		go func() {
			s.receipt(s.read())
			s.messages(n)
			close(sent)
		}()
		r := receiverOf(t, c, prefetch)
		for range 10 { // a function that is slower than the heart-beat
			d, err := r.Receive(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for range 10 {
				s.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
				if _, err := s.in.Read(); err != nil {
					t.Fatalf("got error %v, want a heart-beat within 10 s", err)
				}
			}
			if err := d.Settle(t.Context(), framework.Accept); err != nil {
				t.Fatal(err)
			}
			s.conn.SetReadDeadline(time.Time{})
			s.read() // the ACK
		}
		select {
		case <-sent:
			t.Errorf("all %d messages were read, want that reading waits for room for %d", n, prefetch)
		default:
		}
	})
}

// What is in hand is acknowledged before the subscription ends, and nothing is
// said after the end.
func TestCloseInOrder(t *testing.T) {
	for server, want := range map[string]string{
		"ActiveMQ/6":         "ACK UNSUBSCRIBE DISCONNECT",
		"ActiveMQ-Artemis/2": "ACK UNSUBSCRIBE DISCONNECT",
		"RabbitMQ/3":         "ACK DISCONNECT",
	} {
		t.Run(server, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := piped(t, new(Connection), "version", "1.2", "server", server)
				heard := make(chan string, 1)
				go func() {
					s.receipt(s.read())
					s.messages(2)
					var commands []string
					for f := s.read(); f != nil; f = s.read() {
						commands = append(commands, f.Command)
						if f.Command == frame.DISCONNECT {
							s.receipt(f)
						}
					}
					heard <- strings.Join(commands, " ")
				}()
				r := receiverOf(t, c, 2)
				first, err := r.Receive(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				second, err := r.Receive(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(first.Settle(t.Context(), framework.Accept), r.Close()); err != nil {
					t.Fatal(err)
				}
				wantLost(t, "settle after close", second.Settle(t.Context(), framework.Accept))
				if got := <-heard; got != want {
					t.Errorf("the broker heard %s, want %s", got, want)
				}
			})
		})
	}
}

// A broker that does not answer DISCONNECT holds nobody up.
func TestCloseWithoutAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := piped(t, new(Connection), "version", "1.2")
		go func() {
			for s.read() != nil {
			}
		}()
		start := time.Now()
		if err := c.Close(); err != nil || time.Since(start) != closeWait {
			t.Errorf("got error %v after %v, want none after %v", err, time.Since(start), closeWait)
		}
	})
}
