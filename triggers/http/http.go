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
	"github.com/fairlead/fairlead/triggers/http/rate"
	"github.com/fairlead/fairlead/triggers/http/security"
)

// A Handler serves functions directly: POST /functions/NAME calls the function
// NAME, and POST / the default one.
type Handler struct {
	Functions framework.Functions
	Default   string                              // what POST / calls; empty: nothing
	Runtime   framework.Runtime                   // what functions run on
	Timeout   func(function string) time.Duration // of one call; 0: none
	MaxBody   int64                               // longest body in bytes
	Gate      *security.Gate                      // who may call; nil: everybody
}

// ServeHTTP answers 200 with the reply, 204 without one; 400 for a request that
// cannot be understood, 401, 403 and 503 for a caller who is not let in, 404 for
// a function that does not exist, 405 for a method but POST, 413 for a body over
// MaxBody, 422 for a Terminal error, 503 with Retry-After for RetryAfter and for
// a broker or store out of reach, 504 for a timeout, and 500 for any other
// error. With "Prefer: respond-async" the event is published for the function,
// and the answer is 202.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ok := h.function(r.URL.Path)
	t := &target{function: name, gate: h.Gate}
	switch {
	case !ok:
		problem(w, http.StatusNotFound, fmt.Sprintf("no function is served at %s", r.URL.Path))
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		problem(w, http.StatusMethodNotAllowed, "functions are called with POST")
	case h.Functions[name] != nil:
		h.serve(w, r, t)
	default:
		if _, ok := h.admit(w, r, t); ok { // others need not know what there is
			problem(w, http.StatusNotFound, fmt.Sprintf("there is no function %q", name))
		}
	}
}

func (h *Handler) function(path string) (string, bool) {
	if path == "/" || path == "" {
		return h.Default, h.Default != ""
	}
	return strings.CutPrefix(path, "/functions/")
}

// A target is what a request is for.
type target struct {
	trigger  string // empty for a function that is called directly
	function string
	format   string
	params   []string // names of the path's variables
	gate     *security.Gate
	limit    *rate.Limiter // nil: there is none
}

// serve lets the caller in, reads the request, calls the function and answers.
// It reports whether the function was called, and what came of it.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, t *target) (called bool, err error) {
	caller, ok := h.admit(w, r, t)
	if !ok {
		return false, nil
	}
	in, err := h.read(w, r)
	if err != nil {
		defer linger(w, r, err)()
		h.fail(w, err)
		return false, nil
	}
	if async(r.Header) {
		return true, h.publish(w, r, t, in)
	}
	ctx := r.Context()
	if d := h.Timeout(t.function); d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = triggers.WithTimeout(ctx, d)
		defer cancel()
	}
	source := t.origin(r, caller)
	var replies []event.Event
	for _, ev := range in.events {
		out, err := h.call(ctx, t, source, ev)
		if err != nil {
			h.fail(w, err)
			return true, err
		}
		if out != nil {
			replies = append(replies, *out)
		}
	}
	in.mode.write(w, t.function, replies)
	return true, nil
}

// admit lets a caller in, or answers why not.
func (h *Handler) admit(w http.ResponseWriter, r *http.Request, t *target) (*framework.Caller, bool) {
	var caller *framework.Caller
	if t.gate != nil {
		var refusal *security.Refusal
		if caller, refusal = t.gate.Admit(r); refusal != nil {
			if t.limit == nil || t.limit.Allow(client(r, nil)) { // guessing is bounded, too
				refuse(w, r, refusal)
			} else {
				exceeded(w, t.limit)
			}
			return nil, false
		}
	}
	if t.limit != nil && !t.limit.Allow(client(r, caller)) {
		exceeded(w, t.limit)
		return nil, false
	}
	return caller, true
}

// refuse answers somebody who is not let in.
func refuse(w http.ResponseWriter, r *http.Request, refusal *security.Refusal) {
	if refusal.Err != nil {
		slog.WarnContext(r.Context(), "a caller's credentials cannot be checked", "err", refusal.Err)
		w.Header().Set("Retry-After", "10")
	}
	if len(refusal.Challenges) > 0 {
		w.Header()["Www-Authenticate"] = refusal.Challenges
	}
	problem(w, refusal.Status, refusal.Detail)
}

// call runs the function once.
func (h *Handler) call(ctx context.Context, t *target, source *framework.Origin, ev event.Event) (*event.Event, error) {
	inv := &framework.Invocation{Runtime: h.Runtime, Function: t.function, Event: ev, Source: source, Format: t.format}
	ctx = framework.NewContext(ctx, inv)
	out, err := triggers.Call(ctx, h.Functions[t.function], ev)
	if p, ok := errors.AsType[*triggers.PanicError](err); ok { // the answer does not say it
		slog.ErrorContext(ctx, "the function panicked", "err", err, "stack", string(p.Stack))
	}
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = errors.Join(err, context.DeadlineExceeded)
	}
	return out, err
}

// origin is what the function may know of the request.
func (t *target) origin(r *http.Request, caller *framework.Caller) *framework.Origin {
	o := &framework.Origin{Trigger: t.trigger, Destination: r.URL.Path, Attempt: 1, Caller: caller}
	o.Later(func(o *framework.Origin) { t.describe(o, r) })
	return o
}

// describe completes what the function may know of the request.
func (t *target) describe(o *framework.Origin, r *http.Request) {
	o.Header = header(r)
	if t.gate != nil {
		for _, name := range t.gate.Credentials() {
			delete(o.Header, name)
		}
	}
	if r.URL.RawQuery != "" {
		o.Query = r.URL.Query()
	}
	if len(t.params) > 0 {
		o.Path = make(map[string]string, len(t.params))
		for _, name := range t.params {
			o.Path[name] = r.PathValue(name)
		}
	}
}

// header shows the request's headers to the function, without the CloudEvents
// attributes: a string each, or a []string where one comes several times.
func header(r *http.Request) map[string]any {
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
