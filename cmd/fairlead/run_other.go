//go:build !linux

package main

import "syscall"

// dieWithParent does nothing where the system cannot do it.
func dieWithParent(*syscall.SysProcAttr) {}
