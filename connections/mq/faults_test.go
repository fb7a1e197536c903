package mq

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/mqdouble/engine"
)

// TestReceiveFaults has every reason that ends a Receive.
func TestReceiveFaults(t *testing.T) {
	for _, reason := range []int32{
		mqi.MQRC_CONNECTION_BROKEN, mqi.MQRC_Q_MGR_QUIESCING, mqi.MQRC_Q_MGR_STOPPING, mqi.MQRC_CONNECTION_QUIESCING,
		mqi.MQRC_CONNECTION_STOPPING, mqi.MQRC_GET_INHIBITED, mqi.MQRC_UNEXPECTED_ERROR,
	} {
		onBoth(t, config(), func(t *testing.T, b bench) {
			queue := queueName()
			r := b.receiver(t, source(queue))
			b.Inject(engine.Fault{Verb: "MQGET", Queue: queue, Reason: reason})
			_, err := r.Receive(t.Context())
			wantLost(t, "receive", err, reason)
			_, err = r.Receive(t.Context())
			wantLost(t, "receive again", err, reason)
			send(t, b.sender(t, target(queue)), "a")
			accept(t, b.receiver(t, source(queue)), "a")
		})
	}
}

// TestWarnings has verbs that did their work and complain: a message that was got
// is delivered and settled like any other, and one that was put is there once.
func TestWarnings(t *testing.T) {
	const notConverted = 2119 // MQRC_NOT_CONVERTED
	onBoth(t, config(), func(t *testing.T, b bench) {
		queue := queueName()
		s := b.sender(t, target(queue))
		m := connections.Message{Body: []byte("a"), Text: true, Priority: new(99)}
		if err := s.Send(t.Context(), []connections.Message{m})[0]; err != nil {
			t.Errorf("a priority that is too high: got error %v, want none", err)
		}
		wantDepth(t, b, queue, 1)
		b.Inject(engine.Fault{Verb: "MQGET done", Queue: queue, Reason: notConverted})
		r := b.receiver(t, source(queue))
		accept(t, r, "a")
		wantNothing(t, r)
		if n := b.Faults(); n != 0 {
			t.Error("there was no warning")
		}
	})
}

// TestTruncated has a queue manager that cuts a message unasked: it is no message,
// and comes again.
func TestTruncated(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		queue := queueName()
		send(t, b.sender(t, target(queue)), "a")
		b.Inject(engine.Fault{Verb: "MQGET done", Queue: queue, Reason: mqi.MQRC_TRUNCATED_MSG_ACCEPTED})
		r := b.receiver(t, source(queue))
		if d, err := r.Receive(t.Context()); reasonOf(err) != mqi.MQRC_TRUNCATED_MSG_ACCEPTED {
			t.Fatalf("got %q, error %v; want reason %d", d.Body, err, mqi.MQRC_TRUNCATED_MSG_ACCEPTED)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		accept(t, b.receiver(t, source(queue)), "a")
	})
}

// An impatient queue manager never waits for a message, but says that there is none.
type impatient struct {
	queueManager
	gets *atomic.Int32
}

type impatientObject struct {
	object
	gets *atomic.Int32
}

func (q impatient) open(o opening) (object, error) {
	opened, err := q.queueManager.open(o)
	return impatientObject{opened, q.gets}, err
}

func (o impatientObject) get(md *mqi.MD, options getOptions, buf []byte) (int, error) {
	o.gets.Add(1)
	options.options &^= mqi.MQGMO_WAIT
	return o.object.get(md, options, buf)
}

// TestImpatient does not ask such a queue manager all the time.
func TestImpatient(t *testing.T) {
	m, gets, queue := engine.New(config()), new(atomic.Int32), queueName()
	connect := onEngine(m)
	b := bench{m, driver(func(c *Connection) (queueManager, error) {
		qm, err := connect(c)
		return impatient{qm, gets}, err
	}), settings()}
	r := b.receiver(t, source(queue))
	ctx, cancel := context.WithTimeout(t.Context(), 10*firstWait)
	defer cancel()
	if _, err := r.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got error %v, want the end of the time", err)
	}
	if n := gets.Load(); n > 20 {
		t.Errorf("got %d calls of MQGET in %v, want about ten", n, 10*firstWait)
	}
	send(t, bench{m, driver(connect), settings()}.sender(t, target(queue)), "a")
	accept(t, r, "a")
}

