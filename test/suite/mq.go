package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/fairlead/fairlead/test/mqdouble"
)

// mqPackages have tests behind the build tag mq.
var mqPackages = []string{"./connections/mq", "./test/mqdouble", "./test/e2e/mq"}

// mqGolang is tested here, too: its own tests say whether the double's headers
// and library are what it expects.
const mqGolang = "github.com/ibm-messaging/mq-golang/v5/ibmmq"

// mq runs what needs the interface of IBM MQ's client, on the queue-manager
// double: our own tests and those of mq-golang under the race detector, and those
// that go through the client's library again under the address sanitizer.
func mq(ctx context.Context, r *report) error {
	double, err := mqdouble.Build(ctx, mqdouble.Cache(), false)
	if err != nil {
		return fmt.Errorf("build the queue-manager double: %w", err)
	}
	sanitized, err := mqdouble.Build(ctx, mqdouble.Cache(), true)
	if err != nil {
		return fmt.Errorf("build the queue-manager double with the address sanitizer: %w", err)
	}
	const (
		parallel = "-parallel=8"        // most of the time they wait
		again    = "-skip=^TestEngine$" // it is around the client, and among all the others
	)
	return errors.Join(
		toolWith(ctx, double.Env(), "go", append([]string{"vet", "-tags=mq", "./test/bench"}, mqPackages...)...),
		r.run(ctx, double.Env(), append([]string{"-tags=mq", "-race", parallel, again, mqGolang}, mqPackages...)...),
		r.run(ctx, double.Env(), "-tags=mq", "-race", "-run=^TestMQ", "./cmd/fairlead"),
		r.run(ctx, sanitized.Env(), "-tags=mq", "-asan", parallel, again, "./connections/mq", "./test/mqdouble"),
	)
}

// onlyMQ is mq alone.
func onlyMQ(ctx context.Context) error {
	r := newReport(os.Stdout)
	return errors.Join(mq(ctx, r), r.summary())
}
