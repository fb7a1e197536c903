//go:build unix

package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// A mapped is a file of slots in memory, locked by the process that it belongs to.
// It is for processes of the same machine, so slots are in it as in memory.
type mapped struct {
	name  string
	file  *os.File
	bytes []byte
	slots []slot
}

const size = slots * int(unsafe.Sizeof(slot{})) // 128 KiB

var errLocked = errors.New("another process uses it")

// create makes a file for this process.
func create(dir string) (*mapped, error) {
	id := strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	name := filepath.Join(dir, "calls-"+id+".ledger")
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := file.Truncate(int64(size)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return mapFile(file)
}

// open opens a file that another process made. It is an error that wraps
// errLocked if that one lives.
func open(name string) (*mapped, error) {
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.Size() != int64(size) {
		err = errLocked // it is just being made, or of another version: not ours to judge
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return mapFile(file)
}

// mapFile locks file and maps it into memory. It owns file.
func mapFile(file *os.File) (*mapped, error) {
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errLocked
		}
		return nil, errors.Join(err, file.Close())
	}
	bytes, err := syscall.Mmap(int(file.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	m := &mapped{name: file.Name(), file: file, bytes: bytes}
	m.slots = unsafe.Slice((*slot)(unsafe.Pointer(&bytes[0])), slots)
	return m, nil
}

// set writes a slot, its state last: a process may be killed between any two
// instructions.
func (m *mapped) set(i int, s slot, state uint32) {
	to := &m.slots[i]
	atomic.StoreUint32(&to.state, idle)
	to.key, to.kills, to.at = s.key, s.kills, s.at
	atomic.StoreUint32(&to.state, state)
}

func (m *mapped) close() error {
	return errors.Join(syscall.Munmap(m.bytes), m.file.Close())
}
