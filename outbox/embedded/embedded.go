// Package embedded starts a real Postgres for a program that was given none: on
// a developer's machine, with its data beside the program's configuration.
//
// It uses a PostgreSQL that is installed, or else fetches one, once for all
// programs of a user. It never asks for root, and as root it runs Postgres, which
// refuses to be root, as somebody else. Postgres ends with the program, even when
// that is killed.
//
//	Start ─► find or fetch the programs ─► initdb, once ─► postgres, watched ─► URL
//
// Several programs may use one folder. The first runs Postgres, the others use
// it; when the first one ends, one of them starts it again, at the same address.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Config says where the data is and where programs come from.
type Config struct {
	Dir string // of everything that belongs to this Postgres, such as .fairlead/postgres

	// Cache is where fetched programs are kept; default: fairlead in the user's
	// cache folder.
	Cache string

	// Repository is the URL of the Maven repository that programs are fetched
	// from, where none are installed; empty: none are fetched.
	Repository string

	// Fetch makes it fetch the programs even if some are installed.
	Fetch bool

	Log *slog.Logger // default slog.Default()
}

// A Server is a Postgres that runs, here or in another program.
type Server struct {
	cfg  Config
	home *home
	url  string

	end  context.CancelFunc
	done chan struct{}

	mu      sync.Mutex
	process *process // nil while another program runs it
}

// Start returns once Postgres answers. It keeps it running until Close.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	h, err := openHome(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("embedded Postgres: %w", err)
	}
	life, end := context.WithCancel(context.Background())
	s := &Server{cfg: cfg, home: h, end: end, done: make(chan struct{})}
	s.url = h.url()
	first := make(chan error, 1)
	go s.keep(life, first)
	select {
	case err = <-first:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil {
		err = s.answer(ctx)
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("embedded Postgres: %w", err)
	}
	return s, nil
}

// URL returns where Postgres answers. It stays the same when Postgres is started
// again.
func (s *Server) URL() string { return s.url }

// Kill ends Postgres as a crash does, for tests. It is started again.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		s.process.kill()
	}
}

// Close stops Postgres, unless another program runs it.
func (s *Server) Close() error {
	s.end()
	<-s.done
	return nil
}

// keep runs Postgres, or waits while another program does, until life ends. It
// sends what became of the first try.
func (s *Server) keep(life context.Context, first chan<- error) {
	defer close(s.done)
	for try := 0; life.Err() == nil; try++ {
		err := s.run(life, func() { report(first, nil) })
		if life.Err() != nil {
			break
		}
		report(first, err)
		s.cfg.Log.Warn("embedded Postgres ended and is started again", "err", err)
		wait(life, time.Second)
	}
	report(first, life.Err())
}

func report(first chan<- error, err error) {
	select {
	case first <- err:
	default:
	}
}

// run runs Postgres until it or life ends. It calls up when somebody runs it.
func (s *Server) run(life context.Context, up func()) error {
	unlock, err := s.home.lock(life, up)
	if err != nil {
		return err
	}
	defer unlock()
	programs, err := s.programs(life)
	if err != nil {
		return err
	}
	if err := s.home.prepare(life, programs, s.cfg.Log); err != nil {
		return err
	}
	p, err := startProcess(programs, s.home)
	if err != nil {
		return err
	}
	s.setProcess(p)
	defer s.setProcess(nil)
	defer p.stop()
	up()
	select {
	case err := <-p.ended:
		return fmt.Errorf("postgres: %w; see %s", err, s.home.logFile())
	case <-life.Done():
		return nil
	}
}

func (s *Server) setProcess(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process = p
}

// answer waits until Postgres answers.
func (s *Server) answer(ctx context.Context) error {
	for {
		err := ask(ctx, s.url)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		select {
		case <-s.done:
			return err
		default:
		}
		wait(ctx, 30*time.Millisecond)
	}
}

func ask(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// address is where a home's Postgres listens.
func (h *home) url() string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, h.Password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(h.Port)), Path: "/postgres", RawQuery: "sslmode=disable",
	}
	return u.String()
}

// programs finds or fetches the programs of PostgreSQL, of the version that made
// the data if there are any.
func (s *Server) programs(ctx context.Context) (programs, error) {
	major := s.home.major()
	if !s.cfg.Fetch {
		if p, ok := installed(major); ok {
			return p, nil
		}
	}
	if major != 0 && major != fetchedMajor {
		return programs{}, fmt.Errorf("the data in %s belongs to PostgreSQL %d, which is not installed; install it, or remove the folder with all that is in it", s.home.data(), major)
	}
	cache := s.cfg.Cache
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return programs{}, fmt.Errorf("where to keep the programs: %w", err)
		}
		cache = filepath.Join(dir, "fairlead")
	}
	f := fetcher{repository: s.cfg.Repository, cache: cache, log: s.cfg.Log}
	p, err := f.fetch(ctx)
	if err != nil {
		return p, fmt.Errorf("PostgreSQL 15 or later is not installed, and cannot be fetched: %w", err)
	}
	return p, nil
}