// TestInhibitedWhileWaiting has an administrator who closes the queue.
func TestInhibitedWhileWaiting(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		queue := queueName()
		r := b.receiver(t, source(queue))
		done := make(chan error, 1)
		go func() {
			_, err := r.Receive(t.Context())
			done <- err
		}()
		for b.Waiting(queue) == 0 {
			time.Sleep(time.Millisecond)
		}
		if err := b.Change(queue, func(a *engine.Attributes) { a.InhibitGet = true }); err != nil {
			t.Fatal(err)
		}
		wantLost(t, "receive from a queue that is inhibited", <-done, mqi.MQRC_GET_INHIBITED)
	})
}

// TestQuiesce lets what is in hand finish, and takes nothing more.
func TestQuiesce(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		queue := queueName()
		send(t, b.sender(t, target(queue)), "a", "b")
		r := b.receiver(t, source(queue))
		d := receive(t, r)
		b.Quiesce(true)
		if err := d.Settle(t.Context(), framework.Accept); err != nil {
			t.Errorf("settle while the queue manager quiesces: %v", err)
		}
		_, err := r.Receive(t.Context())
		wantLost(t, "receive while the queue manager quiesces", err, mqi.MQRC_Q_MGR_QUIESCING)
		wantDepth(t, b, queue, 1)
		b.Quiesce(false)
		if d := receive(t, b.receiver(t, source(queue))); string(d.Body) != "b" || d.Count != 0 {
			t.Errorf("got %q, Count %d; want b, which was not counted", d.Body, d.Count)
		}
	})
}

// TestQuiesceInBatch commits what is accepted when no more can be got.
func TestQuiesceInBatch(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		queue := queueName()
		send(t, b.sender(t, target(queue)), "a", "b")
		s := source(queue)
		s.Batch = 10
		r := b.receiver(t, s)
		accept(t, r, "a")
		b.Quiesce(true)
		_, err := r.Receive(t.Context())
		wantLost(t, "receive while the queue manager quiesces", err, mqi.MQRC_Q_MGR_QUIESCING)
		wantDepth(t, b, queue, 1)
	})
}

// TestCommitFaults has commits that fail, or whose answer is lost.
func TestCommitFaults(t *testing.T) {
	for name, test := range map[string]struct {
		fault engine.Fault
		left  int
	}{
		"backed out":      {engine.Fault{Verb: "MQCMIT", Reason: mqi.MQRC_BACKED_OUT}, 1},
		"broken before":   {engine.Fault{Verb: "MQCMIT", Reason: mqi.MQRC_CONNECTION_BROKEN}, 1},
		"the answer lost": {engine.Fault{Verb: "MQCMIT", Reason: mqi.MQRC_CONNECTION_BROKEN, Done: true}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, config(), func(t *testing.T, b bench) {
				queue := queueName()
				send(t, b.sender(t, target(queue)), "a")
				d := receive(t, b.receiver(t, source(queue)))
				b.Inject(test.fault)
				wantLost(t, "settle", d.Settle(t.Context(), framework.Accept), test.fault.Reason)
				wantDepth(t, b, queue, test.left)
				if test.left > 0 {
					if d := receive(t, b.receiver(t, source(queue))); d.Count != 1 {
						t.Errorf("got Count %d, want 1", d.Count)
					}
				}
			})
		})
	}
}

