package framework_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/frameworktest"
)

type order struct {
	ID    string `json:"id" xml:"id"`
	Total int64  `json:"total" xml:"total"`
}

// ev returns an event with data of a media type.
func ev(contentType, data string) event.Event {
	e := event.New()
	e.SetID("1")
	e.SetSource("/test")
	e.SetType("test")
	if contentType != "" {
		e.SetDataContentType(contentType)
	}
	e.DataEncoded = []byte(data)
	return e
}

func TestDecoding(t *testing.T) {
	want := order{"a", 9007199254740993}
	const asJSON, asXML = `{"id":"a","total":9007199254740993}`, `<order><id>a</id><total>9007199254740993</total></order>`
	for _, tt := range []struct{ contentType, data, fail string }{
		{"application/json", asJSON, ""},
		{"application/json; charset=utf-8", asJSON, ""},
		{"application/vnd.order+json", asJSON, ""},
		{"text/json", asJSON, ""},
		{"", asJSON, ""},
		{"text/plain", asJSON, ""},
		{"application/octet-stream", asJSON, ""},
		{"application/xml", asXML, ""},
		{"text/xml; charset=utf-8", asXML, ""},
		{"application/soap+xml", asXML, ""},
		{"application/json", asXML, "invalid character"},
		{"application/json", asJSON + "{}", "more data after the JSON value"},
		{"application/json", "", "no data"},
		{"application/xml", asJSON, "EOF"},
		{"image/png", asJSON, `media type "image/png"`},
		{"no media type", asJSON, "neither JSON nor XML"},
	} {
		t.Run(tt.contentType+" "+tt.data, func(t *testing.T) {
			var got order
			h := framework.Sink(func(_ context.Context, o order) error { got = o; return nil })
			_, err := h(t.Context(), ev(tt.contentType, tt.data))
			if tt.fail == "" {
				if err != nil || got != want {
					t.Errorf("got %+v, %v; want %+v", got, err, want)
				}
				return
			}
			var undecoded *framework.DecodeError
			if !framework.IsTerminal(err) || !errors.As(err, &undecoded) || !strings.Contains(err.Error(), tt.fail) {
				t.Errorf("got %v, want a terminal DecodeError that says %q", err, tt.fail)
			}
		})
	}
}

