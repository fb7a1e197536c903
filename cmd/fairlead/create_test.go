package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	for name, good := range map[string]bool{
		"a": true, "my-fn-2": true, strings.Repeat("a", 63): true,
		"": false, "A": false, "2a": false, "-a": false, "a-": false, "a_b": false, "a.b": false, "a/b": false, "..": false, strings.Repeat("a", 64): false,
	} {
		if err := checkName(name); (err == nil) != good {
			t.Errorf("checkName(%q): got %v, want it taken: %t", name, err, good)
		}
	}
}

func TestAsk(t *testing.T) {
	for _, tt := range []struct {
		name  string
		known novelty
		typed string
		want  novelty
		wrong string
	}{
		{name: "both", typed: "orders\nschedule\n", want: novelty{"orders", "schedule"}},
		{name: "spaces", typed: " orders \n\n", want: novelty{name: "orders"}},
		{name: "the template is known", known: novelty{template: "http"}, typed: "orders\n", want: novelty{"orders", "http"}},
		{name: "all is known", known: novelty{"orders", "http"}, want: novelty{"orders", "http"}},
		{name: "a bad name, before the next question", typed: "Orders\n", wrong: `found the name "Orders", expected one`},
		{name: "no name", typed: "\n", wrong: `found the name "", expected one`},
		{name: "the end of the input", wrong: "found no answer"},
		{name: "the end of the input, later", typed: "orders\n", wrong: "found no answer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.known
			var asked strings.Builder
			err := got.ask(t.Context(), strings.NewReader(tt.typed), &asked)
			if tt.wrong != "" {
				if _, ok := errors.AsType[usageError](err); !ok || !strings.Contains(err.Error(), tt.wrong) {
					t.Errorf("got error %v, want one of usage with %q", err, tt.wrong)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("got %+v and error %v, want %+v", got, err, tt.want)
			}
			if asks := strings.Contains(asked.String(), "Name of the function: "); asks != (tt.known.name == "") {
				t.Errorf("it asked %q", asked.String())
			}
			if asks := strings.Contains(asked.String(), "Template [http]: "); asks != (tt.known.template == "") {
				t.Errorf("it asked %q", asked.String())
			}
		})
	}
}

// TestAskStopped is about Ctrl-C while a question stands: it does not wait for the
// answer.
func TestAskStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in, typed := io.Pipe()
	defer typed.Close()
	out, asked := io.Pipe()
	go func() { // it ends with out
		out.Read(make([]byte, 100))
		cancel()
		io.Copy(io.Discard, out)
	}()
	defer asked.Close()
	n := novelty{}
	if err := n.ask(ctx, in, asked); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want that of the context", err)
	}
}

// TestFetchFails is about a released command that cannot fetch its own module: it
// says why.
func TestFetchFails(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module function\n\ngo 1.26\n\nrequire " + modulePath + " v0.0.99\n",
		"main.go": "package function\n\nimport _ \"" + modulePath + "/framework\"\n",
		"go":      "#!/bin/sh\necho \"go.mod:3: invalid go version '1.26.0': must match format 1.23\" >&2\nexit 1\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOFLAGS", "-mod=mod")
	for _, tt := range []struct{ name, path, want string }{
		{"no network", os.Getenv("PATH"), "module lookup disabled by GOPROXY=off"},
		{"an old Go", dir + string(filepath.ListSeparator) + os.Getenv("PATH"), "This Go is too old"},
		{"no Go", t.TempDir(), "the Go toolchain is needed to build functions"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("PATH", tt.path)
			err := origin{version: "v0.0.99"}.complete(t.Context(), dir)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
			if _, silent := errors.AsType[*exec.ExitError](err); silent {
				t.Error("report would not print this error, as if the go command had said it")
			}
		})
	}
}
