package host

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/fairlead/fairlead/framework"
)

// maxBackground is how many asynchronous invocations run at once; more wait.
const maxBackground = 1024

// background runs what functions start and do not wait for.
type background struct {
	hard  context.Context // ends work
	kill  context.CancelFunc
	slots chan struct{}
	work  sync.WaitGroup
}

type backgroundKey struct{}

func (b *background) init(parent context.Context) {
	b.hard, b.kill = context.WithCancel(parent)
	b.slots = make(chan struct{}, maxBackground)
}

// start runs work on a ctx with the values of the given one and a life of its
// own. It waits for room, but not where whoever waits takes up the room.
func (b *background) start(ctx context.Context, work func(context.Context)) error {
	select {
	case b.slots <- struct{}{}:
	default:
		if ctx.Value(backgroundKey{}) != nil {
			return framework.ErrBusy
		}
		select {
		case b.slots <- struct{}{}:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", framework.ErrBusy, ctx.Err())
		}
	}
	own, cancel := context.WithCancel(context.WithValue(context.WithoutCancel(ctx), backgroundKey{}, true))
	stop := context.AfterFunc(b.hard, cancel)
	b.work.Go(func() {
		defer func() { <-b.slots }()
		defer cancel()
		defer stop()
		defer survive(own)
		work(own)
	})
	return nil
}

// survive keeps a panic of a callback from ending the program. One of a function
// does not come this far.
func survive(ctx context.Context) {
	if v := recover(); v != nil {
		slog.ErrorContext(ctx, "the callback of an asynchronous invocation panicked", "panic", v, "stack", string(debug.Stack()))
	}
}

// drain waits for the work that runs, up to grace and ctx, and then cancels it.
func (b *background) drain(ctx context.Context, grace time.Duration) error {
	done := make(chan struct{})
	go func() {
		b.work.Wait()
		close(done)
	}()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	b.kill()
	select {
	case <-done:
		return nil
	case <-time.After(time.Second):
		return fmt.Errorf("%d asynchronous invocations did not end in time", len(b.slots))
	}
}
