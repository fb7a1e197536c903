package main

import "syscall"

// dieWithParent makes a child end when we are killed, so that none is left behind.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGTERM }
