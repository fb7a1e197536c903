package triggers_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/bindings"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/memory"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/triggers"
)

// A rig runs one trigger on queue "in" of a broker in memory.
type rig struct {
	t      *testing.T
	broker *memory.Broker
	dial   connections.Dial
	pool   *bindings.Pool
	spec   triggers.Spec

	*triggers.Trigger
	stop func()
	done chan error
}

// newRig returns a rig whose trigger calls f; change.spec may be changed before start.
func newRig(t *testing.T, f func(context.Context, event.Event) error) *rig {
	t.Helper()
	b := new(memory.Broker)
	driver := b.Driver()
	dial, err := driver.Open("main", driver.Connection())
	if err != nil {
		t.Fatal(err)
	}
	source := driver.Source()
	source.(connections.Addressed).SetAddress("in", false)
	r := &rig{t: t, broker: b, dial: dial, pool: bindings.NewPool("main", dial, connections.Reconnect{})}
	r.spec = triggers.Spec{
		Name: "t", Connection: "main", Destination: "in", Dial: dial, Source: source,
		Function: "f", Handler: framework.Sink(f),
		Retry:       framework.RetryPolicy{Attempts: 3, First: time.Second, Max: 30 * time.Second},
		Concurrency: 1, Prefetch: 8, Timeout: 30 * time.Second, Grace: 25 * time.Second,
		Reply: r.send, DeadLetters: letters{r}, Log: slog.New(slog.DiscardHandler),
	}
	return r
}

func (r *rig) start() {
	ctx, cancel := context.WithCancel(context.Background())
	r.Trigger = triggers.New(r.spec)
	r.done = make(chan error, 1)
	go func() { r.done <- r.Run(ctx) }()
	var once sync.Once
	r.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-r.done; err != nil {
				r.t.Errorf("Run: %v", err)
			}
		})
	}
	r.t.Cleanup(func() {
		r.stop()
		r.pool.Close()
	})
}

func (r *rig) send(ctx context.Context, destination string, native bool, m connections.Message) error {
	return r.pool.Send(ctx, bindings.At("", r.broker.Driver().Target(), destination, native), m)
}

type letters struct{ r *rig }

func (l letters) Put(ctx context.Context, letter triggers.Letter) error {
	return l.r.send(ctx, "in.DLQ", false, letter.OnBroker())
}

func (r *rig) put(bodies ...string) {
	for _, b := range bodies {
		r.broker.Put("in", connections.Message{Body: []byte(b), Text: true})
	}
}

// take returns the next message of a queue, or fails after a minute.
func (r *rig) take(queue string) connections.Message {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	m, err := r.broker.Take(ctx, queue)
	if err != nil {
		r.t.Fatalf("nothing in %s: %v", queue, err)
	}
	synctest.Wait()
	return m
}

// pass lets d go by, and what happens in it be done.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

var errBoom = errors.New("boom")

func near(got, want time.Duration) bool {
	return got >= want*79/100 && got <= want*121/100+time.Millisecond
}

func TestOutcomes(t *testing.T) {
	for _, tt := range []struct {
		name    string
		result  func(call int) error
		calls   int
		elapsed time.Duration
		dead    string // part of the cause; empty: settled
	}{
		{"success", func(int) error { return nil }, 1, 0, ""},
		{"retried until it works", func(n int) error {
			if n < 3 {
				return errBoom
			}
			return nil
		}, 3, 3 * time.Second, ""},
		{"attempts used up", func(int) error { return errBoom }, 3, 3 * time.Second, "boom"},
		{"terminal", func(int) error { return framework.Terminal(errBoom) }, 1, 0, "boom"},
		{"panic", func(int) error { panic(errBoom) }, 3, 3 * time.Second, "panic: boom"},
		{"retry after", func(n int) error {
			if n == 1 {
				return framework.RetryAfter(10*time.Second, errBoom)
			}
			return nil
		}, 2, 10 * time.Second, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				r := newRig(t, func(ctx context.Context, _ event.Event) error {
					calls++
					if got := framework.Source(ctx).Attempt; got != calls {
						t.Errorf("attempt %d in call %d", got, calls)
					}
					return tt.result(calls)
				})
				r.start()
				begin := time.Now()
				r.put("x")
				if tt.dead != "" {
					m := r.take("in.DLQ")
					if cause := fmt.Sprint(m.Header["fairlead_error"]); !strings.Contains(cause, tt.dead) {
						t.Errorf("cause %q, want one with %q", cause, tt.dead)
					}
					if got := m.Header["fairlead_attempts"]; got != int32(tt.calls) {
						t.Errorf("dead letter says %v attempts, want %d", got, tt.calls)
					}
					if string(m.Body) != "x" {
						t.Errorf("dead letter holds %q, want the original bytes", m.Body)
					}
				} else {
					pass(tt.elapsed * 13 / 10)
					synctest.Wait()
				}
				if calls != tt.calls {
					t.Errorf("%d calls, want %d", calls, tt.calls)
				}
				if tt.dead != "" && !near(time.Since(begin), tt.elapsed) {
					t.Errorf("took %v, want about %v", time.Since(begin), tt.elapsed)
				}
				if n := r.broker.Len("in"); n != 0 {
					t.Errorf("%d messages left in the queue", n)
				}
			})
		})
	}
}