func TestDecodingFormatOverridesTheMediaType(t *testing.T) {
	ctx := framework.NewContext(t.Context(), &framework.Invocation{Format: "xml"})
	var got order
	h := framework.Sink(func(_ context.Context, o order) error { got = o; return nil })
	if _, err := h(ctx, ev("text/plain", "<order><id>a</id></order>")); err != nil || got.ID != "a" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestDecodingRawForms(t *testing.T) {
	in := ev("image/png", "\x00\xff")
	check := func(h framework.Handler) {
		t.Helper()
		if _, err := h(t.Context(), in); err != nil {
			t.Error(err)
		}
	}
	check(framework.Sink(func(_ context.Context, b []byte) error {
		if string(b) != "\x00\xff" {
			t.Errorf("[]byte: got %q", b)
		}
		return nil
	}))
	check(framework.Sink(func(_ context.Context, s string) error {
		if s != "\x00\xff" {
			t.Errorf("string: got %q", s)
		}
		return nil
	}))
	check(framework.Sink(func(_ context.Context, e event.Event) error {
		if e.ID() != "1" {
			t.Errorf("event: got %v", e)
		}
		return nil
	}))
}

func TestBytesAreTheFunctionsOwn(t *testing.T) {
	in := ev("", "abc")
	scribble := framework.Sink(func(_ context.Context, data []byte) error {
		clear(data)
		return nil
	})
	if _, err := scribble(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if got := string(in.Data()); got != "abc" {
		t.Errorf("a retry would get %q, want abc", got)
	}
}

func TestLargeNumbersStayIntactInAny(t *testing.T) {
	h := framework.Sink(func(_ context.Context, m map[string]any) error {
		if got := fmt.Sprint(m["n"]); got != "12345678901234567890" {
			t.Errorf("got %s", got)
		}
		return nil
	})
	if _, err := h(t.Context(), ev("", `{"n":12345678901234567890}`)); err != nil {
		t.Error(err)
	}
}

func TestReplies(t *testing.T) {
	reply := func(out any) (*event.Event, error) {
		return framework.Func(func(context.Context, string) (any, error) { return out, nil })(t.Context(), ev("", ""))
	}
	var nilOrder *order
	for _, none := range []any{nil, nilOrder, []byte(nil), map[string]int(nil), (*event.Event)(nil)} {
		if out, err := reply(none); out != nil || err != nil {
			t.Errorf("%T nil: got %v, %v; want no reply", none, out, err)
		}
	}
	for _, tt := range []struct {
		out               any
		contentType, data string
	}{
		{"text", "text/plain", "text"},
		{[]byte{0, 1}, "", "\x00\x01"},
		{order{"a", 1}, "application/json", `{"id":"a","total":1}`},
		{&order{"a", 1}, "application/json", `{"id":"a","total":1}`},
		{json.RawMessage(`{}`), "application/json", "{}"},
		{42, "application/json", "42"},
	} {
		out, err := reply(tt.out)
		if err != nil || !framework.Plain(*out) || out.DataContentType() != tt.contentType || string(out.Data()) != tt.data {
			t.Errorf("%#v: got %v, %v; want plain %s %q", tt.out, out, err, tt.contentType, tt.data)
		}
	}
	if out, err := reply(ev("text/plain", "x")); err != nil || framework.Plain(*out) {
		t.Errorf("an event: got %v, %v; want it as it is", out, err)
	}
	if _, err := reply(math.NaN()); !framework.IsTerminal(err) {
		t.Errorf("NaN: got %v, want a terminal error", err)
	}
}

func TestVerdicts(t *testing.T) {
	cause := errors.New("cause")
	if err := framework.Terminal(cause); !framework.IsTerminal(err) || !errors.Is(err, cause) {
		t.Errorf("Terminal: got %v", err)
	}
	wrapped := fmt.Errorf("while working: %w", framework.RetryAfter(time.Minute, framework.Terminal(cause)))
	if d, ok := framework.Delay(wrapped); !ok || d != time.Minute || framework.IsTerminal(wrapped) {
		t.Errorf("the outermost mark holds: got %v %v", d, ok)
	}
	if framework.Terminal(nil) != nil || framework.RetryAfter(time.Second, nil) != nil {
		t.Error("marking nil made an error of it")
	}
	if _, ok := framework.Delay(cause); ok || framework.IsTerminal(cause) {
		t.Error("an unmarked error is marked")
	}
}

func TestOutsideAFunction(t *testing.T) {
	ctx := t.Context()
	_, invoke := framework.Invoke(ctx, "f", "")
	for name, err := range map[string]error{
		"Send":        framework.Send(ctx, "b", "d", ""),
		"Publish":     framework.Publish(ctx, "f", ""),
		"Invoke":      invoke,
		"InvokeAsync": framework.InvokeAsync(ctx, "f", ""),
		"Parallel":    framework.Parallel(ctx, nil, nil),
		"FanOut":      framework.FanOut(ctx, nil, nil),
		"Settings":    framework.Settings(ctx, new(int)),
	} {
		if !errors.Is(err, framework.ErrNoRuntime) {
			t.Errorf("%s: got %v, want ErrNoRuntime", name, err)
		}
	}
	if s := framework.Source(ctx); s == nil || s.Trigger != "" {
		t.Errorf("Source: got %v, want an empty Origin", s)
	}
}

// Each ctx of a call has its own parent's values, and ends with it.
func TestSeveralContextsOfOneCall(t *testing.T) {
	type key struct{}
	inv := &framework.Invocation{Function: "f"}
	for i := range 3 {
		parent, end := context.WithCancel(context.WithValue(context.Background(), key{}, i))
		ctx, endInner := context.WithTimeout(framework.NewContext(parent, inv), time.Hour)
		defer endInner()
		if framework.FromContext(ctx) != inv || ctx.Value(key{}) != i || ctx.Err() != nil {
			t.Errorf("ctx %d: got call %v, value %v, error %v", i, framework.FromContext(ctx), ctx.Value(key{}), ctx.Err())
		}
		if end(); ctx.Err() == nil {
			t.Errorf("ctx %d goes on after its parent", i)
		}
	}
}

func TestSendOptions(t *testing.T) {
	rt := frameworktest.New(t)
	err := framework.Send(rt.Context(), "b", "d", "x", framework.Header("h", 1), framework.ID("i"), framework.Key("k"), framework.Priority(9),
		framework.TTL(time.Minute), framework.ContentType("text/csv"), framework.CorrelationID("c"), framework.ReplyTo("r"))
	if err != nil {
		t.Fatal(err)
	}
	o := rt.Sent()[0].Options
	if o.Header["h"] != 1 || o.ID != "i" || o.Key != "k" || *o.Priority != 9 || o.TTL != time.Minute || o.ContentType != "text/csv" || o.CorrelationID != "c" || o.ReplyTo != "r" {
		t.Errorf("got %+v", o)
	}
}

func TestAFaultIsRememberedWhateverTheFunctionReturns(t *testing.T) {
	rt := frameworktest.New(t)
	rt.OnSend = func(frameworktest.Sent) error { return fmt.Errorf("link down: %w", framework.ErrUnavailable) }
	inner := framework.Sink(func(ctx context.Context, _ string) error {
		framework.Send(ctx, "b", "d", "x") // its error is ignored on purpose
		return errors.New("something else")
	})
	rt.Functions["inner"] = inner
	ctx := rt.Context()
	framework.Invoke(ctx, "inner", "")
	if err := framework.FromContext(ctx).Fault(); !errors.Is(err, framework.ErrUnavailable) {
		t.Errorf("the call that invoked: got %v, want the fault of the link", err)
	}
}

func TestPatterns(t *testing.T) {
	failed := errors.New("failed")
	rt := frameworktest.New(t, framework.Functions{
		"double": framework.Func(func(_ context.Context, n int) (int, error) { return 2 * n, nil }),
		"fail":   framework.Func(func(context.Context, int) (int, error) { return 0, failed }),
	})
	ctx := rt.Context()
	var calls []framework.Call
	for i := range 200 {
		calls = append(calls, framework.Call{Function: "double", Data: i})
	}
	calls = append(calls, framework.Call{Function: "fail", Data: 0})

	t.Run("Parallel", func(t *testing.T) {
		sum, errs := 0, 0 // each is called one at a time
		err := framework.Parallel(ctx, calls, func(_ context.Context, r framework.Result) {
			var n int
			if r.Err != nil {
				errs++
			} else if err := r.Event.DataAs(&n); err != nil {
				t.Error(err)
			}
			sum += n
		})
		if err != nil || sum != 200*199 || errs != 1 {
			t.Errorf("got %v, sum %d, %d errors", err, sum, errs)
		}
	})
	t.Run("Parallel without a callback", func(t *testing.T) {
		if err := framework.Parallel(ctx, calls, nil); !errors.Is(err, failed) {
			t.Errorf("got %v, want the calls' errors", err)
		}
	})
	t.Run("Parallel with a callback that panics", func(t *testing.T) {
		defer func() {
			if v := recover(); v != "oh" {
				t.Errorf("recovered %v, want the panic on the caller's goroutine", v)
			}
		}()
		framework.Parallel(ctx, calls, func(context.Context, framework.Result) { panic("oh") })
	})
	t.Run("FanOut", func(t *testing.T) {
		called := 0
		err := framework.FanOut(ctx, calls, func(_ context.Context, rs []framework.Result) {
			called++
			for i, r := range rs[:200] {
				if string(r.Event.Data()) != fmt.Sprint(2*i) {
					t.Errorf("result %d is %s", i, r.Event.Data())
				}
			}
			if !errors.Is(rs[200].Err, failed) {
				t.Errorf("last: got %v", rs[200].Err)
			}
		})
		if err != nil || called != 1 {
			t.Errorf("got %v, called %d times", err, called)
		}
	})
	t.Run("InvokeAsync", func(t *testing.T) {
		var mu sync.Mutex
		var got string
		err := framework.InvokeAsync(ctx, "double", 21, framework.Callback(func(_ context.Context, r framework.Result) {
			mu.Lock()
			defer mu.Unlock()
			got = string(r.Event.Data())
		}))
		rt.Wait()
		mu.Lock()
		defer mu.Unlock()
		if err != nil || got != "42" {
			t.Errorf("got %v, %q", err, got)
		}
	})
	t.Run("Invoke gives the live error", func(t *testing.T) {
		if _, err := framework.Invoke(ctx, "fail", 1); !errors.Is(err, failed) {
			t.Errorf("got %v", err)
		}
	})
}

func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		rt := frameworktest.New(t, framework.Functions{"flaky": framework.Func(func(context.Context, string) (string, error) {
			if n++; n < 4 {
				return "", errors.New("not yet")
			}
			return "done", nil
		})})
		begin := time.Now()
		out, err := framework.Retry(rt.Context(), "flaky", "", framework.RetryPolicy{Attempts: 5, First: time.Second, Max: 2 * time.Second})
		if err != nil || string(out.Data()) != "done" {
			t.Errorf("got %q, %v", out.Data(), err)
		}
		if d := time.Since(begin); d < 4*time.Second || d > 6*time.Second {
			t.Errorf("took %v, want 1 s + 2 s + 2 s ± 20 %%", d)
		}
		n = -100
		if _, err := framework.Retry(rt.Context(), "flaky", "", framework.RetryPolicy{Attempts: 2}); err == nil || n != -98 {
			t.Errorf("got %v after %d calls, want the error after 2", err, n+100)
		}
	})
}

func TestRetryPolicyWait(t *testing.T) {
	p := framework.RetryPolicy{}
	for attempt, want := range map[int]time.Duration{1: 200 * time.Millisecond, 2: 400 * time.Millisecond, 5: 3200 * time.Millisecond, 9: 30 * time.Second, 1 << 30: 30 * time.Second} {
		for range 20 {
			if got := p.Wait(attempt); got < want*8/10 || got > want*12/10 {
				t.Errorf("Wait(%d) = %v, want %v ± 20 %%", attempt, got, want)
			}
		}
	}
}

func TestSettleOnlyOnce(t *testing.T) {
	var outcomes []framework.Outcome
	o := framework.NewOrigin(func(_ context.Context, out framework.Outcome) error { outcomes = append(outcomes, out); return nil })
	if err := o.Settle(t.Context(), framework.Reject); err != nil {
		t.Error(err)
	}
	if err := o.Settle(t.Context(), framework.Accept); err == nil || len(outcomes) != 1 {
		t.Errorf("settled twice: %v, %v", err, outcomes)
	}
	if err := framework.Source(t.Context()).Settle(t.Context(), framework.Accept); err == nil {
		t.Error("settled where the trigger settles by itself")
	}
}
