package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFindApp finds in a folder what the Go command would.
func TestFindApp(t *testing.T) {
	const code = "package orders\n"
	for _, tt := range []struct {
		name, mod, folder, code string
		want                    app // without the folders
		wrong                   string
	}{
		{name: "the module itself", mod: "module example.com/a\n", code: code, want: app{name: "orders", importPath: "example.com/a"}},
		{name: "below it", mod: "module example.com/a\n", folder: "x/y", code: code, want: app{name: "orders", importPath: "example.com/a/x/y"}},
		{name: "one name", mod: "// ours\n\nmodule function // it is\n\ngo 1.26\n", code: code, want: app{name: "orders", importPath: "function"}},
		{name: "quoted", mod: "module \"example.com/a\"\n", code: code, want: app{name: "orders", importPath: "example.com/a"}},
		{name: "quoted otherwise", mod: "module `example.com/a`\r\n", code: code, want: app{name: "orders", importPath: "example.com/a"}},
		{name: "a program", mod: "module a\n", code: "package main\n", want: app{name: "main", importPath: "a"}},
		{name: "no name", mod: "go 1.26\n", code: code, wrong: "its go.mod names no module"},
		{name: "no package", mod: "module a\n", code: "//go:build ignore\n\n" + code, wrong: "no buildable Go source files"},
		{name: "no code", mod: "module a\n", code: "orders\n", wrong: "expected 'package'"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			dir := filepath.Join(root, tt.folder)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			for file, text := range map[string]string{filepath.Join(root, "go.mod"): tt.mod, filepath.Join(dir, "orders.go"): tt.code} {
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := findApp(dir)
			if tt.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wrong) {
					t.Errorf("got error %v, want one with %q", err, tt.wrong)
				}
				return
			}
			tt.want.dir, tt.want.moduleDir = dir, root
			if err != nil || *got != tt.want {
				t.Errorf("got %+v and error %v, want %+v", got, err, tt.want)
			}
		})
	}
}

// TestBuildStopped is about Ctrl-C while the functions are built, which is no
// failure of the build.
func TestBuildStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	a := app{dir: dir, moduleDir: dir, name: "orders", importPath: "example.com/a"}
	if err := a.build(ctx, filepath.Join(dir, "fairlead.yaml"), newVoice(os.Stderr, false)); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want that of the context", err)
	}
}

// TestExplain checks that where the compiler does not say what to do, we do, after
// its words.
func TestExplain(t *testing.T) {
	for output, want := range map[string]string{
		"./orders.go:3:1: syntax error\n":                                       "./orders.go:3:1: syntax error",
		"main.go:7:19: undefined: app.New\n":                                    "add\n\n\tfunc New() *host.Host {",
		"mqiBO.go:26:10: fatal error: cmqc.h: No such file or directory\n":      "docs/ibm-mq.md says how to install it",
		"go.mod:3: invalid go version '1.26.0': must match format 1.23\n":       "install a newer one",
		"go: go.mod requires go >= 1.26 (running go 1.25; GOTOOLCHAIN=local)\n": "go: go.mod requires go >= 1.26 (running go 1.25; GOTOOLCHAIN=local)",
	} {
		got := explain(output, "example.com/orders")
		if !strings.HasPrefix(got, strings.TrimSpace(output)) || !strings.Contains(got, want) || strings.HasSuffix(got, "\n") {
			t.Errorf("explain(%q): got %q, want it to go on with %q", output, got, want)
		}
	}
}
