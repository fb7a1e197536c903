package mq

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/framework"
)

// A stuck queueManager is one whose network is a black hole: verbs of the kind
// that hangs return when released is closed.
type stuck struct {
	hangs    string
	released chan struct{}
	log      chan string // of verbs that ended
}

func newStuck(hangs string) *stuck {
	return &stuck{hangs, make(chan struct{}), make(chan string, 100)}
}

func (s *stuck) verb(name string) error {
	if name == s.hangs {
		<-s.released
	}
	s.log <- name
	return nil
}

func (s *stuck) open(opening) (object, error) { return &stuckObject{s}, s.verb("MQOPEN") }
func (s *stuck) commit() error                { return s.verb("MQCMIT") }
func (s *stuck) back() error                  { return s.verb("MQBACK") }
func (s *stuck) disconnect() error            { return s.verb("MQDISC") }

type stuckObject struct{ *stuck }

func (s *stuckObject) get(md *mqi.MD, o getOptions, _ []byte) (int, error) {
	if s.hangs == "" { // nothing hangs, and nothing comes
		time.Sleep(o.wait)
		return 0, &mqi.Error{Verb: "MQGET", Code: mqi.MQCC_FAILED, Reason: mqi.MQRC_NO_MSG_AVAILABLE}
	}
	return 0, s.verb("MQGET")
}

func (s *stuckObject) put(*mqi.MD, putOptions, []byte) error { return s.verb("MQPUT") }
func (s *stuckObject) close() error                          { return s.verb("MQCLOSE") }
func (s *stuckObject) inquire([]int32) (map[int32]any, error) {
	return nil, s.verb("MQINQ")
}

func (s *stuck) dial(t *testing.T) connections.Conn {
	t.Helper()
	dial, err := driver(func(*Connection) (queueManager, error) { return s, s.verb("MQCONNX") }).Open("test", settings())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// short returns a ctx that ends.
func short(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	t.Cleanup(cancel)
	return ctx
}

// TestHang has verbs that do not return. What opens gives up with its context;
// closing never waits long, and when a verb returns in the end, what it did is
// backed out.
func TestHang(t *testing.T) {
	for verb, use := range map[string]func(*testing.T, connections.Conn) error{
		"MQGET": func(t *testing.T, c connections.Conn) error {
			r, err := c.Receiver(t.Context(), source("Q"), 1)
			if err != nil {
				return err
			}
			_, err = r.Receive(t.Context())
			return err
		},
		"MQPUT": func(t *testing.T, c connections.Conn) error {
			s, err := c.Sender(t.Context(), target("Q"))
			if err != nil {
				return err
			}
			return errors.Join(s.Send(t.Context(), make([]connections.Message, 1))[0], s.Send(t.Context(), make([]connections.Message, 1))[0])
		},
		"MQCMIT": func(t *testing.T, c connections.Conn) error {
			r, err := c.Receiver(t.Context(), source("Q"), 1)
			if err != nil {
				return err
			}
			d, err := r.Receive(t.Context())
			if err != nil {
				return err
			}
			_, again := r.Receive(short(t))
			return errors.Join(d.Settle(t.Context(), framework.Accept), r.Close(), again)
		},
		"MQOPEN": func(t *testing.T, c connections.Conn) error {
			_, err := c.Sender(short(t), target("Q"))
			return err
		},
		"MQINQ": func(t *testing.T, c connections.Conn) error {
			_, err := c.Receiver(short(t), source("Q"), 1)
			return err
		},
	} {
		t.Run(verb, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStuck(verb)
				conn := s.dial(t)
				done := make(chan error, 1)
				go func() { done <- use(t, conn) }()
				time.Sleep(4 * patience)
				opens := verb == "MQOPEN" || verb == "MQINQ"
				if gaveUp := len(done) > 0; gaveUp != opens {
					t.Errorf("it has ended: %t, want %t", gaveUp, opens)
				}
				start := time.Now()
				conn.Close()
				if took := time.Since(start); took > patience {
					t.Errorf("closing took %v, want at most %v", took, patience)
				}
				close(s.released)
				if err := <-done; !errors.Is(err, connections.ErrConnLost) && verb != "MQCMIT" {
					t.Errorf("got %v, want ErrConnLost", err)
				}
				synctest.Wait()
				wantLast(t, s, "MQBACK", "MQDISC")
			})
		})
	}
}

