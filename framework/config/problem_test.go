package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/framework/config"
)

var update = flag.Bool("update", false, "write what is found into testdata/*.txt, to be read before it is committed")

// A golden is a document and exactly the problems that it must be told, from a
// file of such in testdata:
//
//	=== name
//	document
//	--- problems
//	line:column: path: found …, expected …
type golden struct{ name, document, problems string }

const divider = "--- problems\n"

func readGoldens(t testing.TB, file string) []golden {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []golden
	for part := range strings.SplitSeq("\n"+string(data), "\n=== ") {
		if part = strings.TrimPrefix(part, "\n"); part == "" {
			continue
		}
		name, rest, _ := strings.Cut(part, "\n")
		document, problems, ok := strings.Cut(rest, divider)
		if !ok {
			t.Fatalf("%s: %s has no line %q", file, name, divider)
		}
		all = append(all, golden{name, document, strings.TrimSpace(problems)})
	}
	return all
}

func writeGoldens(t *testing.T, file string, all []golden) {
	t.Helper()
	var b strings.Builder
	for _, g := range all {
		b.WriteString("=== " + g.name + "\n" + g.document + divider + g.problems + "\n\n")
	}
	if err := os.WriteFile(file, []byte(strings.TrimSuffix(b.String(), "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestProblems checks that each document is told all of its problems, and
// nothing else.
func TestProblems(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d files, %v", len(files), err)
	}
	for _, file := range files {
		all := readGoldens(t, file)
		for i, g := range all {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txt")+"/"+g.name, func(t *testing.T) {
				got := strings.ReplaceAll(problemsOf(t, g.document, options()).Error(), "fairlead.yaml:", "")
				all[i].problems = got
				if diff := cmp.Diff(strings.Split(g.problems, "\n"), strings.Split(got, "\n")); diff != "" && !*update {
					t.Errorf("problems (-want +got):\n%s", diff)
				}
			})
		}
		if *update {
			writeGoldens(t, file, all)
		}
	}
}

// problemsOf reads a document that must be wrong.
func problemsOf(t testing.TB, document string, o config.Options) config.Problems {
	t.Helper()
	c, err := config.Parse([]byte(document), "fairlead.yaml", o)
	if err == nil {
		t.Fatalf("accepted: %v", c)
	}
	problems, ok := errors.AsType[config.Problems](err)
	if !ok {
		t.Fatalf("got a %T, want Problems: %v", err, err)
	}
	return problems
}

func TestProblemsAreSortedAndComplete(t *testing.T) {
	got := problemsOf(t, "grace: 10\nversion: 2\nfoo: 1\nfunctions: {nobody: {}}\n", options())
	lines := make([]int, len(got))
	for i, p := range got {
		lines[i] = p.Line
		if p.File != "fairlead.yaml" || p.Column != 1 && p.Path != "grace" && p.Path != "version" && p.Path != "functions.nobody" {
			t.Errorf("got %+v", p)
		}
	}
	if diff := cmp.Diff([]int{1, 2, 3, 4}, lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	want := config.Problem{File: "fairlead.yaml", Line: 1, Column: 8, Path: "grace", Found: "10", Expected: "a duration with its unit, such as 10s or 100ms"}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Errorf("the first problem (-want +got):\n%s", diff)
	}
}
