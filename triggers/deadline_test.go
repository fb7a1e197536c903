package triggers_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/triggers"
)

type key struct{}

// TestWithTimeoutIsLikeContextWithTimeout does the same to both.
func TestWithTimeoutIsLikeContextWithTimeout(t *testing.T) {
	type with = func(context.Context, time.Duration) (context.Context, context.CancelFunc)
	for name, tt := range map[string]func(with) (context.Context, error){
		"in time": func(w with) (context.Context, error) {
			ctx, end := w(context.Background(), time.Second)
			defer end()
			return ctx, ctx.Err()
		},
		"ended": func(w with) (context.Context, error) {
			ctx, end := w(context.Background(), time.Second)
			end()
			end()
			return ctx, ctx.Err()
		},
		"ended while one waits": func(w with) (context.Context, error) {
			ctx, end := w(context.Background(), time.Second)
			go end()
			<-ctx.Done()
			return ctx, ctx.Err()
		},
		"too late, asked": func(w with) (context.Context, error) {
			ctx, end := w(context.Background(), time.Second)
			defer end()
			time.Sleep(time.Second)
			synctest.Wait() // the timer of the real one
			return ctx, ctx.Err()
		},
		"too late, waited for": func(w with) (context.Context, error) {
			ctx, end := w(context.Background(), time.Second)
			defer end()
			<-ctx.Done()
			return ctx, ctx.Err()
		},
		"in one that ended": func(w with) (context.Context, error) {
			parent, cancel := context.WithCancel(context.Background())
			ctx, end := w(parent, time.Second)
			defer end()
			cancel()
			return ctx, ctx.Err()
		},
		"in one that ends earlier": func(w with) (context.Context, error) {
			parent, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			defer cancel()
			ctx, end := w(parent, time.Second)
			defer end()
			<-ctx.Done()
			return ctx, ctx.Err()
		},
		"a child, at the end": func(w with) (context.Context, error) {
			ctx, end := w(context.WithValue(context.Background(), key{}, 1), time.Second)
			child, cancel := context.WithCancel(ctx)
			defer cancel()
			end()
			<-child.Done()
			return child, child.Err()
		},
		"a child, too late": func(w with) (context.Context, error) {
			ctx, end := w(context.Background(), time.Second)
			defer end()
			child, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			<-child.Done()
			return child, child.Err()
		},
		"something to do at the end": func(w with) (context.Context, error) {
			ctx, end := w(context.Background(), time.Second)
			done := make(chan struct{})
			context.AfterFunc(ctx, func() { close(done) })
			end()
			<-done
			return ctx, context.Cause(ctx)
		},
		"without cancellation": func(w with) (context.Context, error) {
			ctx, end := w(context.WithValue(context.Background(), key{}, 1), time.Second)
			end()
			free := context.WithoutCancel(ctx)
			return free, free.Err()
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			wantCtx, want := tt(context.WithTimeout)
			wantTime, wantDeadline := time.Since(begin), deadlineOf(wantCtx, begin)
			begin = time.Now()
			gotCtx, got := tt(triggers.WithTimeout)
			if !errors.Is(got, want) || time.Since(begin) != wantTime || deadlineOf(gotCtx, begin) != wantDeadline {
				t.Errorf("%s: got %v after %v, deadline %v, want %v after %v, deadline %v",
					name, got, time.Since(begin), deadlineOf(gotCtx, begin), want, wantTime, wantDeadline)
			}
			if a, b := gotCtx.Value(key{}), wantCtx.Value(key{}); a != b {
				t.Errorf("%s: got value %v, want %v", name, a, b)
			}
		})
	}
}

func deadlineOf(ctx context.Context, begin time.Time) time.Duration {
	d, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return d.Sub(begin)
}

func TestWithinSaysThatTimeRanOut(t *testing.T) {
	wrong := errors.New("wrong")
	wait := func(ctx context.Context) error {
		<-ctx.Done()
		return wrong
	}
	for name, tt := range map[string]struct {
		end  bool // the caller's ctx
		d    time.Duration
		call func(context.Context) error
		want string
	}{
		"in time":             {false, time.Second, func(context.Context) error { return nil }, "<nil>"},
		"failed in time":      {false, time.Second, func(context.Context) error { return wrong }, "wrong"},
		"too late":            {false, time.Second, wait, "timed out after 1s: wrong"},
		"ended by the caller": {true, time.Second, wait, "wrong"},
		"without a limit":     {true, 0, wait, "wrong"},
		"late, and done": {false, time.Second, func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		}, "<nil>"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, end := context.WithCancel(context.Background())
				defer end()
				if tt.end {
					end()
				}
				if got := fmt.Sprint(triggers.Within(ctx, tt.d, tt.call)); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
			})
		})
	}
}
