package framework_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/frameworktest"
)

// tb stands in for the *testing.T of a real test.
func tb() testing.TB { return new(testing.B) }

type Order struct {
	ID    string `json:"id"`
	Total int    `json:"total"`
}

// A function that takes what a queue brings, decoded into its own type.
func ExampleSink() {
	received := framework.Sink(func(_ context.Context, o Order) error {
		fmt.Println("order", o.ID, "over", o.Total)
		return nil
	})

	rt := frameworktest.New(tb())
	_, err := rt.Run(received, json.RawMessage(`{"id": "A-1", "total": 7}`))
	fmt.Println(err)
	// Output:
	// order A-1 over 7
	// <nil>
}

// A function that answers: the reply goes to the message's reply-to.
func ExampleFunc() {
	greet := framework.Func(func(_ context.Context, name string) (string, error) {
		return "Hello " + name, nil
	})

	rt := frameworktest.New(tb())
	reply, err := rt.Run(greet, "World")
	fmt.Println(string(reply.Data()), reply.DataContentType(), err)
	// Output: Hello World text/plain <nil>
}

// Sending to a queue takes one line. The binding's name leads to a connection in
// the configuration.
func ExampleSend() {
	update := framework.Sink(func(ctx context.Context, o Order) error {
		return framework.Send(ctx, "customer.updates", "CUSTOMER.1", o)
	})

	rt := frameworktest.New(tb())
	if _, err := rt.Run(update, Order{"A-1", 7}); err != nil {
		fmt.Println(err)
	}
	for _, s := range rt.Sent() {
		fmt.Println(s.Binding, s.Destination, s.Data())
	}
	// Output: customer.updates CUSTOMER.1 {"id":"A-1","total":7}
}

// Options set what the message carries besides its data.
func ExampleSend_options() {
	ask := framework.Sink(func(ctx context.Context, o Order) error {
		return framework.Send(ctx, "customer.updates", "CUSTOMER.1", o,
			framework.Header("region", "north"),
			framework.CorrelationID(o.ID),
			framework.ReplyTo("answers"),
			framework.TTL(time.Minute))
	})

	rt := frameworktest.New(tb())
	if _, err := rt.Run(ask, Order{"A-1", 7}); err != nil {
		fmt.Println(err)
	}
	o := rt.Sent()[0].Options
	fmt.Println(o.Header["region"], o.CorrelationID, o.ReplyTo, o.TTL)
	// Output: north A-1 answers 1m0s
}

// What a message carried besides its data.
func ExampleSource() {
	log := framework.Sink(func(ctx context.Context, _ []byte) error {
		s := framework.Source(ctx)
		fmt.Println(s.Destination, s.Header["region"], "attempt", s.Attempt)
		return nil
	})

	rt := frameworktest.New(tb())
	rt.Source = &framework.Origin{Destination: "orders", Attempt: 2, Header: map[string]any{"region": "north"}}
	if _, err := rt.Run(log, "x"); err != nil {
		fmt.Println(err)
	}
	// Output: orders north attempt 2
}

// What no retry can mend goes to the dead letters at once.
func ExampleTerminal() {
	check := framework.Sink(func(_ context.Context, o Order) error {
		if o.Total < 0 {
			return framework.Terminal(errors.New("a negative total"))
		}
		return nil
	})

	rt := frameworktest.New(tb())
	_, err := rt.Run(check, Order{"A-1", -7})
	fmt.Println(err, framework.IsTerminal(err))
	// Output: a negative total true
}

// A function that knows when another try makes sense says so.
func ExampleRetryAfter() {
	ask := framework.Sink(func(context.Context, Order) error {
		return framework.RetryAfter(time.Minute, errors.New("closed until the day begins"))
	})

	rt := frameworktest.New(tb())
	_, err := rt.Run(ask, Order{"A-1", 7})
	wait, ok := framework.Delay(err)
	fmt.Println(err, wait, ok)
	// Output: closed until the day begins 1m0s true
}

func price(_ context.Context, article string) (int, error) { return len(article), nil }

