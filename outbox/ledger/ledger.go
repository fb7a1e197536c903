// Package ledger remembers, beyond the death of a process, which calls of
// functions ran when it died.
//
// No broker counts how often a message killed its consumer before it could say a
// word: the message comes back, and kills the next process. So each running call
// has a slot in a file that is mapped into memory. Writing a slot costs
// nanoseconds and no system call, and the kernel keeps it when the process is
// killed. What a new process finds in the file are suspects: they are run alone,
// so that the next crash tells which of them it was.
package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// A Ledger is one process's. The zero Ledger remembers nothing, but lets a suspect
// run alone; a nil one does neither. Its methods may be called from any goroutine.
type Ledger struct {
	file *mapped      // nil: there are no slots
	gate sync.RWMutex // held for writing by a suspect that runs

	suspicious atomic.Int64 // number of suspects; most of the time none

	mu       sync.Mutex
	free     []int       // slots
	suspects map[key]int // slots, by key
}

// A key is the hash of what identifies an event.
type key [16]byte

func keyOf(trigger, source, id string) (k key) {
	var room [192]byte
	b := room[:0]
	for _, s := range [...]string{trigger, source, id} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	sum := sha256.Sum256(b)
	copy(k[:], sum[:])
	return k
}

// forget is how long a suspect is one that does not come again.
const forget = 24 * time.Hour

// Open takes over the ledgers that dead processes left in dir, and begins one for
// this process there.
func Open(dir string) (*Ledger, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "calls-*.ledger"))
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	left := make(map[key]slot)
	for _, name := range names {
		if err := inherit(name, left); err != nil {
			return nil, fmt.Errorf("ledger %s: %w", name, err)
		}
	}
	m, err := create(dir)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	l := &Ledger{file: m, suspects: make(map[key]int)}
	l.begin(left)
	return l, nil
}

// inherit reads what a dead process left, and removes its file. That of a
// process that lives stays.
func inherit(name string, left map[key]slot) error {
	m, err := open(name)
	if errors.Is(err, errLocked) || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer m.close()
	for _, s := range m.slots {
		if s.state == idle || time.Since(time.Unix(s.at, 0)) > forget {
			continue
		}
		if s.state == running {
			s.kills++
		}
		s.state = suspect
		if s.kills > left[s.key].kills {
			left[s.key] = s
		}
	}
	return os.Remove(name)
}

// begin fills the file with the suspects.
func (l *Ledger) begin(left map[key]slot) {
	for i := len(l.file.slots) - 1; i >= 0; i-- {
		l.free = append(l.free, i)
	}
	for k, s := range left {
		if i, ok := l.take(); ok {
			l.file.set(i, s, suspect)
			l.suspects[k] = i
		}
	}
	l.suspicious.Store(int64(len(l.suspects)))
}

// take returns a free slot. Where there is none, the call goes unrecorded.
func (l *Ledger) take() (slot int, ok bool) {
	if len(l.free) == 0 {
		return 0, false
	}
	slot = l.free[len(l.free)-1]
	l.free = l.free[:len(l.free)-1]
	return slot, true
}

// A Call is one call of a function that runs.
type Call struct {
	// Kills is how many processes have died while a call for this event ran. After
	// the first it may have been another call's doing; after more than one it was not.
	Kills int

	ledger *Ledger
	key    key
	slot   int // -1: not recorded
	alone  bool
}

// Begin records a call for the event with that identity, until End. If the event
// is a suspect, Begin waits until no other call runs, and none begins before End.
func (l *Ledger) Begin(trigger, source, id string) *Call {
	if l == nil {
		return &Call{slot: -1}
	}
	c := &Call{ledger: l, key: keyOf(trigger, source, id)}
	if l.suspicious.Load() > 0 {
		c.alone = l.isSuspect(c.key)
	}
	return l.record(c)
}

// BeginAlone is Begin for an event that something else makes a suspect.
func (l *Ledger) BeginAlone(trigger, source, id string) *Call {
	if l == nil {
		return &Call{slot: -1}
	}
	return l.record(&Call{ledger: l, key: keyOf(trigger, source, id), alone: true})
}

func (l *Ledger) isSuspect(k key) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.suspects[k]
	return ok
}

func (l *Ledger) record(c *Call) *Call {
	if c.alone {
		l.gate.Lock()
	} else {
		l.gate.RLock()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i, ok := l.suspects[c.key]
	if !ok {
		if i, ok = l.take(); !ok {
			c.slot = -1
			return c
		}
	}
	c.slot = i
	c.Kills = int(l.file.slots[i].kills)
	l.file.set(i, slot{key: c.key, kills: uint32(c.Kills), at: time.Now().Unix()}, running)
	return c
}

// End records that the call has ended, whatever came of it: the process lives.
func (c *Call) End() {
	l := c.ledger
	if l == nil {
		return
	}
	l.mu.Lock()
	if c.slot >= 0 {
		l.file.set(c.slot, slot{}, idle)
		l.free = append(l.free, c.slot)
		if _, ok := l.suspects[c.key]; ok && c.alone {
			delete(l.suspects, c.key)
			l.suspicious.Store(int64(len(l.suspects)))
		}
	}
	l.mu.Unlock()
	if c.alone {
		l.gate.Unlock()
	} else {
		l.gate.RUnlock()
	}
}

// Suspects returns how many events may have killed a process and were not tried
// since.
func (l *Ledger) Suspects() int {
	if l == nil {
		return 0
	}
	return int(l.suspicious.Load())
}

// Close removes the ledger, if nothing in it is of use to the next process.
func (l *Ledger) Close() error {
	if l == nil || l.file == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	useless := len(l.suspects) == 0 && len(l.free) == len(l.file.slots)
	name := l.file.name
	err := l.file.close()
	if useless && name != "" {
		if gone := os.Remove(name); !errors.Is(gone, os.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}
