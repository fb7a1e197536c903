package framework_test

import (
	"context"
	"reflect"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/framework"
)

type customer struct{ ID string }

func TestTypesOf(t *testing.T) {
	never := func() { t.Error("the function was called") }
	plain := framework.Handler(func(context.Context, event.Event) (*event.Event, error) { never(); return nil, nil })
	for name, tt := range map[string]struct {
		handler framework.Handler
		in, out reflect.Type
	}{
		"Sink":              {framework.Sink(func(context.Context, customer) error { never(); return nil }), reflect.TypeFor[customer](), nil},
		"Sink of a pointer": {framework.Sink(func(context.Context, *customer) error { never(); return nil }), reflect.TypeFor[*customer](), nil},
		"Func":              {framework.Func(func(context.Context, string) (customer, error) { never(); return customer{}, nil }), reflect.TypeFor[string](), reflect.TypeFor[customer]()},
		"Func of others":    {framework.Func(func(context.Context, event.Event) (any, error) { never(); return 1, nil }), reflect.TypeFor[event.Event](), reflect.TypeFor[any]()},
		"Transactional":     {framework.Transactional(func(context.Context, pgx.Tx, customer) error { never(); return nil }), reflect.TypeFor[customer](), nil},
		"TransactionalFunc": {framework.TransactionalFunc(func(context.Context, pgx.Tx, []byte) (int, error) { never(); return 1, nil }), reflect.TypeFor[[]byte](), reflect.TypeFor[int]()},
		"a plain handler":   {plain, nil, nil},
		"one that wraps": {func(ctx context.Context, in event.Event) (*event.Event, error) {
			never()
			return framework.Sink(func(context.Context, customer) error { return nil })(ctx, in)
		}, nil, nil},
		"none": {nil, nil, nil},
	} {
		if in, out := framework.TypesOf(tt.handler); in != tt.in || out != tt.out {
			t.Errorf("%s: got %v and %v, want %v and %v", name, in, out, tt.in, tt.out)
		}
	}
}

func TestAnOriginIsCompletedOnce(t *testing.T) {
	calls := 0
	o := &framework.Origin{Trigger: "t"}
	o.Later(func(o *framework.Origin) { calls++; o.Path = map[string]string{"id": "7"} })
	ctx := framework.NewContext(t.Context(), &framework.Invocation{Source: o})
	if calls != 0 {
		t.Error("it was completed before somebody asked")
	}
	for range 2 {
		if got := framework.Source(ctx); got.Path["id"] != "7" || got.Trigger != "t" {
			t.Errorf("got %+v", got.Path)
		}
	}
	if calls != 1 {
		t.Errorf("it was completed %d times", calls)
	}
}
