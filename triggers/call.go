package triggers

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/framework"
)

// A PanicError is what a function's panic becomes.
type PanicError struct {
	Value any    // what panic was called with
	Stack []byte // of the goroutine that panicked
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns Value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Call runs h and turns a panic into a [*PanicError].
func Call(ctx context.Context, h framework.Handler, ev event.Event) (out *event.Event, err error) {
	defer func() {
		if v := recover(); v != nil {
			out, err = nil, &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return h(ctx, ev)
}
