package services

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// webPackages are what the examples in Python are written with, in an
// environment of their own.
var webPackages = []string{"requests==2.34.2", "cloudevents==2.2.0", "flask==3.1.3", "django==5.2.19"}

// WebPython returns the path of a Python interpreter that has requests, the
// CloudEvents SDK, Flask and Django.
func WebPython(t testing.TB) string {
	t.Helper()
	p, err := here()
	if err != nil {
		t.Fatal(err)
	}
	if running(t).Python == "" || !exists(p.webPython()) {
		missing(t, "python's web packages are not installed")
	}
	return p.webPython()
}

func (p place) webPython() string { return filepath.Join(p.cache, "python-web", "bin", "python") }

func pythonWeb(p place) step {
	return step{
		name: "requests, the CloudEvents SDK, Flask and Django (pip)",
		have: func() bool { return hasWebPackages(p.webPython()) },
		do:   func(ctx context.Context) error { return installWebPackages(ctx, p) },
	}
}

// hasWebPackages reports whether python has the packages, in the versions above.
func hasWebPackages(python string) bool {
	const check = `
import importlib.metadata, sys
for want in sys.argv[1:]:
    name, version = want.split("==")
    assert importlib.metadata.version(name) == version
`
	return exec.Command(python, append([]string{"-c", check}, webPackages...)...).Run() == nil
}

// installWebPackages makes a virtual environment of the packages. It keeps the
// wheels, and needs no network if it has them.
func installWebPackages(ctx context.Context, p place) error {
	venv, wheels := filepath.Join(p.cache, "python-web"), filepath.Join(p.cache, "wheels-web")
	if err := os.RemoveAll(venv); err != nil {
		return err
	}
	if err := execute(ctx, nil, findPython(), "-m", "venv", venv); err != nil {
		return err
	}
	install := append([]string{"-m", "pip", "-q", "install", "--no-index", "--find-links", wheels}, webPackages...)
	if execute(ctx, nil, p.webPython(), install...) == nil {
		return nil
	}
	fetch := append([]string{"-m", "pip", "-q", "wheel", "-w", wheels}, webPackages...)
	if err := download(ctx, nil, p.webPython(), fetch...); err != nil {
		return err
	}
	return execute(ctx, nil, p.webPython(), install...)
}
