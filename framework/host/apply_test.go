package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/triggers"
)

// twoTriggers is a document with two triggers that have a connection each.
func twoTriggers(a, b string) string {
	return fmt.Sprintf(`
version: 1
connections: {a: {type: memory%s}, b: {type: memory}}
triggers:
  ta: {connection: a, queue: in, function: f}
  tb: {connection: b, queue: other, function: f%s}
`, a, b)
}

func TestApplyRefusesALinkThatIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, framework.Functions{"f": framework.Sink(nothing)})
		r.apply(twoTriggers("", ""))
		before := r.triggers()
		r.refuse("a", true)
		err := r.Apply(t.Context(), r.parse(twoTriggers(", limit: 5", ", concurrency: 2")))
		if err == nil || !strings.Contains(err.Error(), "connections.a: refused: wrong password") {
			t.Fatalf("got error %v, want the refusal of connections.a", err)
		}
		if got := r.triggers(); got["ta"] != before["ta"] || got["tb"] != before["tb"] {
			t.Error("a refused change replaced a trigger")
		}
		p := r.Status().Progress
		if p.Generation != 1 || p.Refused == nil || refusalOf(p.Refused, "connections", "a") == nil || refusalOf(p.Refused, "connections", "b") != nil {
			t.Errorf("got progress %+v, want generation 1 and a refusal of connection a", p)
		}
		s := r.Backend().Status()
		if got := s.Connections[0].Refused; got != "new config refused: refused: wrong password" {
			t.Errorf("got %q in the status of connection a", got)
		}
		if s.Connections[1].Refused != "" || s.Triggers[0].Refused != "" {
			t.Errorf("got a refusal of what is not to blame: %+v", s)
		}

		r.refuse("a", false)
		r.apply(twoTriggers(", limit: 5", ", concurrency: 2"))
		if p := r.Status().Progress; p.Generation != 2 || p.Refused != nil {
			t.Errorf("got progress %+v, want generation 2 and no refusal", p)
		}
	})
}

func TestApplyToABrokerThatIsDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, framework.Functions{"f": framework.Sink(nothing)})
		r.apply(twoTriggers("", ""))
		r.cut("a", true)
		r.apply(twoTriggers(", limit: 5", ""))
		if s := r.Status().Triggers["ta"]; s.State != triggers.Connecting || s.Err == nil {
			t.Errorf("got status %+v, want connecting, and why", s)
		}
		if g := r.Status().Progress.Generation; g != 2 {
			t.Errorf("got generation %d, want 2: a broker that is down refuses nothing", g)
		}
	})
}

// refuseQueue makes the driver refuse a source by its queue.
func (r *rig) refuseQueue(queue string) {
	d := r.drivers["memory"]
	open := d.Open
	d.Open = func(name string, settings any) (connections.Dial, error) {
		dial, err := open(name, settings)
		return func(ctx context.Context) (connections.Conn, error) {
			c, err := dial(ctx)
			return picky{c, queue}, err
		}, err
	}
	r.drivers["memory"] = d
}

// A picky Conn refuses one queue.
type picky struct {
	connections.Conn
	queue string
}

func (c picky) Receiver(ctx context.Context, source any, prefetch int) (connections.Receiver, error) {
	if name, _ := source.(connections.Addressed).Address(); name == c.queue {
		return nil, fmt.Errorf("%w: no such queue", connections.ErrRefused)
	}
	return c.Conn.Receiver(ctx, source, prefetch)
}

func TestApplyReopensTheOldSource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		got := make(chan string, 10)
		r := newRig(t, framework.Functions{"f": framework.Sink(func(_ context.Context, s string) error {
			got <- s
			return nil
		})})
		r.refuseQueue("missing")
		r.apply(oneTrigger)
		err := r.Apply(t.Context(), r.parse(strings.ReplaceAll(oneTrigger, "queue: in", "queue: missing")))
		if err == nil || refusalOf(err, "triggers", "t") == nil {
			t.Fatalf("got error %v, want the refusal of the trigger", err)
		}
		r.put("in", "1")
		if s := <-got; s != "1" {
			t.Errorf("got %q, want 1", s)
		}
		s := r.Backend().Status()
		if s.Triggers[0].State != "running" || !strings.Contains(s.Triggers[0].Refused, "no such queue") || s.Config.Generation != 1 {
			t.Errorf("got %+v, want the old trigger running, and why the new is refused", s)
		}
	})
}

func TestApplyOverARefusedTrigger(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, framework.Functions{"f": framework.Sink(nothing)})
		r.refuseQueue("missing")
		r.apply(strings.ReplaceAll(oneTrigger, "queue: in", "queue: missing"))
		r.apply(strings.ReplaceAll(oneTrigger, "queue: in", "queue: missing, concurrency: 2"))
		if g := r.Status().Progress.Generation; g != 2 {
			t.Errorf("got generation %d, want 2: the trigger did not run before either", g)
		}
		r.apply(oneTrigger)
		if s := r.Status().Triggers["t"]; s.State != triggers.Running {
			t.Errorf("got %+v, want it running", s)
		}
	})
}

