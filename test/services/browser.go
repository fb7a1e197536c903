package services

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Chromium returns the path of a Chromium for tests of web pages.
func Chromium(t testing.TB) string {
	t.Helper()
	running(t) // skips the test where there is nothing to show
	path := findChromium()
	if path == "" {
		missing(t, "chromium is not installed")
	}
	return path
}

func findChromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// axeCore finds what is wrong with a page for people who do not see or point.
const axeCore = "axe-core@4.14.1"

// Axe returns the JavaScript of axe-core, which a page runs on itself.
func Axe(t testing.TB) string {
	t.Helper()
	p, err := here()
	if err != nil {
		t.Fatal(err)
	}
	running(t)
	if !hasNodePackages(p.axeModules(), axeCore) {
		missing(t, "axe-core is not installed")
	}
	script, err := os.ReadFile(filepath.Join(p.axeModules(), "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

func (p place) axeModules() string { return filepath.Join(p.cache, "axe", "node_modules") }

func axe(p place) step { return nodeStep("axe-core (npm)", p.axeModules(), axeCore) }
