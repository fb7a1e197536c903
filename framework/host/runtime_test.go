package host

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

func TestSendFromAFunction(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, framework.Functions{
			"relay": framework.Sink(func(ctx context.Context, in event.Event) error {
				return framework.Send(ctx, "any", "relayed", in)
			}),
			"data": framework.Sink(func(ctx context.Context, in string) error {
				return framework.Send(ctx, "fixed", "", map[string]string{"in": in}, framework.Header("a", "b"), framework.CorrelationID("7"), framework.ReplyTo("back"))
			}),
		})
		r.apply(`
version: 1
connections: {c: {type: memory}}
triggers:
  r: {connection: c, queue: relay, function: relay}
  d: {connection: c, queue: data, function: data}
bindings: {any: {connection: c}, fixed: {connection: c, queue: out}}
`)
		r.broker.Put("relay", connections.Message{Body: []byte("x"), ContentType: "text/csv", Header: map[string]any{"own": "1"}})
		if m := r.take("relayed"); string(m.Body) != "x" || m.ContentType != "text/csv" || m.Header["own"] != "1" || m.Header["cloudEvents_source"] != "/c/relay" {
			t.Errorf("got %+v, want the event with its message's header", m)
		}
		r.put("data", "x")
		if m := r.take("out"); string(m.Body) != `{"in":"x"}` || m.ContentType != "application/json" || m.Header["a"] != "b" || m.CorrelationID != "7" || m.ReplyTo != "back" || m.Header["cloudEvents_id"] != nil {
			t.Errorf("got %+v, want plain JSON with what the options say", m)
		}
	})
}

func TestSendToABindingThatIsNotThere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, framework.Functions{"f": framework.Sink(func(ctx context.Context, in string) error {
			return framework.Send(ctx, "outt", "", in)
		})})
		r.apply(oneTrigger + "bindings: {out: {connection: c, queue: out}}\n")
		r.put("in", "x")
		if got := r.take("in.DLQ").Header["fairlead_error"]; got != "send to outt: no such binding; there are: out" {
			t.Errorf("got %v, want what there is", got)
		}
	})
}

func TestInvoke(t *testing.T) {
	bubble(t, func(t *testing.T) {
		boom := errors.New("boom")
		r := newRig(t, framework.Functions{
			"upper": framework.Func(upper),
			"fails": framework.Sink(func(context.Context, []byte) error { return boom }),
			"panic": framework.Sink(func(context.Context, []byte) error { panic("oh") }),
			"slow":  framework.Sink(func(ctx context.Context, _ []byte) error { <-ctx.Done(); return ctx.Err() }),
			"whoami": framework.Func(func(ctx context.Context, in event.Event) (string, error) {
				return in.Type() + " from " + in.Source() + ", attempt of " + framework.Source(ctx).Trigger, nil
			}),
		})
		r.apply("version: 1\nfunctions: {slow: {timeout: 2s}}")
		caller := framework.NewContext(t.Context(), &framework.Invocation{Runtime: r.host, Function: "caller", Source: &framework.Origin{Trigger: "t"}})

		out, err := framework.Invoke(caller, "upper", "x")
		if err != nil || string(out.Data()) != "X" || out.Source() != "/functions/upper" || out.Type() != replyType || out.ID() == "" {
			t.Errorf("got %v, %v; want X as an event of upper", out, err)
		}
		if out, err := framework.Invoke(caller, "whoami", nil); err != nil || string(out.Data()) != "fairlead.invoke from /functions/caller, attempt of t" {
			t.Errorf("got %s, %v", out.Data(), err)
		}
		if _, err := framework.Invoke(caller, "fails", "x"); !errors.Is(err, boom) {
			t.Errorf("got %v, want the function's own error", err)
		}
		if _, err := framework.Invoke(caller, "panic", "x"); err == nil || err.Error() != "panic: oh" {
			t.Errorf("got %v, want the panic as an error", err)
		}
		if _, err := framework.Invoke(caller, "none", "x"); !framework.IsTerminal(err) || !strings.Contains(err.Error(), "there is no such function") {
			t.Errorf("got %v, want a terminal error", err)
		}
		begin := time.Now()
		if _, err := framework.Invoke(caller, "slow", "x"); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 2*time.Second {
			t.Errorf("got %v after %v, want the timeout of the configuration", err, time.Since(begin))
		}
	})
}

func TestInvokeStopsALoop(t *testing.T) {
	calls := 0
	h := newHost(framework.Functions{"f": framework.Sink(func(ctx context.Context, in string) error {
		calls++
		_, err := framework.Invoke(ctx, "f", in)
		return err
	})})
	defer h.Stop(context.Background())
	_, err := h.Call(t.Context(), "f", plainText(t, "x"))
	if !framework.IsTerminal(err) || !strings.Contains(err.Error(), "looks like a loop") || calls != maxDepth {
		t.Errorf("got %v after %d calls, want a terminal error after %d", err, calls, maxDepth)
	}
}

// started returns a ctx of a running function on a host with more functions.
func started(t *testing.T, functions framework.Functions) (*rig, context.Context) {
	t.Helper()
	r := newRig(t, functions)
	r.apply("version: 1\ngrace: 5s")
	return r, framework.NewContext(t.Context(), &framework.Invocation{Runtime: r.host, Function: "caller"})
}

