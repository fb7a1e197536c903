package host

import (
	"sync"
	"time"

	"github.com/fairlead/fairlead/framework/config"
)

const (
	watchRetry = 2 * time.Second // between attempts to read what cannot be read: something it refers to may come
	proofRetry = time.Minute     // between attempts to sign in with what a broker refuses: it may be told the new password later than we
)

// watch makes apply make the configuration run whenever the files that it was read
// from have changed, or what the store holds, until the host is stopped.
func (h *host) watch(apply func(*config.Config) error) {
	h.sources.mu.Lock()
	h.sources.run = apply
	h.sources.mu.Unlock()
	h.sources.following.Store(true)
	h.watched = make(chan struct{})
	var both sync.WaitGroup
	if file := h.config.Load().File; file != "" && config.CanWatch(file) {
		both.Go(func() { config.Watch(h.changes, h.files, h.reread) })
	}
	f := &follower{host: h}
	both.Go(func() { f.run(h.changes) })
	go func() {
		defer close(h.watched)
		both.Wait()
	}()
}

// files are those that the configuration was made of. A program that is part of
// "fairlead run" is replaced when the document changes, and only watches the rest.
func (h *host) files() []string {
	files := h.config.Load().Files()
	if h.heir == nil {
		files = append(files, h.origin.path)
	}
	return files
}

// reread reads the files and makes them run. It returns when to try again what is
// refused and may become right by itself.
func (h *host) reread() (again time.Duration) {
	h.sources.mu.Lock()
	defer h.sources.mu.Unlock()
	d, err := h.readDocument()
	if err == nil {
		err = h.reload(d, h.sources.snapshot())
	} else if h.progress.refuse(err) {
		h.log.Error("the configuration cannot be read; the one before goes on", "err", err)
	}
	switch {
	case err == nil:
	case proofFailed(err):
		return proofRetry
	case !wasRefused(err):
		return watchRetry
	}
	return 0
}
