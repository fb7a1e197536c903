package host

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/framework/config/stored"
)

// A document is the text of a configuration file.
type document struct {
	file string // empty: there is none
	text []byte
}

// noDocument is what a program runs without a configuration file.
var noDocument = document{text: []byte("version: 1\n")}

// sources are what the configuration is made of: the document of the file, and
// what the store holds. Who makes one and applies it holds mu.
type sources struct {
	mu        sync.Mutex
	base      document                   // of what runs; guarded by mu
	run       func(*config.Config) error // makes a configuration run; nil before watch; guarded by mu
	following atomic.Bool                // whether run is set
	poke      chan struct{}              // holds one: the store says that something has changed

	stored   atomic.Pointer[stored.Snapshot] // of what runs; nil: the store was not read yet
	replicas atomic.Pointer[[]stored.Replica]
}

func (s *sources) init() { s.poke = make(chan struct{}, 1) }

// changed makes the follower look at the store soon.
func (s *sources) changed() {
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// snapshot returns what the store held when it was read; nil before that.
func (s *sources) snapshot() *stored.Snapshot { return s.stored.Load() }

// paused reports whether the store says that a trigger is paused.
func (s *sources) paused(trigger string) bool {
	known := s.snapshot()
	return known != nil && slices.Contains(known.Paused, trigger)
}

// compose makes a configuration of a document and of what the store holds, nil if
// that is not known yet.
func (h *host) compose(d document, s *stored.Snapshot) (*config.Config, error) {
	o := h.loadOptions()
	o.LookupEnv, o.Secret = h.origin.lookup, h.secrets(s)
	if s != nil {
		o.Objects = s.Document()
	}
	cfg, err := config.Parse(d.text, d.file, o)
	if err != nil || s != nil || !cfg.Store.None {
		return cfg, err
	}
	o.Secret = func(string) (string, error) { return "", errNoStore } // nothing is to be waited for
	return config.Parse(d.text, d.file, o)
}

// secrets returns what reads ${secret:NAME}.
func (h *host) secrets(s *stored.Snapshot) func(string) (string, error) {
	if s == nil {
		return func(string) (string, error) { return "", config.ErrNotYet }
	}
	keys, err := h.keys()
	return func(name string) (string, error) {
		secret, there := s.Secrets[name]
		switch {
		case !there:
			return "", errors.New("there is none of that name; set it with: fairlead secret set " + name)
		case err != nil:
			return "", err
		}
		return keys.Open(name, secret.Sealed)
	}
}

// keys reads the master keys, which may have changed if they are in files.
func (h *host) keys() (stored.Keys, error) {
	lookup := h.origin.lookup
	if lookup == nil {
		lookup = os.LookupEnv
	}
	return stored.LoadKeys(lookup)
}

// adopt makes cfg run, which was made of d and s. The caller holds sources.mu. The
// error may also be about what did not drain in time; whether cfg runs, runs says.
func (h *host) adopt(cfg *config.Config, d document, s *stored.Snapshot) error {
	if s != nil {
		h.foretellPauses(s.Paused)
	}
	err := h.sources.run(cfg)
	if !h.runs(cfg) {
		return err
	}
	h.sources.base = d
	if s != nil {
		h.sources.stored.Store(s)
		err = errors.Join(err, h.alignPauses(s.Paused))
	}
	h.sources.changed() // the others want to know
	return err
}

// runs reports whether cfg is what runs.
func (h *host) runs(cfg *config.Config) bool { return h.config.Load() == cfg }

// reload makes the configuration of a document and a snapshot run, and says in the
// log what became of it. The caller holds sources.mu. The error is why it does
// not run, or nil.
func (h *host) reload(d document, s *stored.Snapshot) error {
	cfg, err := h.compose(d, s)
	if err != nil {
		if h.progress.refuse(err) {
			h.log.Error("the configuration cannot be read; the one before goes on", "err", err)
		}
		return err
	}
	old, edited := h.config.Load(), !bytes.Equal(d.text, h.sources.base.text)
	changes := config.Diff(old, cfg)
	before := text(h.progress.get().Refused)
	err = h.adopt(cfg, d, s)
	if edited && h.runs(cfg) {
		h.noteFile(old, cfg, changes)
	}
	switch {
	case h.changes.Err() != nil: // the host stops
	case !h.runs(cfg) && text(err) == before: // that was said
	case !h.runs(cfg):
		h.log.Error("the new configuration is refused; the one before goes on", "err", err)
	case err != nil:
		h.log.Warn("configuration changed, but not all of what it replaced ended well", "generation", h.progress.get().Generation, "changes", changes.String(), "err", err)
	case len(changes) > 0:
		h.log.Info("configuration changed", "generation", h.progress.get().Generation, "changes", changes.String())
	}
	if h.runs(cfg) {
		return nil
	}
	if err == nil {
		err = errors.New("it was not made to run")
	}
	return err
}

// noteFile writes to the audit log of the store what a file has changed. A store that
// is out of reach does not keep a file from being followed.
func (h *host) noteFile(old, cfg *config.Config, changes config.Changes) {
	s, known := h.stored.Load(), h.sources.snapshot()
	if s == nil || known == nil || len(changes) == 0 {
		return
	}
	var entries []stored.Entry
	for _, c := range changes {
		if old.Stored(c.Kind, c.Name) || cfg.Stored(c.Kind, c.Name) {
			continue
		}
		entries = append(entries, stored.Entry{
			Actor: "file " + filepath.Base(cfg.File), Action: actions[c.Op], Kind: c.Kind, Name: c.Name, Generation: known.Generation,
			Before: old.ExportObject(c.Kind, c.Name), After: cfg.ExportObject(c.Kind, c.Name),
		})
	}
	ctx, cancel := context.WithTimeout(h.changes, noteTimeout)
	defer cancel()
	if err := stored.NoteFile(ctx, s.Store, entries); err != nil {
		h.log.Warn("what the file changed is not in the audit log", "err", err)
	}
}

// noteTimeout bounds how long the audit log may hold up what follows a file.
const noteTimeout = 3 * time.Second

// readDocument reads the configuration file.
func (h *host) readDocument() (document, error) {
	text, err := config.ReadFile(h.origin.path)
	if err != nil {
		return document{}, err
	}
	return document{h.origin.path, text}, nil
}
