package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/test/services"
)

// event is a line of "go test -json" (go doc test2json).
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// name identifies a test, or its package where Test is empty.
type name struct{ pkg, test string }

func (n name) String() string { return strings.TrimSpace(n.pkg + " " + n.test) }

func byName(a, b name) int { return strings.Compare(a.String(), b.String()) }

// report shows the events of a test run as "go test" would, and remembers what
// the summary needs: JSON is the one form in which no skip stays unseen.
type report struct {
	out     io.Writer
	output  map[name][]string // of what has not ended yet
	passed  int
	failed  []name
	skipped map[name]string // with the reasons
}

func newReport(out io.Writer) *report {
	return &report{out: out, output: map[name][]string{}, skipped: map[name]string{}}
}

func (r *report) read(events io.Reader) error {
	for decoder := json.NewDecoder(events); ; {
		var e event
		if err := decoder.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the events of go test: %w", err)
		}
		r.add(e)
	}
}

func (r *report) add(e event) {
	n := name{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		r.output[n] = append(r.output[n], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.endPackage(e)
		} else {
			r.endTest(n, e.Action)
		}
		delete(r.output, n)
	}
}

func (r *report) endTest(n name, outcome string) {
	switch outcome {
	case "pass":
		r.passed++
	case "fail":
		r.failed = append(r.failed, n)
		r.print(n)
	case "skip":
		r.skipped[n] = reason(r.output[n])
	}
}

// endPackage shows the closing line of a package; of one that failed also all
// else it said, and the tests that its end interrupted.
func (r *report) endPackage(e event) {
	n := name{pkg: e.Package}
	if e.Action != "fail" {
		for _, line := range r.output[n] {
			if strings.HasPrefix(line, "ok ") || strings.HasPrefix(line, "? ") {
				fmt.Fprint(r.out, line)
			}
		}
		return
	}
	for _, other := range slices.SortedFunc(maps.Keys(r.output), byName) {
		if other.pkg == e.Package && other.test != "" {
			r.failed = append(r.failed, other)
			r.print(other)
			delete(r.output, other)
		}
	}
	if !slices.ContainsFunc(r.failed, func(n name) bool { return n.pkg == e.Package }) {
		r.failed = append(r.failed, n)
	}
	r.print(n)
}

func (r *report) print(n name) {
	for _, line := range r.output[n] {
		fmt.Fprint(r.out, line)
	}
}

// reason returns what a skipped test said, without the lines that go test added.
func reason(output []string) string {
	var said []string
	for _, line := range output {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			said = append(said, line)
		}
	}
	return strings.Join(said, " ")
}

// summary lists what did not pass. A test that was skipped for want of a
// service, or gave no reason, is a failure.
func (r *report) summary() error {
	var bad []name
	for _, n := range slices.SortedFunc(maps.Keys(r.skipped), byName) {
		fmt.Fprintf(r.out, "skipped: %s: %s\n", n, r.skipped[n])
		if r.skipped[n] == "" || services.Missing(r.skipped[n]) {
			bad = append(bad, n)
		}
	}
	for _, n := range r.failed {
		fmt.Fprintf(r.out, "failed: %s\n", n)
	}
	fmt.Fprintf(r.out, "tests: %d passed, %d failed, %d skipped\n", r.passed, len(r.failed), len(r.skipped))
	if len(bad) > 0 {
		return fmt.Errorf("%d tests were skipped for want of a service, or for no reason: %v", len(bad), bad)
	}
	return nil
}