// wantLast fails unless the last verbs were these.
func wantLast(t *testing.T, s *stuck, verbs ...string) {
	t.Helper()
	var log []string
	for len(s.log) > 0 {
		log = append(log, <-s.log)
	}
	if n := len(log) - len(verbs); n < 0 || log[n] != verbs[0] || log[n+1] != verbs[1] {
		t.Errorf("got verbs %v, want %v at the end", log, verbs)
	}
}

// TestDialHangs gives up a connection that comes too late, and closes it.
func TestDialHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStuck("MQCONNX")
		dial, err := driver(func(*Connection) (queueManager, error) { return s, s.verb("MQCONNX") }).Open("test", settings())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dial(short(t)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want ctx's error", err)
		}
		close(s.released)
		synctest.Wait()
		wantLast(t, s, "MQBACK", "MQDISC")
	})
}

// TestWaits has the lengths of waits: the first ones are short, so that a
// Receive ends soon, and none is longer than a second.
func TestWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := newStuck("").dial(t)
		r, err := conn.Receiver(t.Context(), source("Q"), 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, after := range []time.Duration{time.Millisecond, 100 * time.Millisecond, 10*time.Second + time.Millisecond} {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(after, cancel)
			start := time.Now()
			_, err := r.Receive(ctx)
			if late := time.Since(start) - after; !errors.Is(err, context.Canceled) || late > longWait || after < firstWait && late > firstWait {
				t.Errorf("canceled after %v: got %v, %v late", after, err, late)
			}
			ctx, cancel = context.WithTimeout(t.Context(), after)
			start = time.Now()
			if _, err := r.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > after+time.Millisecond {
				t.Errorf("deadline after %v: got %v after %v", after, err, time.Since(start))
			}
			cancel()
		}
		conn.Close()
	})
}

// TestOneInHand waits for the settlement of the delivery in hand, and notices
// meanwhile when the connection is lost.
func TestOneInHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStuck("never")
		conn := s.dial(t)
		r, err := conn.Receiver(t.Context(), source("Q"), 10)
		if err != nil {
			t.Fatal(err)
		}
		d, err := r.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Receive(short(t)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("receive with a delivery in hand: got %v, want ctx's error", err)
		}
		time.AfterFunc(5*time.Second, func() {
			if err := d.Settle(t.Context(), framework.Accept); err != nil {
				t.Error(err)
			}
		})
		start := time.Now()
		if _, err := r.Receive(t.Context()); err != nil || time.Since(start) != 5*time.Second {
			t.Errorf("got %v after %v, want the next one when the first is settled", err, time.Since(start))
		}
		conn.Close()
	})
}

// TestCloseBesideHang closes a receiver whose MQGET hangs. Nobody gets its handle.
func TestCloseBesideHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStuck("MQGET")
		conn := s.dial(t)
		r, err := conn.Receiver(t.Context(), source("Q"), 1)
		if err != nil {
			t.Fatal(err)
		}
		received := make(chan error, 1)
		go func() {
			_, err := r.Receive(t.Context())
			received <- err
		}()
		synctest.Wait()
		start := time.Now()
		if err := r.Close(); err == nil || time.Since(start) > longWait+patience {
			t.Errorf("got %v after %v, want an error in time", err, time.Since(start))
		}
		if _, err := conn.Sender(t.Context(), target("Q")); !errors.Is(err, connections.ErrConnLost) {
			t.Errorf("use of the conn: got %v, want ErrConnLost", err)
		}
		conn.Close()
		close(s.released)
		if err := <-received; !errors.Is(err, connections.ErrConnLost) {
			t.Errorf("receive: got %v, want ErrConnLost", err)
		}
		synctest.Wait()
		wantLast(t, s, "MQBACK", "MQDISC")
	})
}
