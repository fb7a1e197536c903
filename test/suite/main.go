// The command suite runs the checks that need more than "go test".
//
//	go run ./test/suite test    everything that must hold before a change is merged
//	go run ./test/suite bench   every benchmark
//	go run ./test/suite fuzz    every fuzz target, for ten seconds each
//	go run ./test/suite cluster the part of test that deploys to a Kubernetes of its own
//	go run ./test/suite mq      the part of test that needs the interface of IBM MQ's client
//
// It starts the services that tests need (see test/services) and stops them
// again, unless they were running already.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/fairlead/fairlead/test/services"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		os.Exit(1)
	}
	fmt.Println("PASS")
}

func run(ctx context.Context, args []string) error {
	if len(args) == 1 {
		switch args[0] {
		case "test":
			return withServices(ctx, test)
		case "bench":
			return withServices(ctx, bench)
		case "fuzz":
			return fuzz(ctx)
		case "cluster":
			return withServices(ctx, onlyDeploying)
		case "mq":
			return onlyMQ(ctx)
		}
	}
	return errors.New("want one of test, bench, cluster, fuzz, mq")
}

// withServices calls work while the services run. What is installed for the
// services, such as a C compiler, is there for the checks too.
func withServices(ctx context.Context, work func(context.Context) error) (err error) {
	started, err := services.Up(ctx, os.Stdout)
	if err != nil {
		return err
	}
	if started {
		defer func() { err = errors.Join(err, services.Down(os.Stdout)) }()
	}
	return work(ctx)
}

// peers is the module that compares the outbox with others.
const peers = "test/bench/peers"

// bench runs one package at a time: two would measure each other.
func bench(ctx context.Context) error {
	args := []string{"test", "-run", "^$", "-bench", ".", "-benchmem", "-p", "1", "-timeout", "60m", "./..."}
	return errors.Join(
		tool(ctx, "go", args...),
		tool(ctx, "go", append([]string{"-C", peers}, args...)...),
	)
}

// tool runs a program of the Go tool chain with our output as its own.
func tool(ctx context.Context, name string, args ...string) error {
	return toolWith(ctx, nil, name, args...)
}

// toolWith is tool with more settings of the environment.
func toolWith(ctx context.Context, env []string, name string, args ...string) error {
	fmt.Println(strings.Join(slices.Concat([]string{"+"}, quoted(env), []string{name}, args), " "))
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(cmd.Environ(), env...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", name, args[0], err)
	}
	return nil
}
