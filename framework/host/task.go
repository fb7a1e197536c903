package host

import (
	"context"
	"fmt"
)

// A task is work of the host that ends when it is cancelled and has drained.
type task struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // of the work; valid when done is closed
}

// begin runs work until it returns. Without work, the task has ended already.
func begin(ctx context.Context, work func(context.Context) error) *task {
	ctx, cancel := context.WithCancel(ctx)
	t := &task{cancel: cancel, done: make(chan struct{})}
	if work == nil {
		close(t.done)
		return t
	}
	go func() {
		defer close(t.done)
		t.err = work(ctx)
	}()
	return t
}

// wait returns when the task has drained, or with ctx's error, which says what
// the task is.
func (t *task) wait(ctx context.Context, what string) error {
	select {
	case <-t.done:
		return t.err
	case <-ctx.Done():
		return fmt.Errorf("%s is still draining: %w", what, ctx.Err())
	}
}

// ended reports whether nothing of the task runs any more.
func (t *task) ended() bool {
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}