func TestUndecodableGoesToTheDeadLettersAndTheTriggerLivesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var good atomic.Int32
		r := newRig(t, nil)
		r.spec.Handler = framework.Sink(func(context.Context, struct{ N int }) error { good.Add(1); return nil })
		r.start()
		r.put("not json", `{"N":1}`)
		r.broker.Put("in", connections.Message{ContentType: "application/cloudevents+json", Body: []byte(`{"specversion":"1.0"}`)})
		for _, want := range []string{"decode data", "not understood"} {
			if m := r.take("in.DLQ"); !strings.Contains(m.Header["fairlead_error"].(string), want) {
				t.Errorf("cause %q, want %q in it", m.Header["fairlead_error"], want)
			}
		}
		if good.Load() != 1 {
			t.Errorf("the good message was not processed")
		}
	})
}

func TestAPoisonMessageDoesNotHoldBackOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []string
		r := newRig(t, func(_ context.Context, ev event.Event) error {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, string(ev.Data()))
			if string(ev.Data()) == "poison" {
				return errBoom
			}
			return nil
		})
		r.start()
		r.put("poison", "a", "b")
		synctest.Wait()
		mu.Lock()
		got := strings.Join(order, " ")
		mu.Unlock()
		if got != "poison a b" {
			t.Errorf("got %q", got)
		}
		r.take("in.DLQ")
	})
}

func TestAnOrderedTriggerHoldsBackOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []string
		r := newRig(t, func(_ context.Context, ev event.Event) error {
			order = append(order, string(ev.Data()))
			if string(ev.Data()) == "poison" {
				return errBoom
			}
			return nil
		})
		r.spec.Ordered = true
		r.start()
		r.put("poison", "a")
		r.take("in.DLQ")
		synctest.Wait()
		if got := strings.Join(order, " "); got != "poison poison poison a" {
			t.Errorf("got %q", got)
		}
	})
}

func TestReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.spec.Handler = framework.Func(func(_ context.Context, in string) (string, error) { return "hello " + in, nil })
		r.spec.ReplyTo = "default"
		r.start()
		r.broker.Put("in", connections.Message{Body: []byte("ann"), ReplyTo: "answers", CorrelationID: "c1"})
		if m := r.take("answers"); string(m.Body) != "hello ann" || m.CorrelationID != "c1" || len(m.Header) != 0 {
			t.Errorf("got %q, correlation %v, header %v", m.Body, m.CorrelationID, m.Header)
		}
		r.put("bob")
		if m := r.take("default"); string(m.Body) != "hello bob" {
			t.Errorf("got %q", m.Body)
		}
	})
}

func TestALostConnectionUsesUpNoAttemptAndGivesNoNewOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		r := newRig(t, func(context.Context, event.Event) error { calls.Add(1); return errBoom })
		r.spec.Retry.Attempts = 4
		r.start()
		r.put("poison")
		for range 20 {
			pass(400 * time.Millisecond)
			r.broker.Break()
		}
		m := r.take("in.DLQ")
		if calls.Load() != 4 || m.Header["fairlead_attempts"] != int32(4) {
			t.Errorf("%d calls, dead letter says %v; want 4", calls.Load(), m.Header["fairlead_attempts"])
		}
	})
}

func TestWhatWasDoneBeforeTheConnectionWasLostIsNotDoneAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		var r *rig
		r = newRig(t, func(context.Context, event.Event) error {
			if calls.Add(1) == 1 {
				r.broker.Break() // the function succeeds, but its message cannot be settled
			}
			return nil
		})
		r.start()
		r.put("x")
		pass(time.Minute)
		if calls.Load() != 1 || r.broker.Len("in") != 0 {
			t.Errorf("%d calls, %d left; want 1 call, none left", calls.Load(), r.broker.Len("in"))
		}
	})
}