// TestSendFaults has puts that are refused, and some of which nobody knows.
func TestSendFaults(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		for reason, refusal := range map[int32]bool{
			mqi.MQRC_Q_FULL: true, mqi.MQRC_PUT_INHIBITED: true, mqi.MQRC_MSG_TOO_BIG_FOR_Q: true, mqi.MQRC_NOT_AUTHORIZED: true,
			mqi.MQRC_CALL_IN_PROGRESS: true, mqi.MQRC_CONNECTION_BROKEN: false, mqi.MQRC_Q_MGR_QUIESCING: false,
		} {
			for _, bodies := range [][]string{{"a"}, {"a", "b", "c"}} {
				queue := queueName()
				s := b.sender(t, target(queue))
				b.Inject(engine.Fault{Verb: "MQPUT", Queue: queue, Reason: reason, After: len(bodies) / 2})
				var batch []connections.Message
				for _, body := range bodies {
					batch = append(batch, connections.Message{Body: []byte(body)})
				}
				errs := s.Send(t.Context(), batch)
				if !refusal {
					for _, err := range errs {
						wantLost(t, "send", err, reason)
					}
					wantDepth(t, b, queue, 0)
					continue
				}
				e, ok := errors.AsType[*framework.SendError](errs[len(bodies)/2])
				if !ok || e.Outcome != framework.Reject || !strings.Contains(e.Condition, mqi.ReasonName(reason)) {
					t.Errorf("reason %d: got %v, want a SendError that names it", reason, errs)
				}
				wantDepth(t, b, queue, len(bodies)-1)
			}
		}
	})
}

// TestOpenFaults has queues and queue managers that cannot be opened.
func TestOpenFaults(t *testing.T) {
	cfg := config()
	cfg.Define = nil
	onBoth(t, cfg, func(t *testing.T, b bench) {
		b.Define("FORBIDDEN", engine.Attributes{Forbidden: true})
		b.Define("TAKEN", engine.Attributes{})
		conn := b.dial(t)
		if _, err := conn.Sender(t.Context(), target("NONE")); !isSendError(err) {
			t.Errorf("send to a queue that does not exist: got %v, want a SendError", err)
		}
		if _, err := conn.Sender(t.Context(), target("topic:x")); !isSendError(err) {
			t.Errorf("send to a name that is none: got %v, want a SendError", err)
		}
		if _, err := conn.Receiver(t.Context(), source("NONE"), 1); reasonOf(err) != mqi.MQRC_UNKNOWN_OBJECT_NAME || errors.Is(err, connections.ErrConnLost) {
			t.Errorf("receive from a queue that does not exist: got %v, want reason 2085 on a live connection", err)
		}
		if n, err := conn.(connections.Gauge).Depth(t.Context(), source("NONE")); n != 0 || !errors.Is(err, connections.ErrNoQueue) {
			t.Errorf("depth of no queue: got %d, %v; want ErrNoQueue", n, err)
		}
		if _, err := conn.Sender(t.Context(), target("FORBIDDEN")); !errors.Is(err, connections.ErrRefused) {
			t.Errorf("send to a queue that is forbidden: got %v, want ErrRefused", err)
		}
		if _, err := conn.Receiver(t.Context(), source("FORBIDDEN"), 1); !errors.Is(err, connections.ErrRefused) {
			t.Errorf("receive from a queue that is forbidden: got %v, want ErrRefused", err)
		}
		b.Inject(engine.Fault{Verb: "MQOPEN", Queue: "TAKEN", Reason: mqi.MQRC_OBJECT_IN_USE})
		if _, err := conn.Receiver(t.Context(), source("TAKEN"), 1); !errors.Is(err, connections.ErrStandby) {
			t.Errorf("receive from a queue that another has alone: got %v, want ErrStandby", err)
		}
		if err := conn.(connections.Pinger).Ping(t.Context()); err != nil {
			t.Errorf("ping after all that: %v", err)
		}
	})
}

func isSendError(err error) bool {
	_, ok := errors.AsType[*framework.SendError](err)
	return ok
}

