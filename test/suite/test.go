package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// packageLimit is how long the tests of one package may take.
const packageLimit = 45 * time.Minute

// test runs all checks, also after one that failed.
func test(ctx context.Context) error {
	var errs []error
	for _, check := range []func(context.Context) error{modules, format, vet, tests} {
		if err := check(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// modules fetches every module, and what describes the whole graph of them: tests
// read sources that no program of this platform is made of, and make programs of
// their own without a proxy, for which go looks at more of the graph than for this
// module.
func modules(ctx context.Context) error {
	for _, what := range []string{"download", "graph"} {
		fmt.Println("+ go mod", what)
		if out, err := exec.CommandContext(ctx, "go", "mod", what).CombinedOutput(); err != nil {
			return fmt.Errorf("go mod %s: %w\n%s", what, err, out)
		}
	}
	return nil
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

func vet(ctx context.Context) error {
	return errors.Join(tool(ctx, "go", "vet", "./..."),
		toolWith(ctx, followed, "go", "-C", browser, "vet", "./..."), toolWith(ctx, followed, "go", "-C", collector, "vet", "./..."))
}

// browser is the module that tests the dashboard in a real browser.
const browser = "test/browser"

// collector is the module that has the OpenTelemetry collector's receiver.
const collector = "test/collector"

// followed lets their go.mod follow ours.
var followed = []string{"GOFLAGS=-mod=mod"}

// tests runs every test under the race detector, two packages at a time: most
// wait for a broker, which a small machine has only so much of. Those that need
// IBM MQ's client, a browser or a collector, come after them.
func tests(ctx context.Context) error {
	r := newReport(os.Stdout)
	err := errors.Join(
		r.run(ctx, nil, "-race", "-p", "2", "./..."),
		mq(ctx, r),
		r.runIn(ctx, browser, followed, "-race", "./..."),
		r.runIn(ctx, collector, followed, "./..."),
		deploying(ctx, r),
	)
	return errors.Join(err, r.summary())
}

// run runs "go test" with more arguments and settings of the environment, and
// adds the results. None is taken from the cache, since services are not part of
// its key.
func (r *report) run(ctx context.Context, env []string, args ...string) error {
	return r.runIn(ctx, "", env, args...)
}

// runIn is run in the folder of another module.
func (r *report) runIn(ctx context.Context, dir string, env []string, args ...string) error {
	args = append([]string{"test", "-json", "-count=1", "-timeout", packageLimit.String()}, args...)
	env = append(env, "FAIRLEAD_REQUIRE_SERVICES=1")
	fmt.Println(strings.Join(slices.Concat([]string{"+"}, quoted(env), []string{"go"}, args), " "))
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), env...)
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	readErr := r.read(events)
	if err := cmd.Wait(); err != nil {
		return errors.Join(fmt.Errorf("go test: %w", err), readErr)
	}
	return readErr
}

// quoted returns settings KEY=VALUE as a shell reads them.
func quoted(env []string) []string {
	var all []string
	for _, setting := range env {
		if key, value, _ := strings.Cut(setting, "="); strings.Contains(value, " ") {
			setting = key + "='" + value + "'"
		}
		all = append(all, setting)
	}
	return all
}