// Calling another function and using its reply.
func ExampleInvoke() {
	offer := framework.Func(func(ctx context.Context, article string) (string, error) {
		reply, err := framework.Invoke(ctx, "price", article)
		if err != nil {
			return "", err
		}
		return article + " for " + string(reply.Data()), nil
	})

	rt := frameworktest.New(tb(), framework.Functions{"price": framework.Func(price)})
	reply, err := rt.Run(offer, "lamp")
	fmt.Println(string(reply.Data()), err)
	// Output: lamp for 4 <nil>
}

// Calling another function without waiting for it.
func ExampleInvokeAsync() {
	order := framework.Sink(func(ctx context.Context, article string) error {
		return framework.InvokeAsync(ctx, "price", article, framework.Callback(func(_ context.Context, r framework.Result) {
			fmt.Println(r.Call.Function, "said", string(r.Event.Data()), r.Err)
		}))
	})

	rt := frameworktest.New(tb(), framework.Functions{"price": framework.Func(price)})
	if _, err := rt.Run(order, "lamp"); err != nil {
		fmt.Println(err)
	}
	rt.Wait() // a test waits; a host does it when it stops
	// Output: price said 4 <nil>
}

// Many calls at once, and one place where all results are together, in the order
// of the calls.
func ExampleFanOut() {
	total := framework.Func(func(ctx context.Context, articles []string) (int, error) {
		var calls []framework.Call
		for _, a := range articles {
			calls = append(calls, framework.Call{Function: "price", Data: a})
		}
		sum := 0
		var failed error
		err := framework.FanOut(ctx, calls, func(_ context.Context, results []framework.Result) {
			for _, r := range results {
				n := 0
				failed = errors.Join(failed, r.Err, json.Unmarshal(r.Event.Data(), &n))
				sum += n
			}
		})
		return sum, errors.Join(err, failed)
	})

	rt := frameworktest.New(tb(), framework.Functions{"price": framework.Func(price)})
	reply, err := rt.Run(total, []string{"lamp", "table", "chair"})
	fmt.Println(string(reply.Data()), err)
	// Output: 14 <nil>
}

// Many calls at once, where each result is used as it comes.
func ExampleParallel() {
	show := framework.Sink(func(ctx context.Context, articles []string) error {
		var calls []framework.Call
		for _, a := range articles {
			calls = append(calls, framework.Call{Function: "price", Data: a})
		}
		return framework.Parallel(ctx, calls, func(_ context.Context, r framework.Result) {
			fmt.Println(r.Call.Data, "costs", string(r.Event.Data()))
		})
	})

	rt := frameworktest.New(tb(), framework.Functions{"price": framework.Func(price)})
	if _, err := rt.Run(show, []string{"lamp", "table"}); err != nil {
		fmt.Println(err)
	}
	// Unordered output:
	// lamp costs 4
	// table costs 5
}

// Trying another function again within one call.
func ExampleRetry() {
	tries := 0
	flaky := framework.Func(func(_ context.Context, s string) (string, error) {
		if tries++; tries < 3 {
			return "", errors.New("not yet")
		}
		return strings.ToUpper(s), nil
	})
	insist := framework.Func(func(ctx context.Context, s string) (event.Event, error) {
		return framework.Retry(ctx, "flaky", s, framework.RetryPolicy{Attempts: 5, First: time.Millisecond})
	})

	rt := frameworktest.New(tb(), framework.Functions{"flaky": flaky})
	reply, err := rt.Run(insist, "done")
	fmt.Println(string(reply.Data()), "after", tries, "tries", err)
	// Output: DONE after 3 tries <nil>
}

// Settings of a function come from the configuration: functions.NAME.settings.
func ExampleSettings() {
	limit := framework.Sink(func(ctx context.Context, o Order) error {
		var s struct {
			Limit int `json:"limit" yaml:"limit"`
		}
		if err := framework.Settings(ctx, &s); err != nil {
			return err
		}
		if o.Total > s.Limit {
			return framework.Terminal(fmt.Errorf("order %s is over %d", o.ID, s.Limit))
		}
		return nil
	})

	rt := frameworktest.New(tb())
	rt.Config = map[string]any{"limit": 5}
	_, err := rt.Run(limit, Order{"A-1", 7})
	fmt.Println(err)
	// Output: order A-1 is over 5
}
