package services

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// nodePackages are rhea, an AMQP 1.0 client in JavaScript, and what it needs.
var nodePackages = []string{"rhea@3.0.5", "debug@4.4.3", "ms@2.1.3"}

// Rhea returns the folder that NODE_PATH has to name so that Node.js finds rhea.
func Rhea(t testing.TB) string {
	t.Helper()
	p, err := here()
	if err != nil {
		t.Fatal(err)
	}
	running(t) // skips the test where there is nothing to talk to
	if !hasNodePackages(p.nodeModules(), nodePackages...) {
		missing(t, "rhea is not installed")
	}
	return p.nodeModules()
}

func (p place) nodeModules() string { return filepath.Join(p.cache, "node", "node_modules") }

func nodeClients(p place) step { return nodeStep("rhea (npm)", p.nodeModules(), nodePackages...) }

// nodeStep brings packages of npm into a folder of modules.
func nodeStep(name, modules string, packages ...string) step {
	return step{
		name: name,
		have: func() bool { return hasNodePackages(modules, packages...) },
		do: func(ctx context.Context) error {
			dir := filepath.Dir(modules)
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			return download(ctx, nil, "npm", append([]string{"install", "--silent", "--no-audit", "--no-fund", "--no-save", "--prefix", dir}, packages...)...)
		},
	}
}

// hasNodePackages reports whether the packages are in a folder of modules, in
// these versions.
func hasNodePackages(modules string, packages ...string) bool {
	for _, want := range packages {
		name, version, _ := strings.Cut(want, "@")
		text, err := os.ReadFile(filepath.Join(modules, name, "package.json"))
		var found struct{ Version string }
		if err != nil || json.Unmarshal(text, &found) != nil || found.Version != version {
			return false
		}
	}
	return true
}
