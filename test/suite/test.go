package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// packageLimit is how long the tests of one package may take.
const packageLimit = 25 * time.Minute

// test runs all checks, also after one that failed.
func test(ctx context.Context) error {
	var errs []error
	for _, check := range []func(context.Context) error{format, vet, tests} {
		if err := check(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func format(ctx context.Context) error {
	fmt.Println("+ gofmt -l .")
	out, err := exec.CommandContext(ctx, "gofmt", "-l", ".").CombinedOutput()
	if err != nil {
		return fmt.Errorf("gofmt: %w\n%s", err, out)
	}
	if files := strings.Fields(string(out)); len(files) > 0 {
		return fmt.Errorf("gofmt: %d files are not formatted (gofmt -w): %s", len(files), strings.Join(files, " "))
	}
	return nil
}

func vet(ctx context.Context) error { return tool(ctx, "go", "vet", "./...") }

// tests runs every test under the race detector, two packages at a time: most
// wait for a broker, which a small machine has only so much of. No result is
// taken from the cache, since services are not part of its key.
func tests(ctx context.Context) error {
	args := []string{"test", "-json", "-race", "-count=1", "-p", "2", "-timeout", packageLimit.String(), "./..."}
	fmt.Println("+ FAIRLEAD_REQUIRE_SERVICES=1 go", strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(cmd.Environ(), "FAIRLEAD_REQUIRE_SERVICES=1")
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	r := newReport(os.Stdout)
	readErr := r.read(events)
	if err := cmd.Wait(); err != nil {
		err = fmt.Errorf("go test: %w", err)
		return errors.Join(err, readErr, r.summary())
	}
	return errors.Join(readErr, r.summary())
}
