package framework

import (
	"context"
	"reflect"
	"runtime"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"
)

// TypesOf returns what a handler made by [Sink], [Func], [Transactional] or
// [TransactionalFunc] takes and returns; out is nil if it returns nothing. Both
// are nil for any other handler. The function behind it is not called.
func TypesOf(h Handler) (in, out reflect.Type) {
	if h == nil || !adapted(h) {
		return nil, nil
	}
	var q question
	if _, err := h(context.Background(), event.Event{Context: &q}); err != nil {
		return nil, nil
	}
	return q.in, q.out
}

// adapters are the functions of this package whose handlers answer a question.
// They are never inlined, so that their handlers keep these names.
var adapters = []string{"Sink", "Func", "Transactional", "TransactionalFunc"}

// adapted reports whether one of the adapters made h. A handler is a function
// value, and its name is all that tells who made it.
func adapted(h Handler) bool {
	own := reflect.TypeFor[question]().PkgPath() + "."
	name, ok := strings.CutPrefix(runtime.FuncForPC(reflect.ValueOf(h).Pointer()).Name(), own)
	maker, _, generic := strings.Cut(name, "[")
	for _, a := range adapters {
		if ok && generic && maker == a {
			return true
		}
	}
	return false
}

// A question is the context of an event that asks a handler for its types.
type question struct {
	event.EventContextV1
	in, out reflect.Type
}

// asked answers ev, if it is a question. in and out are pointers to what a function
// takes and returns; out is nil if it returns nothing. They are no [reflect.Type],
// because who asks has type parameters, and is compiled again in every package with
// a function: the less it does, the sooner that is done.
func asked(ev event.Event, in, out any) bool {
	q, ok := ev.Context.(*question)
	if !ok {
		return false
	}
	q.in = reflect.TypeOf(in).Elem()
	if out != nil {
		q.out = reflect.TypeOf(out).Elem()
	}
	return true
}
