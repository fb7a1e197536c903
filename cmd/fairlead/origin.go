package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
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

// complete adds the checksums of a released version, which no template can have.
func (o origin) complete(ctx context.Context, dir string) error {
	if o.version == "" {
		return nil
	}
	cmd := exec.CommandContext(ctx, "go", "mod", "tidy")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fetch %s %s with the go command: %w\n%s", modulePath, o.version, err, out)
	}
	return nil
}

const modulePath = "github.com/fairlead/fairlead"

// isCheckout reports whether Fairlead's own go.mod is in dir.
func isCheckout(dir string) bool {
	data, err := fs.ReadFile(os.DirFS(dir), "go.mod")
	return err == nil && strings.HasPrefix(string(data), "module "+modulePath+"\n")
}
