// Package http starts functions with HTTP requests. A request may carry plain
// data or a CloudEvent in binary, structured or batch mode (HTTP Protocol
// Binding for CloudEvents 1.0.2); the answer has the form of the question. An
// error is a problem document (RFC 9457). A request is one attempt: whoever
// asks decides whether to ask again.
package http

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/triggers"
)

// A Handler serves functions directly: POST /functions/NAME calls the function
// NAME, and POST / the default one.
type Handler struct {
	Functions framework.Functions
	Default   string                              // what POST / calls; empty: nothing
	Runtime   framework.Runtime                   // what functions run on
	Timeout   func(function string) time.Duration // of one call; 0: none
	MaxBody   int64                               // longest body in bytes
}

// ServeHTTP answers 200 with the reply, 204 without one; 400 for a request that
// cannot be understood, 404 for a function that does not exist, 405 for a
// method but POST, 413 for a body over MaxBody, 422 for a Terminal error, 503
// with Retry-After for RetryAfter and for a broker or store out of reach, 504
// for a timeout, and 500 for any other error.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ok := h.function(r.URL.Path)
	switch {
	case !ok:
		problem(w, http.StatusNotFound, fmt.Sprintf("no function is served at %s", r.URL.Path))
	case h.Functions[name] == nil:
		problem(w, http.StatusNotFound, fmt.Sprintf("there is no function %q", name))
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		problem(w, http.StatusMethodNotAllowed, "functions are called with POST")
	default:
		h.serve(w, r, name)
	}
}

func (h *Handler) function(path string) (string, bool) {
	if path == "/" || path == "" {
		return h.Default, h.Default != ""
	}
	return strings.CutPrefix(path, "/functions/")
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, name string) {
	in, err := h.read(w, r)
	if err != nil {
		h.fail(w, err)
		return
	}
	ctx := r.Context()
	if d := h.Timeout(name); d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	var replies []event.Event
	for _, ev := range in.events {
		out, err := h.call(ctx, r, name, ev)
		if err != nil {
			h.fail(w, err)
			return
		}
		if out != nil {
			replies = append(replies, *out)
		}
	}
	in.mode.write(w, name, replies)
}

// call runs the function once.
func (h *Handler) call(ctx context.Context, r *http.Request, name string, ev event.Event) (*event.Event, error) {
	ctx = framework.NewContext(ctx, &framework.Invocation{
		Runtime: h.Runtime, Function: name, Event: ev,
		Source: &framework.Origin{Destination: r.URL.Path, Attempt: 1, Header: origin(r)},
	})
	out, err := triggers.Call(ctx, h.Functions[name], ev)
	if p, ok := errors.AsType[*triggers.PanicError](err); ok { // the answer does not say it
		slog.ErrorContext(ctx, "the function panicked", "err", err, "stack", string(p.Stack))
	}
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = errors.Join(err, context.DeadlineExceeded)
	}
	return out, err
}

// origin shows the request's headers to the function, without the CloudEvents
// attributes: a string each, or a []string where one comes several times.
func origin(r *http.Request) map[string]any {
	h := make(map[string]any, len(r.Header))
	for name, values := range r.Header {
		switch {
		case strings.HasPrefix(name, headerPrefix):
		case len(values) == 1:
			h[name] = values[0]
		default:
			h[name] = values
		}
	}
	return h
}
