package services

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The clients that tests write peers with. The SASL mechanisms of Proton are
// there only if it was built with libsasl2's headers, so it is never installed
// from a wheel of somebody else's making.
const (
	stompPy = "stomp.py==9.0.0"
	proton  = "python-qpid-proton==0.40.0"
)

// Python returns the path of a Python interpreter that has stomp.py and Qpid
// Proton (with SCRAM and the other SASL mechanisms).
func Python(t testing.TB) string {
	t.Helper()
	path := running(t).Python
	if path == "" {
		missing(t, "python's clients are not installed")
	}
	return path
}

func (p place) python() string { return filepath.Join(p.cache, "python", "bin", "python") }

func pythonClients(p place) step {
	return step{
		name: "stomp.py and Qpid Proton (pip)",
		have: func() bool { return hasClients(p.python()) },
		do:   func(ctx context.Context) error { return installClients(ctx, p) },
	}
}

// hasClients reports whether python imports the clients, in the versions above.
func hasClients(python string) bool {
	const check = `
import importlib.metadata, sys, proton, stomp
for want in sys.argv[1:]:
    name, version = want.split("==")
    assert importlib.metadata.version(name) == version
assert proton.SASL.extended()
`
	return exec.Command(python, "-c", check, stompPy, proton).Run() == nil
}

// findPython returns the first Python that can make a virtual environment and
// compile for it, or nothing. The one in PATH may be a version manager's empty shell.
func findPython() string {
	const check = `
import ensurepip, os, sysconfig, venv
assert os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
`
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", check).Run() == nil {
			return python
		}
	}
	return ""
}

// installClients makes a virtual environment of the clients. It keeps the
// wheels, since Proton's takes long to build, and needs no network if it has them.
func installClients(ctx context.Context, p place) error {
	venv, wheels := filepath.Join(p.cache, "python"), filepath.Join(p.cache, "wheels")
	if err := os.RemoveAll(venv); err != nil {
		return err
	}
	if err := execute(ctx, nil, findPython(), "-m", "venv", venv); err != nil {
		return err
	}
	install := []string{"-m", "pip", "-q", "install", "--no-index", "--find-links", wheels, proton, stompPy}
	if execute(ctx, nil, p.python(), install...) == nil {
		return nil
	}
	if err := download(ctx, nil, p.python(), "-m", "pip", "-q", "wheel", "--no-binary", "python-qpid-proton", "-w", wheels, proton, stompPy); err != nil {
		return err
	}
	return execute(ctx, nil, p.python(), install...)
}
