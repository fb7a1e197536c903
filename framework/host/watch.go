package host

import (
	"context"
	"crypto/sha256"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/framework/config"
)

// The files are read again and again, as only their content tells without fail
// that it changed: names that change hands (editors, ConfigMaps), network file
// systems and coarse clocks deceive all else.
const (
	watchInterval = 250 * time.Millisecond
	watchSteady   = 2               // looks in which a change must be the same: who writes may not be done
	watchRetry    = 2 * time.Second // between attempts to read what cannot be read: something it refers to may come
	proofRetry    = time.Minute     // between attempts to sign in with what a broker refuses: it may be told the new password later than we
	watchMost     = 1<<20 + 1       // bytes of a file that are looked at, more than any may have
)

// watch makes apply make the configuration run whenever the files that it was read
// from have changed, or what the store holds, until the host is stopped.
func (h *Host) watch(apply func(*config.Config) error) {
	h.sources.mu.Lock()
	h.sources.run = apply
	h.sources.mu.Unlock()
	h.sources.following.Store(true)
	h.watched = make(chan struct{})
	var both sync.WaitGroup
	if file := h.config.Load().File; file != "" && regular(file) {
		w := &watcher{host: h}
		both.Go(func() { w.run(h.changes) })
	}
	f := &follower{host: h}
	both.Go(func() { f.run(h.changes) })
	go func() {
		defer close(h.watched)
		both.Wait()
	}()
}

// regular reports whether path is a file that can be read as often as one likes.
func regular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// A watcher follows the files of one host's configuration. One goroutine uses it.
type watcher struct {
	host *Host

	read  contents  // what was read last; nil at first, as nobody knows what that was
	last  contents  // of the last look
	same  int       // looks in a row that found last
	again time.Time // when to try once more what may become right by itself; zero: nothing
}

func (w *watcher) run(ctx context.Context) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		w.look()
	}
}

// look reads the configuration if it has changed, and is whole.
func (w *watcher) look() {
	now := look(w.files())
	if !maps.Equal(now, w.last) {
		w.last, w.same = now, 0
	}
	w.same++
	due := !w.again.IsZero() && !time.Now().Before(w.again)
	if w.same < watchSteady || maps.Equal(now, w.read) && !due {
		return
	}
	w.read = now
	w.reload()
}

// files are those that the configuration was made of. A program that is part of
// "fairlead run" is replaced when the document changes, and only watches the rest.
func (w *watcher) files() []string {
	files := w.host.config.Load().Files()
	if w.host.heir == nil {
		files = append(files, w.host.origin.path)
	}
	return files
}

func (w *watcher) reload() {
	h := w.host
	h.sources.mu.Lock()
	defer h.sources.mu.Unlock()
	w.again = time.Time{}
	d, err := h.readDocument()
	if err == nil {
		err = h.reload(d, h.sources.snapshot())
	} else if h.progress.refuse(err) {
		h.log.Error("the configuration cannot be read; the one before goes on", "err", err)
	}
	switch {
	case err == nil:
	case proofFailed(err):
		w.again = time.Now().Add(proofRetry)
	case !wasRefused(err):
		w.again = time.Now().Add(watchRetry)
	}
}

// describe names the objects that changed.
func describe(changes config.Changes) string {
	names := make([]string, len(changes))
	for i, c := range changes {
		names[i] = c.String() + " " + string(c.Op)
	}
	return strings.Join(names, ", ")
}

// contents is what files hold, as a hash, by path. A file that is not there, or
// cannot be read again, has none.
type contents map[string][sha256.Size]byte

func look(files []string) contents {
	seen := make(contents, len(files))
	for _, path := range slices.Compact(files) {
		if sum, ok := hash(path); ok {
			seen[path] = sum
		}
	}
	return seen
}

func hash(path string) (sum [sha256.Size]byte, ok bool) {
	if !regular(path) {
		return sum, false
	}
	f, err := os.Open(path)
	if err != nil {
		return sum, false
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, watchMost))
	if err != nil {
		return sum, false
	}
	return sha256.Sum256(data), true
}
