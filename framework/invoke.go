package framework

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
)

// Invoke calls another function in this process and waits for its reply, which
// is the zero Event if it gives none. The error is the function's own, so that
// errors.Is and errors.As work on it. There is no retry.
func Invoke(ctx context.Context, function string, data any) (event.Event, error) {
	inv, err := running(ctx)
	if err != nil {
		return event.Event{}, fmt.Errorf("invoke %s: %w", function, err)
	}
	ev, err := Data(data)
	if err != nil {
		return event.Event{}, fmt.Errorf("invoke %s: %w", function, err)
	}
	out, err := inv.Runtime.Call(ctx, function, ev)
	if err != nil || out == nil {
		return event.Event{}, err
	}
	return *out, nil
}

// InvokeAsync calls another function in the background. It lives in memory
// alone: what was accepted is lost when the process is killed, and waited for,
// within the grace period, when it is stopped. [Publish] keeps more. The queue
// is bounded; InvokeAsync waits for room while ctx lasts, and returns [ErrBusy]
// where waiting could never end, in a function that was itself called so.
func InvokeAsync(ctx context.Context, function string, data any, opts ...InvokeOption) error {
	inv, err := running(ctx)
	if err != nil {
		return fmt.Errorf("invoke %s: %w", function, err)
	}
	ev, err := Data(data)
	if err != nil {
		return fmt.Errorf("invoke %s: %w", function, err)
	}
	var o invokeOptions
	for _, opt := range opts {
		opt(&o)
	}
	call := Call{Function: function, Data: ev.Clone()}
	return inv.Runtime.Go(ctx, func(ctx context.Context) {
		r := call.run(ctx)
		switch {
		case o.callback != nil:
			o.callback(ctx, r)
		case r.Err != nil:
			slog.ErrorContext(ctx, "a function that was invoked asynchronously failed", "invoked", function, "err", r.Err)
		}
	})
}

// An InvokeOption changes one [InvokeAsync].
type InvokeOption func(*invokeOptions)

type invokeOptions struct{ callback func(context.Context, Result) }

// Callback is called with the result when the function has ended. It runs in
// memory, like the call itself.
func Callback(f func(context.Context, Result)) InvokeOption {
	return func(o *invokeOptions) { o.callback = f }
}

// A Call is one function to invoke, with its data.
type Call struct {
	Function string
	Data     any // as [Data] takes it
}

// A Result is what became of a Call.
type Result struct {
	Call  Call
	Event event.Event // the reply; the zero Event if there is none
	Err   error       // the function's own error
}

func (c Call) run(ctx context.Context) Result {
	ev, err := Invoke(ctx, c.Function, c.Data)
	return Result{Call: c, Event: ev, Err: err}
}

// ParallelLimit is how many calls of one [Parallel] or [FanOut] run at once.
const ParallelLimit = 64

// Parallel makes all calls, up to [ParallelLimit] at once, and calls each with
// every result as it comes, one at a time, on the goroutine of its caller. It returns when all have ended: nil,
// whatever the results, because each has seen them. Where each is nil, it
// returns the errors of the calls, joined. The state is in memory alone: after
// a crash the message that started the function is delivered again, and all
// calls are made again.
func Parallel(ctx context.Context, calls []Call, each func(context.Context, Result)) error {
	if _, err := running(ctx); err != nil {
		return fmt.Errorf("parallel: %w", err)
	}
	results := make(chan Result)
	abandoned := make(chan struct{}) // if each panics
	defer close(abandoned)
	go func() {
		defer close(results)
		runAll(ctx, calls, func(_ int, r Result) {
			select {
			case results <- r:
			case <-abandoned:
			}
		})
	}()
	var errs []error
	for r := range results {
		if each != nil {
			each(ctx, r)
		} else {
			errs = append(errs, r.Err)
		}
	}
	return errors.Join(errs...)
}

// FanOut makes all calls, up to [ParallelLimit] at once, and calls final with
// all results, in the order of calls, when the last one has ended. Where final
// is nil, it returns the errors of the calls, joined; else nil. The state is in
// memory alone, as with [Parallel].
func FanOut(ctx context.Context, calls []Call, final func(context.Context, []Result)) error {
	if _, err := running(ctx); err != nil {
		return fmt.Errorf("fan out: %w", err)
	}
	results := make([]Result, len(calls))
	runAll(ctx, calls, func(i int, r Result) { results[i] = r })
	if final != nil {
		final(ctx, results)
		return nil
	}
	var errs []error
	for _, r := range results {
		errs = append(errs, r.Err)
	}
	return errors.Join(errs...)
}

// runAll makes the calls and reports each by its index, from several goroutines.
func runAll(ctx context.Context, calls []Call, done func(int, Result)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, ParallelLimit)
	for i, c := range calls {
		if ev, ok := c.Data.(event.Event); ok {
			c.Data = ev.Clone()
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			done(i, c.run(ctx))
		})
	}
	wg.Wait()
}

// Retry invokes a function until it succeeds, returns a [Terminal] error, has
// used up its attempts, or ctx ends, and returns the last reply and error. The
// waits are in memory: the calling function waits, too.
func Retry(ctx context.Context, function string, data any, p RetryPolicy) (event.Event, error) {
	for attempt := 1; ; attempt++ {
		out, err := Invoke(ctx, function, data)
		if err == nil || IsTerminal(err) || errors.Is(err, ErrNoRuntime) || p.Exhausted(attempt) {
			return out, err
		}
		wait, ok := Delay(err)
		if !ok {
			wait = p.Wait(attempt)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return out, errors.Join(err, ctx.Err())
		}
	}
}

// A RetryPolicy says how often and how fast something is tried again.
type RetryPolicy struct {
	Attempts int           // how often in all; 0: for ever
	First    time.Duration // the wait after the first failure; it doubles from there; 0: 200ms
	Max      time.Duration // the longest wait; 0: 30s
}

// Exhausted reports whether attempt was the last one.
func (p RetryPolicy) Exhausted(attempt int) bool { return p.Attempts > 0 && attempt >= p.Attempts }

// Wait returns how long to wait after the given attempt, from 1: First, doubled
// for each attempt after the first, at most Max, and ±20 % so that what failed
// together is not tried together.
func (p RetryPolicy) Wait(attempt int) time.Duration {
	first, longest := p.First, p.Max
	if first <= 0 {
		first = 200 * time.Millisecond
	}
	if longest <= 0 {
		longest = 30 * time.Second
	}
	d := first
	for i := 1; i < attempt && d < longest; i++ {
		d *= 2
	}
	d = min(d, longest)
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

// Settings decodes the settings of the running function from the configuration
// into v, a pointer to a struct with yaml tags. An unknown key or a wrong type
// is an error. Settings may change while the function runs: ask each time.
func Settings(ctx context.Context, v any) error {
	inv, err := running(ctx)
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	return inv.Runtime.Settings(ctx, inv.Function, v)
}
