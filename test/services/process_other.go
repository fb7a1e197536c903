//go:build unix && !linux

package services

import "os/exec"

// birth cannot be known without /proc: processes are told apart by pid alone.
func birth(int) string { return "" }

// dieWithUs has no counterpart here: only the test's cleanup ends the process.
func dieWithUs(*exec.Cmd) {}
