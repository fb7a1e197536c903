package config

import (
	"context"
	"crypto/sha256"
	"io"
	"maps"
	"os"
	"slices"
	"time"
)

// The files are read again and again, as only their content tells without fail
// that it changed: names that change hands (editors, ConfigMaps), network file
// systems and coarse clocks deceive all else.
const (
	watchInterval = 250 * time.Millisecond
	watchSteady   = 2 // looks in which a change must be the same: who writes may not be done
)

// Watch calls reload whenever the files have changed and stay as they are for a
// moment, and once at first, until ctx ends. It asks for the files at each look: they
// are those that a configuration was made of ([Config.Files] and File). reload reads
// them; it returns after which time it wants to be called though nothing changes, as
// what the files refer to may come by itself, or 0.
func Watch(ctx context.Context, files func() []string, reload func() (again time.Duration)) {
	w := watcher{files: files, reload: reload}
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

// A watcher follows files.
type watcher struct {
	files  func() []string
	reload func() time.Duration

	read  contents  // what was read last; nil at first, as nobody knows what that was
	last  contents  // of the last look
	same  int       // looks in a row that found last
	again time.Time // when to call reload once more; zero: when they change
}

// look calls reload if the files have changed, and are whole.
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
	w.read, w.again = now, time.Time{}
	if d := w.reload(); d > 0 {
		w.again = time.Now().Add(d)
	}
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
	if !CanWatch(path) {
		return sum, false
	}
	f, err := os.Open(path)
	if err != nil {
		return sum, false
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return sum, false
	}
	return sha256.Sum256(data), true
}

// CanWatch reports whether path is a file that can be read as often as one likes: a
// pipe cannot.
func CanWatch(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
