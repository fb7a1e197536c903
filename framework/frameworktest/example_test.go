package frameworktest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/frameworktest"
)

// relay is the function under test: a plain Go function.
func relay(ctx context.Context, customer string) error {
	return framework.Send(ctx, "customer.updates", "CUSTOMER.1", customer)
}

// tb stands in for the *testing.T of a real test.
func tb() testing.TB { return new(testing.B) }

// A function is called with the Runtime's ctx, and what it sent is looked at.
func ExampleRuntime() {
	rt := frameworktest.New(tb())
	if err := relay(rt.Context(), "Ada"); err != nil {
		fmt.Println(err)
	}
	for _, s := range rt.Sent() {
		fmt.Println(s.Binding, s.Destination, s.Data())
	}
	// Output: customer.updates CUSTOMER.1 Ada
}

// What a function does when its broker is away.
func ExampleRuntime_brokerAway() {
	rt := frameworktest.New(tb())
	rt.OnSend = func(frameworktest.Sent) error { return framework.ErrUnavailable }
	err := relay(rt.Context(), "Ada")
	fmt.Println(errors.Is(err, framework.ErrUnavailable), len(rt.Sent()))
	// Output: true 0
}

// A stub stands in for a function that is invoked.
func ExampleNew() {
	stubs := framework.Functions{"price": framework.Func(func(context.Context, string) (int, error) { return 7, nil })}
	rt := frameworktest.New(tb(), stubs)
	reply, err := framework.Invoke(rt.Context(), "price", "lamp")
	fmt.Println(string(reply.Data()), err, rt.Invoked()[0].Data())
	// Output: 7 <nil> lamp
}