func TestAFaultPausesTheTriggerAndUsesUpNoAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		var calls, attempt atomic.Int32
		r := newRig(t, func(ctx context.Context, _ event.Event) error {
			calls.Add(1)
			attempt.Store(int32(framework.Source(ctx).Attempt))
			if !up.Load() {
				framework.FromContext(ctx).Blame(errBoom)
				return errors.New("could not send")
			}
			return nil
		})
		r.start()
		r.put("x", "y")
		pass(time.Minute)
		if s := r.Status(); s.State != triggers.Paused {
			t.Errorf("state %s while the output is down, want paused", s.State)
		}
		if calls.Load() > 20 {
			t.Errorf("%d calls within a minute: it spins", calls.Load())
		}
		up.Store(true)
		pass(15 * time.Second)
		if attempt.Load() != 1 || r.broker.Len("in") != 0 || r.broker.Len("in.DLQ") != 0 {
			t.Errorf("attempt %d, %d left, %d dead; want 1, 0, 0", attempt.Load(), r.broker.Len("in"), r.broker.Len("in.DLQ"))
		}
	})
}

// brokenLetters refuses the first ones.
type brokenLetters struct {
	letters
	refuse *atomic.Int32
}

func (b brokenLetters) Put(ctx context.Context, l triggers.Letter) error {
	if b.refuse.Add(-1) >= 0 {
		return errBoom
	}
	return b.letters.Put(ctx, l)
}

func TestARefusedDeadLetterIsTriedAgainAndTheFunctionIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		r := newRig(t, func(context.Context, event.Event) error { calls++; return framework.Terminal(errBoom) })
		var refuse atomic.Int32
		refuse.Store(5)
		r.spec.DeadLetters = brokenLetters{letters{r}, &refuse}
		r.start()
		r.put("x")
		r.take("in.DLQ")
		synctest.Wait()
		if calls != 1 || r.broker.Len("in") != 0 {
			t.Errorf("%d calls, %d left; want 1, 0", calls, r.broker.Len("in"))
		}
	})
}

func TestADeadLetterThatLosesItsConnectionIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls, refuse atomic.Int32
		r := newRig(t, func(context.Context, event.Event) error { calls.Add(1); return errBoom })
		refuse.Store(5)
		r.spec.DeadLetters = brokenLetters{letters{r}, &refuse}
		r.start()
		r.put("x")
		for range 8 { // the dead letters refuse, and meanwhile the connection breaks
			pass(time.Second)
			r.broker.Break()
		}
		m := r.take("in.DLQ")
		if calls.Load() != 3 || m.Header["fairlead_attempts"] != int32(3) {
			t.Errorf("%d calls, dead letter says %v, want 3", calls.Load(), m.Header["fairlead_attempts"])
		}
	})
}

func TestStopDrainsAndGivesBackTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var finished atomic.Int32
		r := newRig(t, func(ctx context.Context, ev event.Event) error {
			if string(ev.Data()) == "fails" {
				return errBoom
			}
			time.Sleep(20 * time.Second)
			finished.Add(1)
			return ctx.Err()
		})
		r.spec.Retry.First = time.Hour
		r.spec.Retry.Max = time.Hour
		r.start()
		r.put("fails", "slow", "prefetched")
		pass(time.Second)
		begin := time.Now()
		r.stop()
		if d := time.Since(begin); d != 19*time.Second {
			t.Errorf("draining took %v, want 19s", d)
		}
		if finished.Load() != 1 || r.broker.Len("in") != 2 {
			t.Errorf("%d finished, %d given back; want 1 and 2", finished.Load(), r.broker.Len("in"))
		}
	})
}

func TestStopEndsWithTheGracePeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, _ event.Event) error { <-ctx.Done(); return ctx.Err() })
		r.spec.Timeout = 0
		r.start()
		r.put("x")
		pass(time.Second)
		begin := time.Now()
		r.stop()
		if d := time.Since(begin); d != r.spec.Grace {
			t.Errorf("stopping took %v, want %v", d, r.spec.Grace)
		}
		if n := r.broker.Len("in"); n != 1 {
			t.Errorf("%d messages left, want the one that was not done", n)
		}
	})
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, _ event.Event) error { <-ctx.Done(); return ctx.Err() })
		r.spec.Retry.Attempts = 1
		r.start()
		r.put("x")
		if m := r.take("in.DLQ"); !strings.Contains(m.Header["fairlead_error"].(string), "timed out after 30s") {
			t.Errorf("cause %q", m.Header["fairlead_error"])
		}
	})
}

func TestConcurrencyIsAnUpperBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		r := newRig(t, func(context.Context, event.Event) error {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(time.Second)
			now.Add(-1)
			return nil
		})
		r.spec.Concurrency, r.spec.Prefetch = 4, 100
		r.start()
		for i := range 40 {
			r.put(fmt.Sprint(i))
		}
		pass(9500 * time.Millisecond)
		if most.Load() != 4 {
			t.Errorf("at most %d at once, want 4", most.Load())
		}
		pass(time.Second)
		if n := r.broker.Len("in"); n != 0 {
			t.Errorf("%d left after 10.5 s, want 0", n)
		}
	})
}

func TestBatchFailsEventByEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := make(map[string]int)
		r := newRig(t, func(_ context.Context, ev event.Event) error {
			seen[ev.ID()]++
			if ev.ID() == "2" {
				return errBoom
			}
			return nil
		})
		r.start()
		body := `[{"specversion":"1.0","id":"1","source":"/s","type":"t"},{"specversion":"1.0","id":"2","source":"/s","type":"t","data":{"n":2}},{"specversion":"1.0","id":"3","source":"/s","type":"t"}]`
		r.broker.Put("in", connections.Message{ContentType: "application/cloudevents-batch+json", Body: []byte(body)})
		m := r.take("in.DLQ")
		synctest.Wait()
		if seen["1"] != 1 || seen["2"] != 3 || seen["3"] != 1 {
			t.Errorf("calls %v, want one each for 1 and 3, and three for 2", seen)
		}
		if m.ContentType != "application/cloudevents+json" || !strings.Contains(string(m.Body), `"id":"2"`) {
			t.Errorf("dead letter %s %s, want the failed event alone", m.ContentType, m.Body)
		}
	})
}

func TestABrokerThatHangsUpIsNotTriedWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(context.Context, event.Event) error { return nil })
		var dials atomic.Int32
		dial := r.dial
		r.spec.Dial = func(ctx context.Context) (connections.Conn, error) {
			dials.Add(1)
			time.AfterFunc(10*time.Millisecond, r.broker.Break)
			return dial(ctx)
		}
		r.start()
		pass(time.Minute)
		if n := dials.Load(); n > 20 {
			t.Errorf("%d connections within a minute, want back-off", n)
		}
	})
}

func TestReconnectOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(context.Context, event.Event) error { return nil })
		r.spec.Reconnect.Off = true
		r.start()
		pass(time.Minute)
		r.broker.Break()
		pass(time.Minute)
		if s := r.Status(); s.State != triggers.Down || s.Err == nil {
			t.Errorf("status %+v after the connection was lost, want down, and why", s)
		}
	})
}

func TestADeadLetterDoesNotExpire(t *testing.T) {
	m := triggers.Letter{Cause: errBoom, Message: connections.Message{TTL: time.Second}}.OnBroker()
	if m.TTL >= 0 {
		t.Errorf("TTL %v, want a negative one: for ever", m.TTL)
	}
}

func TestReconnectBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(context.Context, event.Event) error { return nil })
		var mu sync.Mutex
		var times []time.Time
		var up atomic.Bool
		dial := r.dial
		r.spec.Dial = func(ctx context.Context) (connections.Conn, error) {
			mu.Lock()
			times = append(times, time.Now())
			mu.Unlock()
			if !up.Load() {
				return nil, errBoom
			}
			return dial(ctx)
		}
		r.start()
		pass(65 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if n := len(times); n < 10 || n > 20 {
			t.Errorf("%d attempts within 65 s, want 0.1 s doubling to 10 s", n)
		}
		if first := times[1].Sub(times[0]); first > 100*time.Millisecond {
			t.Errorf("first wait %v, want at most 100ms", first)
		}
		if s := r.Status(); s.State != triggers.Connecting || s.Err == nil || s.NextTry.IsZero() {
			t.Errorf("status %+v, want why and when next", s)
		}
		up.Store(true)
		r.put("x")
		mu.Unlock()
		pass(11 * time.Second)
		mu.Lock()
		if r.broker.Len("in") != 0 {
			t.Error("not received after the broker came up")
		}
	})
}

func TestARefusedPasswordIsNotTriedOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(context.Context, event.Event) error { return nil })
		n := 0
		r.spec.Dial = func(context.Context) (connections.Conn, error) {
			n++
			return nil, fmt.Errorf("%w: wrong password", connections.ErrRefused)
		}
		r.start()
		pass(150 * time.Second)
		if n != 3 {
			t.Errorf("%d attempts within 150 s, want 3", n)
		}
	})
}