// TestDialFaults has what keeps an application from connecting.
func TestDialFaults(t *testing.T) {
	for reason, want := range map[int32]error{
		mqi.MQRC_NOT_AUTHORIZED: connections.ErrRefused, mqi.MQRC_UNKNOWN_CHANNEL_NAME: connections.ErrRefused,
		mqi.MQRC_Q_MGR_NAME_ERROR: connections.ErrRefused, mqi.MQRC_SSL_ALREADY_INITIALIZED: connections.ErrRefused,
		mqi.MQRC_Q_MGR_NOT_AVAILABLE: nil, mqi.MQRC_HOST_NOT_AVAILABLE: nil, mqi.MQRC_Q_MGR_QUIESCING: nil,
	} {
		onBoth(t, config(), func(t *testing.T, b bench) {
			b.Inject(engine.Fault{Verb: "MQCONNX", Reason: reason})
			dial, err := b.driver.Open("test", b.settings)
			if err != nil {
				t.Fatal(err)
			}
			_, err = dial(t.Context())
			if err == nil || errors.Is(err, connections.ErrRefused) != (want != nil) || errors.Is(err, connections.ErrConnLost) ||
				!strings.Contains(err.Error(), mqi.ReasonName(reason)) {
				t.Errorf("reason %d: got %v, want %v", reason, err, want)
			}
		})
	}
	dial, err := driver(onEngine(engine.New(config()))).Open("test", &Connection{Address: "a(1)", Channel: "C", User: "app"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t.Context()); !errors.Is(err, connections.ErrRefused) || !strings.Contains(err.Error(), "app") {
		t.Errorf("a user without a password: got %v, want ErrRefused with the user's name", err)
	}
}

// TestLongMessages has messages that are longer than the buffer, and than the
// one before.
func TestLongMessages(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		queue := queueName()
		s := b.sender(t, target(queue))
		r := b.receiver(t, source(queue))
		for _, n := range []int{firstBuffer + 1, 3 << 20, 10, keepBuffer, 5 << 20} {
			body := strings.Repeat("x", n)
			send(t, s, body)
			accept(t, r, body)
			if len(r.buf) > keepBuffer {
				t.Errorf("the buffer is %d bytes after a message of %d, want at most %d", len(r.buf), n, keepBuffer)
			}
		}
	})
}

// TestBrowse shows what waits, and leaves it there.
func TestBrowse(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		queue := queueName()
		send(t, b.sender(t, target(queue)), "a", strings.Repeat("b", 2*firstBuffer), "c")
		conn := b.dial(t)
		for range 2 {
			found, err := conn.(connections.Browser).Browse(t.Context(), source(queue), 0, 2)
			if err != nil || len(found) != 2 || string(found[0].Body) != "a" || len(found[1].Body) != 2*firstBuffer {
				t.Fatalf("got %d messages, %v; want the first two", len(found), err)
			}
		}
		if found, err := conn.(connections.Browser).Browse(t.Context(), source(queue), 0, 10); err != nil || len(found) != 3 {
			t.Errorf("got %d messages, %v; want all three", len(found), err)
		}
		if found, err := conn.(connections.Browser).Browse(t.Context(), source(queue), 2, 10); err != nil || len(found) != 1 || string(found[0].Body) != "c" {
			t.Errorf("got %d messages, %v; want the one after the first two", len(found), err)
		}
		if n, err := conn.(connections.Gauge).Depth(t.Context(), source(queue)); n != 3 || err != nil {
			t.Errorf("got depth %d, %v; want 3", n, err)
		}
	})
}

// TestRestart stops the queue manager and starts it again.
func TestRestart(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		queue := queueName()
		send(t, b.sender(t, target(queue)), "a")
		r := b.receiver(t, source(queue))
		d := receive(t, r)
		b.Stop()
		if err := d.Settle(t.Context(), framework.Accept); !errors.Is(err, connections.ErrConnLost) {
			t.Errorf("settle: got %v, want ErrConnLost", err)
		}
		dial, err := b.driver.Open("test", b.settings)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dial(t.Context()); reasonOf(err) != mqi.MQRC_Q_MGR_NOT_AVAILABLE {
			t.Errorf("dial a queue manager that is down: got %v, want reason 2059", err)
		}
		b.Start()
		accept(t, b.receiver(t, source(queue)), "a")
	})
}
