package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"sync"

	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/outbox"
	"github.com/fairlead/fairlead/outbox/embedded"
	"github.com/fairlead/fairlead/outbox/ledger"
)

// A storage is the store of one configuration, while it runs.
type storage struct {
	*outbox.Store
	generation int // tells it from the one before
	desired    config.Store
	cancel     context.CancelFunc
	done       sync.WaitGroup
}

// errNoStore is returned by what needs the store where there is none.
var errNoStore = errors.New("this needs the store, and there is none (store.url)")

// Store returns the store. It may not have answered yet: its methods wait for
// it as long as their ctx lasts. The error says that there is none.
func (h *host) Store(context.Context) (*outbox.Store, error) {
	if s := h.stored.Load(); s != nil {
		return s.Store, nil
	}
	return nil, errNoStore
}

// openStore returns the store that cfg wants: the one that runs, if it is the
// same, or a new one that begins to connect; nil if it wants none.
func (h *host) openStore(cfg *config.Config) (*storage, error) {
	old := h.stored.Load()
	switch {
	case cfg.Store.None:
		return nil, nil
	case old != nil && reflect.DeepEqual(old.desired, cfg.Store):
		return old, nil
	}
	own := OwnPostgres(stateDir(cfg), h.log)
	if cfg.Store.URL == "" && !needsStore(cfg) && !embedded.Available(own) {
		h.log.Warn("no store, as PostgreSQL is not installed here: publishing is refused, and dead letters go to queues on their brokers")
		return nil, nil
	}
	oc := storeConfig(cfg.Store, h.log)
	oc.Configured = h.sources.changed
	oc.Ledger = h.openLedger(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	s := &storage{generation: 1, desired: cfg.Store, cancel: cancel}
	if old != nil {
		s.generation = old.generation + 1
	}
	var postgres *ownPostgres
	if oc.URL == "" {
		postgres = &ownPostgres{life: ctx, cfg: own}
		oc.Locate = postgres.locate
	}
	var err error
	if s.Store, err = outbox.Open(oc); err != nil {
		cancel()
		return nil, err
	}
	s.done.Go(func() {
		s.Run(ctx) // its status says how it does, and its only end is ctx's
		postgres.close()
	})
	return s, nil
}

// storeConfig returns how a store is opened that is configured so.
func storeConfig(s config.Store, log *slog.Logger) outbox.Config {
	return outbox.Config{
		URL: s.URL, Schema: s.Schema, Poll: s.Notify != nil && !*s.Notify, CheckOnly: s.Migrate != nil && !*s.Migrate, Log: log,
	}
}

// OwnPostgres returns what the Postgres is that a program starts for itself, with
// its data below state, the folder .fairlead beside the configuration.
func OwnPostgres(state string, log *slog.Logger) embedded.Config {
	return embedded.Config{Dir: filepath.Join(state, "postgres"), Repository: os.Getenv("FAIRLEAD_POSTGRES_REPOSITORY"), Log: log}
}

// generationOf is 0 where there is no store.
func generationOf(s *storage) int {
	if s == nil {
		return 0
	}
	return s.generation
}

// needsStore reports whether cfg names something that only a store can do.
func needsStore(cfg *config.Config) bool {
	for _, t := range cfg.Triggers {
		if t.Topic != "" || cfg.DeadLetterOf(t) == storeName {
			return true
		}
	}
	for _, b := range cfg.Bindings {
		if b.Outbox {
			return true
		}
	}
	return false
}

// startsPostgres reports whether this program starts a Postgres of its own where
// it is given none: not as a function of Knative's func, and not in a pod.
func (h *host) startsPostgres() bool { return h.embed && !inPod() }

func inPod() bool { return os.Getenv("KUBERNETES_SERVICE_HOST") != "" }

// StartsPostgres reports whether a program made with [Main] starts a Postgres of
// its own for cfg.
func StartsPostgres(cfg *config.Config) bool {
	return !cfg.Store.None && cfg.Store.URL == "" && !inPod()
}

// close ends the store; what uses it has ended before.
func (s *storage) close() {
	if s != nil {
		s.cancel()
		s.done.Wait()
	}
}

// stateDir is the folder beside a configuration that keeps what a program made
// with it has to remember.
func stateDir(cfg *config.Config) string { return stateBeside(cfg.File) }

func stateBeside(configFile string) string {
	return filepath.Join(filepath.Dir(configFile), ".fairlead")
}

// openLedger opens the ledger of running calls, once. Without one, as on a
// file system that is read-only, what kills the process is found out more slowly.
func (h *host) openLedger(cfg *config.Config) *ledger.Ledger {
	h.ledgerOnce.Do(func() {
		l, err := ledger.Open(filepath.Join(stateDir(cfg), "ledger"))
		if err != nil {
			h.ledger = new(ledger.Ledger)
			h.log.Warn("calls that run are not recorded, so a message that kills the process is noticed by its broker's count only", "err", err)
			return
		}
		h.ledger = l
		if n := l.Suspects(); n > 0 {
			h.log.Warn("an earlier process died while functions ran: their messages are tried one by one", "messages", n)
		}
	})
	return h.ledger
}

// closeLedger removes the ledger of a process that ends well.
func (h *host) closeLedger() error {
	if err := h.ledger.Close(); err != nil {
		return fmt.Errorf("close the ledger of running calls: %w", err)
	}
	return nil
}

// An ownPostgres is the Postgres of a program that was given none. One goroutine
// uses it.
type ownPostgres struct {
	cfg      embedded.Config
	life     context.Context
	starting chan startup // nil if nobody is starting it
	server   *embedded.Server
}

type startup struct {
	server *embedded.Server
	err    error
}

// locate starts Postgres when it is first asked, and again after it failed to
// start. What takes longer than ctx, such as fetching it, goes on aside.
func (p *ownPostgres) locate(ctx context.Context) (string, error) {
	if p.server != nil {
		return p.server.URL(), nil
	}
	if p.starting == nil {
		result := make(chan startup, 1)
		go func() {
			s, err := embedded.Start(p.life, p.cfg)
			result <- startup{s, err}
		}()
		p.starting = result
	}
	select {
	case s := <-p.starting:
		p.starting = nil
		if s.err != nil {
			return "", fmt.Errorf("%w; or say \"store: none\"", s.err)
		}
		p.server = s.server
		return p.server.URL(), nil
	case <-ctx.Done():
		return "", fmt.Errorf("a Postgres of our own is being started: %w", ctx.Err())
	}
}

// close stops Postgres. It is called when life has ended.
func (p *ownPostgres) close() {
	if p == nil {
		return
	}
	if p.starting != nil {
		p.server = (<-p.starting).server
	}
	if p.server == nil {
		return
	}
	if err := p.server.Close(); err != nil {
		p.cfg.Log.Warn("the store's Postgres did not end well", "err", err)
	}
}
