package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

const fuzzTime = "10s"

// fuzz runs every fuzz target of the module for a while.
func fuzz(ctx context.Context) error {
	targets, err := fuzzTargets(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, target := range targets {
		errs = append(errs, tool(ctx, "go", "test", "-run", "^$", "-fuzz", "^"+target.test+"$", "-fuzztime", fuzzTime, target.pkg))
	}
	fmt.Printf("fuzzed %d targets\n", len(targets))
	return errors.Join(errs...)
}

// fuzzTargets asks the test programs themselves, so that build tags hold.
func fuzzTargets(ctx context.Context) ([]name, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-list", "^Fuzz", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list the fuzz targets: %w\n%s", err, out)
	}
	return parseTargets(string(out)), nil
}

// parseTargets reads what "go test -list" prints: the names in a package, a line
// each, and then "ok" and the package.
func parseTargets(list string) []name {
	var targets []name
	var open int // from here on the package is not known yet
	for line := range strings.Lines(list) {
		switch fields := strings.Fields(line); {
		case len(fields) == 1 && strings.HasPrefix(fields[0], "Fuzz"):
			targets = append(targets, name{test: fields[0]})
		case len(fields) > 1 && fields[0] == "ok":
			for ; open < len(targets); open++ {
				targets[open].pkg = fields[1]
			}
		}
	}
	return targets
}