func TestInvokeAsyncOutlivesItsCaller(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, ctx := started(t, framework.Functions{"f": framework.Func(func(ctx context.Context, s string) (string, error) {
			time.Sleep(time.Second)
			return s, ctx.Err()
		})})
		ctx, cancel := context.WithCancel(ctx)
		var got framework.Result
		err := framework.InvokeAsync(ctx, "f", "x", framework.Callback(func(_ context.Context, r framework.Result) { got = r }))
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		pass(2 * time.Second)
		if string(got.Event.Data()) != "x" || got.Err != nil || got.Call.Function != "f" {
			t.Errorf("got %+v, want the result", got)
		}
	})
}

func TestInvokeAsyncIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var busy atomic.Value
		r, ctx := started(t, framework.Functions{
			"f": framework.Sink(func(ctx context.Context, _ string) error { time.Sleep(2 * time.Second); return nil }),
			"nested": framework.Sink(func(ctx context.Context, _ string) error {
				time.Sleep(time.Second) // until all the room is taken
				if err := framework.InvokeAsync(ctx, "f", "x"); err != nil {
					busy.Store(err)
				}
				return nil
			}),
		})
		for i := range maxBackground {
			function := "f"
			if i == 0 {
				function = "nested"
			}
			if err := framework.InvokeAsync(ctx, function, "x"); err != nil {
				t.Fatalf("call %d: %v", i, err)
			}
		}
		short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		defer cancel()
		if err := framework.InvokeAsync(short, "f", "x"); !errors.Is(err, framework.ErrBusy) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want ErrBusy when ctx ended", err)
		}
		begin := time.Now()
		if err := framework.InvokeAsync(ctx, "f", "x"); err != nil || time.Since(begin) == 0 {
			t.Errorf("got %v after %v, want it to wait for room", err, time.Since(begin))
		}
		if err, _ := busy.Load().(error); !errors.Is(err, framework.ErrBusy) {
			t.Errorf("got %v inside an asynchronous call, want ErrBusy at once", err)
		}
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestInvokeAsyncIsDrained(t *testing.T) {
	bubble(t, func(t *testing.T) {
		done := 0
		r, ctx := started(t, framework.Functions{"f": framework.Sink(func(ctx context.Context, _ string) error {
			time.Sleep(3 * time.Second)
			done++
			return ctx.Err()
		})})
		if err := framework.InvokeAsync(ctx, "f", "x"); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if err := r.Stop(t.Context()); err != nil || done != 1 || time.Since(begin) != 3*time.Second {
			t.Errorf("got %v, %d done after %v; want it waited for", err, done, time.Since(begin))
		}
	})
}

func TestInvokeAsyncEndsWithTheGracePeriod(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var got error
		r, ctx := started(t, framework.Functions{"f": framework.Sink(func(ctx context.Context, _ string) error {
			<-ctx.Done()
			got = ctx.Err()
			return got
		})})
		if err := framework.InvokeAsync(ctx, "f", "x"); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if err := r.Stop(t.Context()); err != nil || !errors.Is(got, context.Canceled) || time.Since(begin) != 5*time.Second {
			t.Errorf("got %v, the call ended with %v after %v; want it cancelled after 5s", err, got, time.Since(begin))
		}
	})
}

func TestCallbackMayPanic(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, ctx := started(t, framework.Functions{"f": framework.Func(upper)})
		err := framework.InvokeAsync(ctx, "f", "x", framework.Callback(func(context.Context, framework.Result) { panic("expected by this test") }))
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := len(r.background.slots); n != 0 {
			t.Errorf("%d places are taken, want 0", n)
		}
	})
}

func TestSettings(t *testing.T) {
	type settings struct {
		Limit int           `yaml:"limit"`
		Wait  time.Duration `yaml:"wait"`
		Tags  []string      `yaml:"tags"`
	}
	bubble(t, func(t *testing.T) {
		var got settings
		r := newRig(t, framework.Functions{"f": framework.Sink(func(ctx context.Context, _ string) error {
			got = settings{}
			return framework.Settings(ctx, &got)
		})})
		call := func() error {
			_, err := r.Call(t.Context(), "f", plainText(t, "x"))
			return err
		}
		if err := call(); !errors.Is(err, errNotStarted) {
			t.Errorf("before the start: got %v, want errNotStarted", err)
		}
		r.apply("version: 1\nfunctions: {f: {settings: {limit: 7, wait: 3s, tags: [a, b]}}}")
		if err := call(); err != nil || got.Limit != 7 || got.Wait != 3*time.Second || len(got.Tags) != 2 {
			t.Errorf("got %+v, %v", got, err)
		}
		r.apply("version: 1\nfunctions: {f: {settings: {limit: 8}}}")
		if err := call(); err != nil || got.Limit != 8 {
			t.Errorf("after a change: got %+v, %v; want limit 8", got, err)
		}
		r.apply("version: 1\nfunctions: {f: {settings: {limt: 8}}}")
		if err := call(); !framework.IsTerminal(err) || !strings.Contains(err.Error(), "limt") {
			t.Errorf("got %v, want a terminal error that names the unknown key", err)
		}
		r.apply("version: 1")
		if err := call(); err != nil || got.Limit != 0 {
			t.Errorf("without settings: got %+v, %v; want zero values", got, err)
		}
	})
}

func TestWhatNeedsTheStore(t *testing.T) {
	h := newHost(framework.Functions{"f": framework.Sink(func(ctx context.Context, in string) error {
		return framework.Publish(ctx, "other", in)
	})})
	defer h.Stop(context.Background())
	if _, err := h.Call(t.Context(), "f", plainText(t, "x")); err == nil || !strings.Contains(err.Error(), "store.url") {
		t.Errorf("got %v, want an error that names the key to set", err)
	}
}
