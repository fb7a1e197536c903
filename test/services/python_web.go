package services

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// webPackages are what the examples in Python are written with, and apiPackages
// what an API is tested against its OpenAPI document with, each in an environment
// of its own.
var (
	webPackages = []string{"requests==2.34.2", "cloudevents==2.2.0", "flask==3.1.3", "django==5.2.19"}
	apiPackages = []string{"schemathesis==4.32.5"}
)

// WebPython returns the path of a Python interpreter that has requests, the
// CloudEvents SDK, Flask and Django.
func WebPython(t testing.TB) string {
	t.Helper()
	return pythonOf(t, place.web)
}

// Schemathesis returns the path of schemathesis, which tests an API against its
// OpenAPI document.
func Schemathesis(t testing.TB) string {
	t.Helper()
	return filepath.Join(filepath.Dir(pythonOf(t, place.api)), "schemathesis")
}

// pythonOf returns the interpreter of an environment, or skips the test.
func pythonOf(t testing.TB, which func(place) environment) string {
	t.Helper()
	p, err := here()
	if err != nil {
		t.Fatal(err)
	}
	e := which(p)
	if running(t).Python == "" || !exists(e.python()) {
		missing(t, "python's "+e.name+" packages are not installed")
	}
	return e.python()
}

func (p place) web() environment { return environment{p, "web", webPackages} }
func (p place) api() environment { return environment{p, "api", apiPackages} }

func pythonWeb(p place) step {
	return p.web().step("requests, the CloudEvents SDK, Flask and Django (pip)")
}

func pythonAPI(p place) step { return p.api().step("schemathesis (pip)") }

// An environment is a virtual one of Python.
type environment struct {
	place
	name     string
	packages []string
}

func (e environment) dir() string    { return filepath.Join(e.cache, "python-"+e.name) }
func (e environment) python() string { return filepath.Join(e.dir(), "bin", "python") }

func (e environment) step(name string) step { return step{name: name, have: e.complete, do: e.install} }

// complete reports whether it has the packages, in their versions.
func (e environment) complete() bool {
	const check = `
import importlib.metadata, sys
for want in sys.argv[1:]:
    name, version = want.split("==")
    assert importlib.metadata.version(name) == version
`
	return exec.Command(e.python(), append([]string{"-c", check}, e.packages...)...).Run() == nil
}

// install makes the environment. It keeps the wheels, and needs no network if it
// has them.
func (e environment) install(ctx context.Context) error {
	wheels := filepath.Join(e.cache, "wheels-"+e.name)
	if err := os.RemoveAll(e.dir()); err != nil {
		return err
	}
	if err := execute(ctx, nil, findPython(), "-m", "venv", e.dir()); err != nil {
		return err
	}
	install := append([]string{"-m", "pip", "-q", "install", "--no-index", "--find-links", wheels}, e.packages...)
	if execute(ctx, nil, e.python(), install...) == nil {
		return nil
	}
	fetch := append([]string{"-m", "pip", "-q", "wheel", "-w", wheels}, e.packages...)
	if err := download(ctx, nil, e.python(), fetch...); err != nil {
		return err
	}
	return execute(ctx, nil, e.python(), install...)
}