func TestApplyKeepsTheBacklogOfASubscription(t *testing.T) {
	h := newHost(framework.Functions{"f": framework.Sink(nothing)})
	defer h.Stop(t.Context())
	document := func(trigger string) *config.Config {
		cfg, err := config.Parse([]byte(`
version: 1
store: none
connections:
  a: {type: amqp, url: "amqp://127.0.0.1:1", containerId: c}
  s: {type: stomp, url: "stomp://127.0.0.1:1", clientId: c}
triggers:
  t: {function: f, `+trigger+"}\n"), "fairlead.yaml", h.loadOptions())
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	for _, tt := range []struct {
		old, new string
		refused  bool
	}{
		{"connection: a, topic: x, subscription: s", "connection: a, topic: x, subscription: s, selector: \"n > 1\"", true},
		{"connection: a, topic: x, subscription: s", "connection: a, topic: y, subscription: s", true},
		{"connection: s, topic: x, subscription: s", "connection: s, topic: x, subscription: s, selector: \"n > 1\"", true},
		{"connection: a, topic: x, subscription: s", "connection: a, topic: x, subscription: s2, selector: \"n > 1\"", false},
		{"connection: a, topic: x, subscription: s", "connection: a, topic: x, subscription: s, concurrency: 2", false},
		{"connection: a, topic: x", "connection: a, topic: x, selector: \"n > 1\"", false},
		{"connection: a, topic: x, subscription: s", "connection: s, topic: x, subscription: s, selector: \"n > 1\"", false},
	} {
		err := keepsBacklogs(document(tt.old), document(tt.new))
		if (err != nil) != tt.refused {
			t.Errorf("%s -> %s: got error %v, want refused %t", tt.old, tt.new, err, tt.refused)
		}
	}
}

// TestApplyWhileSending changes a connection while a function is
// sending over it, and removes a binding while another is about to use it.
func TestApplyWhileSending(t *testing.T) {
	bubble(t, func(t *testing.T) {
		gate := make(chan struct{})
		var failed atomic.Int32
		r := newRig(t, framework.Functions{"f": framework.Sink(func(ctx context.Context, s string) error {
			<-gate
			err := framework.Send(ctx, "out", "", s)
			if err != nil {
				failed.Add(1)
			}
			return err
		})})
		const document = `
version: 1
connections: {a: {type: memory}, b: {type: memory%s}}
triggers: {t: {connection: a, queue: in, function: f}}
%s
`
		r.apply(fmt.Sprintf(document, "", "bindings: {out: {connection: b, queue: out}}"))
		r.put("in", "1")
		synctest.Wait()
		r.apply(fmt.Sprintf(document, ", limit: 3", "bindings: {out: {connection: b, queue: out}}"))
		gate <- struct{}{}
		if m := r.take("out"); string(m.Body) != "1" {
			t.Errorf("got %q, want 1", m.Body)
		}

		r.put("in", "2")
		synctest.Wait()
		done := make(chan error, 1)
		go func() {
			done <- r.Apply(t.Context(), r.parse("version: 1\nconnections: {a: {type: memory}}\n"))
		}()
		synctest.Wait()
		gate <- struct{}{}
		if m := r.take("out"); string(m.Body) != "2" {
			t.Errorf("got %q, want 2: what drains may still send to a binding that is removed", m.Body)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if n := failed.Load(); n > 0 {
			t.Errorf("%d sends failed, want none", n)
		}
	})
}

// TestApplyWhileOperatorsSend changes a connection again and again while an
// operator and dead letters are sent over it: no change is a failure to them.
func TestApplyWhileOperatorsSend(t *testing.T) {
	r := newRig(t, framework.Functions{"f": framework.Sink(func(context.Context, string) error { return nil })})
	change := func(n int) {
		cfg := r.parse(fmt.Sprintf("version: 1\nconnections: {b: {type: memory, limit: %d}}\nbindings: {out: {connection: b, queue: out}}\n", 1_000_000+n))
		if err := r.Apply(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	change(0)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	for _, send := range []func() error{
		func() error {
			_, err := r.SendMessage(t.Context(), "out", admin.Message{})
			return err
		},
		func() error { return r.sendAt(t.Context(), "out", connections.Message{}) },
	} {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := send(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for n := range 300 {
		change(n + 1)
	}
	stop()
	wg.Wait()
}

func TestApplyOneOfMany(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const many = 200
		var got [many]atomic.Int32
		functions := framework.Functions{}
		for i := range many {
			functions[fmt.Sprintf("f%d", i)] = framework.Sink(func(context.Context, string) error {
				got[i].Add(1)
				return nil
			})
		}
		r := newRig(t, functions)
		document := func(prefetch int) string {
			var b strings.Builder
			b.WriteString("version: 1\nconnections:\n")
			for i := range many {
				fmt.Fprintf(&b, "  c%d: {type: memory}\n", i)
			}
			b.WriteString("triggers:\n")
			for i := range many {
				fmt.Fprintf(&b, "  t%d: {connection: c%d, queue: q%d, function: f%d, prefetch: %d}\n", i, i, i, i, map[bool]int{true: prefetch, false: 10}[i == 7])
			}
			return b.String()
		}
		r.apply(document(10))
		before := r.triggers()
		const each = 20
		for n := range each {
			for i := range many {
				r.put(fmt.Sprintf("q%d", i), fmt.Sprint(n))
			}
			r.apply(document(10 + n%2))
		}
		synctest.Wait()
		for i := range many {
			if n := got[i].Load(); n != each {
				t.Errorf("function %d got %d messages, want %d", i, n, each)
			}
			if i == 7 {
				continue
			}
			if n := r.dialsOf(fmt.Sprintf("c%d", i)); n != 1 || r.triggers()[fmt.Sprintf("t%d", i)] != before[fmt.Sprintf("t%d", i)] {
				t.Errorf("trigger %d was touched: dialed %d times, want once", i, n)
			}
		}
		if n := r.dialsOf("c7"); n != each {
			t.Errorf("the changed trigger's connection was dialed %d times, want %d", n, each)
		}
	})
}

func TestPause(t *testing.T) {
	bubble(t, func(t *testing.T) {
		gate, got := make(chan struct{}), make(chan string, 10)
		r := newRig(t, framework.Functions{"f": framework.Sink(func(_ context.Context, s string) error {
			<-gate
			got <- s
			return nil
		})})
		r.apply(oneTrigger)
		r.put("in", "1")
		r.put("in", "2")
		synctest.Wait()
		paused := make(chan error, 1)
		go func() { paused <- r.Pause(t.Context(), "t") }()
		synctest.Wait()
		select {
		case err := <-paused:
			t.Fatalf("Pause returned %v while a call runs", err)
		default:
		}
		gate <- struct{}{}
		if err := <-paused; err != nil {
			t.Fatal(err)
		}
		if s := <-got; s != "1" {
			t.Errorf("got %q, want 1: what is in hand is done", s)
		}
		isPaused := func() {
			t.Helper()
			s := r.Backend().Status().Triggers[0]
			if s.State != "paused" || s.Error != "paused by an operator" {
				t.Errorf("got state %s (%s), want paused by an operator", s.State, s.Error)
			}
			if ready, err := r.Ready(t.Context()); !ready {
				t.Errorf("not ready: %v", err)
			}
		}
		isPaused()
		if err := r.Pause(t.Context(), "t"); err != nil {
			t.Errorf("pausing it again: %v", err)
		}
		r.apply(strings.ReplaceAll(oneTrigger, "queue: in", "queue: in, concurrency: 2"))
		isPaused()
		pass(time.Minute)
		if len(got) > 0 {
			t.Errorf("a paused trigger got %q", <-got)
		}
		close(gate)
		if err := r.Resume(t.Context(), "t"); err != nil {
			t.Fatal(err)
		}
		if s := <-got; s != "2" {
			t.Errorf("got %q after resuming, want 2", s)
		}
		if err := r.Pause(t.Context(), "nobody"); err == nil || !strings.Contains(err.Error(), `no trigger "nobody"`) {
			t.Errorf("pausing nobody: got error %v", err)
		}
		if err := errors.Join(r.Pause(t.Context(), "t"), r.Apply(t.Context(), r.parse("version: 1"))); err != nil {
			t.Fatal(err)
		}
		r.apply(oneTrigger)
		if s := r.Status().Triggers["t"]; s.State != triggers.Running {
			t.Errorf("got %+v, want it running: the pause ended with the trigger", s)
		}
	})
}

// TestStopInTheMiddleOfAChange stops a host while a change waits for a call: the
// change ends at once, and Stop waits for the call.
func TestStopInTheMiddleOfAChange(t *testing.T) {
	bubble(t, func(t *testing.T) {
		gate, done := make(chan struct{}), false
		r := newRig(t, framework.Functions{"f": framework.Sink(func(context.Context, string) error {
			<-gate
			done = true
			return nil
		})})
		r.apply(oneTrigger)
		r.put("in", "1")
		synctest.Wait()
		applied := make(chan error, 1)
		go func() {
			applied <- r.Apply(context.Background(), r.parse(strings.ReplaceAll(oneTrigger, "queue: in", "queue: in, prefetch: 5")))
		}()
		synctest.Wait()
		stopped := make(chan error, 1)
		go func() { stopped <- r.Stop(context.Background()) }()
		synctest.Wait()
		if err := <-applied; err == nil {
			t.Error("got no error from a change that was cut short")
		}
		select {
		case err := <-stopped:
			t.Fatalf("Stop returned %v while a call runs", err)
		default:
		}
		close(gate)
		if err := <-stopped; err != nil || !done {
			t.Errorf("Stop: got error %v, and the call was done: %t", err, done)
		}
	})
}
