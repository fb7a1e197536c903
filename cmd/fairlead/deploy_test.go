package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDeployNamesWhatIsMissing looks for programs where there are ever more of them.
func TestDeployNamesWhatIsMissing(t *testing.T) {
	path := t.TempDir()
	t.Setenv("PATH", path)
	for _, step := range []struct{ want, then string }{
		{"kubectl is needed", "kubectl"},
		{"the Go toolchain is needed", "go"},
		{"the func of Knative is needed", "func"},
	} {
		err := new(deployment).checkTools(false)
		if err == nil || !strings.Contains(err.Error(), step.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want a sentence with %q", err, step.want)
		}
		if err := os.WriteFile(filepath.Join(path, step.then), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := new(deployment).checkTools(false); err != nil {
		t.Errorf("with all programs: %v", err)
	}
}
