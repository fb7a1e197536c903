package security

import (
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// filePause is how often files are looked at, at most, when somebody asks for
// what they hold.
const filePause = 5 * time.Second

// A Renewable is what some files hold, as certificates, which is read again when
// the files change, as they do when it is renewed.
type Renewable[T any] struct {
	what  string // as in "what cannot be read again"
	files []string
	read  func() (T, error)
	log   *slog.Logger

	mu      sync.Mutex
	current T
	changed []time.Time // of the files that current was read from; nil: it was not yet
	looked  time.Time
}

// NewRenewable returns what read makes of the files, or its error. what names it
// in the log.
func NewRenewable[T any](what string, files []string, log *slog.Logger, read func() (T, error)) (*Renewable[T], error) {
	r := &Renewable[T]{what: what, files: files, read: read, log: log}
	return r, r.look()
}

// look reads the files if they have changed.
func (r *Renewable[T]) look() error {
	r.looked = time.Now()
	changed := make([]time.Time, len(r.files))
	for i, path := range r.files {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		changed[i] = info.ModTime()
	}
	if slices.EqualFunc(changed, r.changed, time.Time.Equal) {
		return nil
	}
	current, err := r.read()
	if err != nil {
		return err
	}
	r.current, r.changed = current, changed
	return nil
}

// Get returns what the files hold. While they are wrong, as between two writes,
// it is what they held before.
func (r *Renewable[T]) Get() T {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.looked) >= filePause {
		if err := r.look(); err != nil {
			r.log.Warn("what was renewed cannot be read; the one before is used", "what", r.what, "err", err)
		}
	}
	return r.current
}
