package services

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// blockSize is how many ports one reservation may hold: enough for any broker.
const blockSize = 16

// reserve returns n free ports that no other test, in this process or another,
// is given until t ends. They stay the test's while nothing listens on them,
// so a broker that was killed starts again on the same ones.
func reserve(t testing.TB, n int) []int {
	t.Helper()
	place, err := here()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(place.run, "ports")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	first := place.base + sharedPorts
	for _, block := range rand.Perm((firstOutgoing - first) / blockSize) {
		port := first + block*blockSize
		lock, err := lockFile(filepath.Join(dir, strconv.Itoa(port)), syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if !allFree(port) {
			lock.Close()
			continue
		}
		t.Cleanup(func() { lock.Close() })
		return consecutive(port, n)
	}
	t.Fatalf("no %d free ports from %d to %d", n, first, firstOutgoing)
	return nil
}

// lockFile holds the file at path until it is closed or this process ends. If
// somebody else holds it, it waits, or with the flag syscall.LOCK_NB fails.
func lockFile(path string, flag int) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|flag); err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return file, nil
}

func allFree(first int) bool {
	for _, port := range consecutive(first, blockSize) {
		if !free(port) {
			return false
		}
	}
	return true
}

func free(port int) bool {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

func consecutive(first, n int) []int {
	ports := make([]int, n)
	for i := range ports {
		ports[i] = first + i
	}
	return ports
}
