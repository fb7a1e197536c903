//go:build !linux

package embedded

import (
	"errors"
	"os"
	"syscall"
)

// dieWithUs does nothing here: what a killed program leaves behind is found by
// the next one.
func dieWithUs(*syscall.SysProcAttr) {}

// notRoot refuses to run as root, which PostgreSQL would do, too.
func notRoot(...string) (*syscall.SysProcAttr, error) {
	if os.Geteuid() == 0 {
		return nil, errors.New("PostgreSQL does not run as root; start the program as another user, or set store.url")
	}
	return &syscall.SysProcAttr{}, nil
}

// alive reports whether there is a process of that id.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	return err == nil && p.Signal(syscall.Signal(0)) == nil
}
