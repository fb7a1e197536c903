package e2e

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/host"
	"github.com/fairlead/fairlead/test/services"
)

// A loadRig is a host on a real broker, whose trigger t works on numbered messages
// that are sent all the time, and whose other trigger must not be touched.
type loadRig struct {
	*host.Host
	t       *testing.T
	objects objects
	file    string

	mu     sync.Mutex
	seen   map[string]int // how often each number was worked on
	failed error          // of a send; none follows it
	sent   int
}

// objects are what a test changes in the document.
type objects struct {
	in, out, other string // settings of the connections
	queue, from    string // where is sent to, and where t receives from
	trigger        string // more of t
}

func (o objects) document() string {
	return fmt.Sprintf(`
version: 1
store: none
connections:
  in: {%s}
  out: {%s}
  other: {%s}
triggers:
  t: {connection: in, queue: %s, %s}
  other: {connection: other, queue: %s.other, function: a}
bindings:
  out: {connection: out, queue: %s}
`, o.in, o.out, o.other, o.from, o.trigger, o.queue, o.queue)
}

func newLoadRig(t *testing.T, o objects) *loadRig {
	t.Helper()
	r := &loadRig{t: t, objects: o, file: filepath.Join(t.TempDir(), "fairlead.yaml"), seen: make(map[string]int)}
	work := framework.Sink(func(ctx context.Context, n string) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.seen[n]++
		return nil
	})
	r.Host = host.New(framework.Functions{"a": work, "b": work})
	t.Cleanup(func() {
		if err := r.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return r
}

func (r *loadRig) apply(document string) error {
	r.t.Helper()
	if err := os.WriteFile(r.file, []byte(document), 0o600); err != nil {
		r.t.Fatal(err)
	}
	cfg, err := r.Load(r.file)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.Apply(r.t.Context(), cfg)
}

// trigger returns the status of a trigger.
func (r *loadRig) trigger(name string) admin.TriggerStatus {
	r.t.Helper()
	for _, s := range r.Backend().Status().Triggers {
		if s.Name == name {
			return s
		}
	}
	r.t.Fatalf("there is no trigger %s", name)
	return admin.TriggerStatus{}
}

// send sends numbered messages until ctx ends.
func (r *loadRig) send(ctx context.Context) error {
	for n := 1; ctx.Err() == nil; n++ {
		m := admin.Message{ContentType: "text/plain"}
		m.SetBody([]byte(fmt.Sprint(n)))
		if _, err := r.Backend().Send(context.Background(), "out", m); err != nil {
			err = fmt.Errorf("send %d: %w", n, err)
			r.mu.Lock()
			r.failed = err
			r.mu.Unlock()
			return err
		}
		r.sent = n
	}
	return nil
}

func (r *loadRig) worked() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen)
}

// progressed waits until some more messages have been worked on.
func (r *loadRig) progressed(why string) {
	r.t.Helper()
	r.until(why, r.worked()+100)
}

func (r *loadRig) until(why string, n int) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); r.worked() < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			got := r.worked()
			r.mu.Lock()
			defer r.mu.Unlock()
			r.t.Fatalf("%s: %d messages were worked on, want %d; error of the sender: %v; status: %+v", why, got, n, r.failed, r.trigger("t"))
		}
	}
}

// link is the settings of a connection to a broker.
func (s setup) link(b services.Broker, password string) string {
	return fmt.Sprintf("type: %s, url: \"%s://%s\", user: %s, password: \"%s\"", s.protocol, s.protocol, s.address(b), b.User, password)
}

// patience is the setting that lets a connection live through minutes without a
// sign of life: on a machine with much to do one side may be late to give it.
func (s setup) patience() string {
	if s.protocol == "amqp" {
		return ", idleTimeout: 5m"
	}
	return ", heartbeat: 5m"
}

// TestChangesUnderLoad changes everything that a trigger depends on while messages
// come: nothing is lost, nothing comes twice, and the other trigger is not touched.
func TestChangesUnderLoad(t *testing.T) {
	for _, s := range setups {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			b := s.shared(t)
			link, queue := s.link(b, b.Password)+s.patience(), "q."+rand.Text()
			r := newLoadRig(t, objects{in: link, out: link, other: link, queue: queue, from: queue, trigger: "function: a"})
			if err := r.apply(r.objects.document()); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			sent := make(chan error, 1)
			go func() { sent <- r.send(ctx) }()
			r.progressed("at first")
			other := r.trigger("other")
			r.change("concurrency", func(o *objects) { o.trigger = "function: a, concurrency: 4" })
			r.change("credit", func(o *objects) { o.trigger = "function: a, concurrency: 4, prefetch: 7" })
			r.change("function", func(o *objects) { o.trigger = "function: b" })
			r.objects.from = queue + ".elsewhere"
			if err := r.apply(r.objects.document()); err != nil {
				t.Fatal(err)
			}
			r.change("queue, and back", func(o *objects) { o.from = queue })
			r.change("url of the trigger", func(o *objects) { o.in = strings.Replace(link, "127.0.0.1", "localhost", 1) })
			r.change("url of the binding", func(o *objects) { o.out = strings.Replace(link, "127.0.0.1", "localhost", 1) })
			r.change("ordered", func(o *objects) { o.trigger = "function: a, ordered: true" })
			r.wrongPassword(s.link(b, "geheim"))
			if err := errors.Join(r.Backend().Pause(t.Context(), "t"), r.Backend().Resume(t.Context(), "t")); err != nil {
				t.Error(err)
			}
			r.progressed("after a pause")
			stop()
			if err := <-sent; err != nil {
				t.Error(err)
			}
			r.checkOnce()
			if now := r.trigger("other"); now != other {
				t.Errorf("the other trigger was touched: got %+v, want %+v", now, other)
			}
		})
	}
}

// change changes the document and waits until messages are worked on again.
func (r *loadRig) change(what string, f func(*objects)) {
	r.t.Helper()
	f(&r.objects)
	began := time.Now()
	if err := r.apply(r.objects.document()); err != nil {
		r.t.Fatalf("%s: %v", what, err)
	}
	r.t.Logf("%s: took %v", what, time.Since(began).Round(time.Millisecond))
	r.progressed(what)
}

// wrongPassword changes the link of t to one with a wrong password, in vain.
func (r *loadRig) wrongPassword(link string) {
	r.t.Helper()
	wrong := r.objects
	wrong.in = link
	err := r.apply(wrong.document())
	if err == nil || !strings.Contains(err.Error(), "connections.in: ") || strings.Contains(err.Error(), "geheim") {
		r.t.Errorf("a wrong password: got error %v, want a refusal of connections.in without the password", err)
	}
	r.progressed("after a wrong password")
}

// checkOnce waits for all that was sent, and checks that each was worked on once.
func (r *loadRig) checkOnce() {
	r.t.Helper()
	r.until("all that was sent", r.sent)
	if err := r.Backend().Pause(r.t.Context(), "t"); err != nil { // nothing more comes
		r.t.Error(err)
	}
	for n := 1; n <= r.sent; n++ {
		if got := r.seen[fmt.Sprint(n)]; got != 1 {
			r.t.Errorf("message %d of %d was worked on %d times, want once", n, r.sent, got)
		}
	}
	r.t.Logf("%d messages", r.sent)
}

// TestChangeOfADurableSubscription changes a trigger on a subscription that one
// receiver holds: what is published meanwhile is there, and nobody has to wait
// until the broker forgets the old receiver.
func TestChangeOfADurableSubscription(t *testing.T) {
	for _, s := range []setup{{"artemis", "amqp"}, {"artemis", "stomp"}} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			b := s.shared(t)
			r := newLoadRig(t, objects{})
			topic, id := "topic."+rand.Text(), map[string]string{"amqp": "containerId", "stomp": "clientId"}[s.protocol]+": "+rand.Text()
			apply := func(trigger string) error {
				return r.apply(fmt.Sprintf(`
version: 1
store: none
connections: {c: {%s, %s}}
triggers: {t: {connection: c, topic: %s, function: a, %s}}
bindings: {out: {connection: c, topic: %s}}
`, s.link(b, b.Password)+s.patience(), id, topic, trigger, topic))
			}
			if err := apply("subscription: s"); err != nil {
				t.Fatal(err)
			}
			deadline := time.Now().Add(patience)
			for ready := false; !ready; ready, _ = r.Ready(t.Context()) {
				if time.Now().After(deadline) {
					t.Fatalf("not subscribed: %+v", r.trigger("t"))
				}
				time.Sleep(5 * time.Millisecond)
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			sent := make(chan error, 1)
			go func() { sent <- r.send(ctx) }()
			r.progressed("at first")
			for n := range 4 {
				began := time.Now()
				if err := apply(fmt.Sprintf("subscription: s, prefetch: %d", 5+n)); err != nil {
					t.Fatal(err)
				}
				t.Logf("took %v", time.Since(began).Round(time.Millisecond))
				r.progressed("another credit")
			}
			if err := apply("subscription: s, selector: \"n = 1\""); err == nil || !strings.Contains(err.Error(), "triggers.t: ") {
				t.Errorf("another selector: got error %v, want a refusal", err)
			}
			stop()
			if err := <-sent; err != nil {
				t.Error(err)
			}
			r.checkOnce()
		})
	}
}
