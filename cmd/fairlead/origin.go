package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/templates"
)

// An origin is where a new function finds Fairlead: the released version that
// this command is of, or the checkout that it was built from.
type origin struct {
	version  string // such as v0.1.0; empty for a checkout
	checkout string // its folder
}

// whereFrom returns the origin of this command.
func whereFrom() (origin, error) {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path == modulePath && info.Main.Sum != "" {
		return origin{version: info.Main.Version}, nil // a module with a checksum is a released one
	}
	_, file, _, _ := runtime.Caller(0)
	dir := filepath.Dir(filepath.Dir(filepath.Dir(file)))
	if !isCheckout(dir) {
		return origin{}, errors.New("this is a development build, and the checkout it was built from is not there any more (or it was built with -trimpath): build it again, or install a released version")
	}
	return origin{checkout: dir}, nil
}

// require makes the go.mod of a template require Fairlead from its origin.
func (o origin) require(mod string) string {
	if o.version != "" {
		return strings.Replace(mod, modulePath+" "+templates.Version, modulePath+" "+o.version, 1)
	}
	return mod + "\n// The command that created this is a development build.\nreplace " + modulePath + " => " + goModPath(o.checkout) + "\n"
}

// goModPath quotes a path where a go.mod wants that.
func goModPath(path string) string {
	if strings.ContainsAny(path, " \t\"'`(),;") {
		return strconv.Quote(path)
	}
	return path
}

// complete adds to a function's go.mod and go.sum what no template can have: the
// checksums of a released version, or what a checkout needs by now.
func (o origin) complete(ctx context.Context, dir string) error {
	if o.version == "" {
		return o.adopt(dir)
	}
	if err := needGo(); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "mod", "tidy")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("fetch %s %s with the go command (%v):\n%s", modulePath, o.version, err, explain(string(out), modulePath)) // not %w: report says nothing of an exit code
	}
	return ctx.Err()
}

// required is a line of a go.mod that requires a module.
var required = regexp.MustCompile(`(?m)^(?:require)?[ \t]+(\S+) (v\S+)`)

// adopt makes the function in dir require what the checkout does. Until the
// function is tidied, some of that is more than it needs.
func (o origin) adopt(dir string) error {
	mod, err := os.ReadFile(filepath.Join(o.checkout, "go.mod"))
	if err != nil {
		return err
	}
	own, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return err
	}
	text, more := string(own), ""
	for _, r := range required.FindAllStringSubmatch(string(mod), -1) {
		path, version := r[1], r[2]
		line := regexp.MustCompile(`(?m)^([ \t]*(?:require )?` + regexp.QuoteMeta(path) + `) v\S+`)
		if line.MatchString(text) {
			text = line.ReplaceAllString(text, "$1 "+version)
		} else {
			more += "\t" + path + " " + version + " // indirect\n"
		}
	}
	if more != "" {
		text += "\nrequire (\n" + more + ")\n"
	}
	sums, err := os.ReadFile(filepath.Join(o.checkout, "go.sum"))
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o644),
		os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o644),
	)
}

const modulePath = "github.com/fairlead/fairlead"

// isCheckout reports whether Fairlead's own go.mod is in dir.
func isCheckout(dir string) bool {
	data, err := fs.ReadFile(os.DirFS(dir), "go.mod")
	if err != nil {
		return false
	}
	module, err := modulePathIn(string(data))
	return err == nil && module == modulePath
}
