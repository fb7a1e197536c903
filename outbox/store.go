package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/outbox/ledger"
)

// Config says where a store is and how it is used.
type Config struct {
	URL string // a URL or keywords, as libpq takes them

	// Locate is asked for the URL where URL is empty, until it answers: it may
	// wait for a Postgres that starts.
	Locate func(context.Context) (string, error)

	Schema string // of the tables; empty: DefaultSchema

	// Poll says that Postgres is reached through a pooler that shares sessions,
	// as PgBouncer in transaction mode: no LISTEN, no prepared statements.
	Poll bool

	// CheckOnly says that the tables are made and migrated by someone else.
	CheckOnly bool

	MaxConns int32  // for functions and publishing; default 16. The store takes up to 5 more for itself
	Name     string // of this replica, to tell it from others; default host name and process id
	Retention

	// Ledger records which calls run; nil: none is kept, and an event that kills its
	// process is found out later, by how often it was claimed.
	Ledger *ledger.Ledger

	// Configured is called when a notification says that the configuration in the
	// store has changed. It must not block. Nil: nobody wants to know.
	Configured func()

	Log *slog.Logger // default slog.Default()
}

// A Store is the live side of the tables: it delivers what was published, and
// answers for what is kept. Its methods may be called from any goroutine, before
// Run as well; they wait for the store to answer as long as their ctx lasts, and
// return an error that wraps [framework.ErrUnavailable] if it does not.
type Store struct {
	cfg       Config
	log       *slog.Logger
	lockClass int32
	texts     sync.Map // SQL with the schema filled in, by SQL without
	lease     lease
	status    storeStatus

	up   chan struct{} // closed once the store has answered
	mu   sync.Mutex
	open *pools // nil before up is closed, and after Run has ended

	consumers consumers
	calls     ledger.Guard
}

// pools are the connections of a store.
type pools struct {
	work  *pgxpool.Pool // for functions, publishing and what people ask for
	own   *pgxpool.Pool // for cycles and leases: what functions do cannot starve them
	plain *pgx.ConnConfig
}

// Open returns a store that is not connected; Run connects it. An error means
// that cfg is wrong.
func Open(cfg Config) (*Store, error) {
	if err := checkSchema(cfg.Schema); err != nil {
		return nil, err
	}
	if cfg.URL == "" && cfg.Locate == nil {
		return nil, errors.New("store: no URL")
	}
	if cfg.URL != "" {
		if _, err := parseURL(cfg.URL); err != nil {
			return nil, err
		}
	}
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = 16
	}
	if cfg.Name == "" {
		host, _ := os.Hostname()
		cfg.Name = fmt.Sprintf("%s/%d", host, os.Getpid())
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Ledger == nil {
		cfg.Ledger = new(ledger.Ledger)
	}
	cfg.Retention = cfg.Retention.orDefault()
	s := &Store{cfg: cfg, log: cfg.Log, lockClass: lockClass(cfg.Schema), up: make(chan struct{})}
	s.calls = ledger.Guard{Ledger: cfg.Ledger, Marks: s, Often: manyClaims, Log: cfg.Log}
	s.lease.store, s.lease.served = s, make(chan struct{}, 1)
	s.status.set(Waiting, nil)
	return s, nil
}

// parseURL reads a connection string. The error does not repeat it, because it
// may hold a password.
func parseURL(url string) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("store: the URL cannot be read, expected postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	return cfg, nil
}

// Run connects the store and keeps it working until ctx ends. It never gives up:
// while Postgres is out of reach, that is its status. Consumers are to end
// before ctx does.
func (s *Store) Run(ctx context.Context) error {
	defer s.status.set(Stopped, nil)
	p, err := s.connect(ctx)
	if err != nil {
		return nil // ctx ended
	}
	defer p.close()
	s.setPools(p)
	defer s.setPools(nil)
	defer s.lease.end()

	var wg sync.WaitGroup
	wg.Go(func() { s.lease.keep(ctx) })
	if !s.cfg.Poll {
		wg.Go(func() { s.listen(ctx, p.plain) })
	}
	wg.Go(func() { s.poll(ctx) })
	wg.Go(func() { s.keepHouse(ctx) })
	s.status.set(Running, nil)
	close(s.up)
	wg.Wait()
	return nil
}

// connect tries until the store has answered, its tables are there and this
// replica has a lease.
func (s *Store) connect(ctx context.Context) (*pools, error) {
	for try := 1; ; try++ {
		p, err := s.tryConnect(ctx)
		if err == nil {
			s.log.Info("store connected", "schema", schemaName(s.cfg.Schema), "replica", s.lease.id())
			return p, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		s.status.set(Waiting, err)
		if try == 1 {
			s.log.Warn("store not connected", "err", err)
		}
		if err := sleep(ctx, backOff(try)); err != nil {
			return nil, err
		}
	}
}

// connectTimeout bounds one attempt to connect and migrate.
const connectTimeout = time.Minute

func (s *Store) tryConnect(ctx context.Context) (_ *pools, err error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	p, err := s.newPools(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	conn, err := p.own.Acquire(ctx)
	if err != nil {
		return nil, storeError("connect", err)
	}
	defer conn.Release()
	if err := s.migrate(ctx, conn.Conn()); err != nil {
		return nil, err
	}
	return p, s.lease.begin(ctx, conn.Conn())
}

func (s *Store) migrate(ctx context.Context, conn *pgx.Conn) error {
	if !s.cfg.CheckOnly {
		return Migrate(ctx, conn, s.cfg.Schema)
	}
	ms, err := migrations(s.cfg.Schema)
	if err != nil {
		return err
	}
	return checkVersion(ctx, conn, s.cfg.Schema, len(ms))
}

func (s *Store) newPools(ctx context.Context) (*pools, error) {
	url := s.cfg.URL
	if url == "" {
		var err error
		if url, err = s.cfg.Locate(ctx); err != nil {
			return nil, fmt.Errorf("locate the store: %w", err)
		}
	}
	cfg, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	if _, ok := cfg.ConnConfig.RuntimeParams["application_name"]; !ok && !s.cfg.Poll {
		cfg.ConnConfig.RuntimeParams["application_name"] = "fairlead"
	}
	if s.cfg.Poll {
		cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	own := cfg.Copy()
	cfg.ConnConfig.BuildContextWatcherHandler = watchCutOff // of the connections that functions use
	cfg.MaxConns, own.MaxConns = s.cfg.MaxConns, 4
	p := &pools{plain: cfg.ConnConfig}
	if p.work, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if p.own, err = pgxpool.NewWithConfig(ctx, own); err != nil {
		p.work.Close()
		return nil, fmt.Errorf("store: %w", err)
	}
	return p, nil
}

// close closes the connections. It does not wait for a function that has not
// given its own back by now.
func (p *pools) close() {
	p.own.Close()
	closed := make(chan struct{})
	go func() {
		p.work.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(2 * time.Second):
	}
}

func (s *Store) setPools(p *pools) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = p
}

// pools waits for the store to be up.
func (s *Store) pools(ctx context.Context) (*pools, error) {
	select {
	case <-s.up:
	default:
		select {
		case <-s.up:
		case <-ctx.Done():
			return nil, fmt.Errorf("store %w: %w", framework.ErrUnavailable, s.whyNot(ctx))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		return nil, fmt.Errorf("store %w: it was stopped", framework.ErrUnavailable)
	}
	return s.open, nil
}

// whyNot says why the store did not come up before ctx ended.
func (s *Store) whyNot(ctx context.Context) error {
	if err := s.Status().Err; err != nil {
		return errors.Join(ctx.Err(), err)
	}
	return ctx.Err()
}

func (s *Store) own(ctx context.Context) (*pgxpool.Pool, error) {
	p, err := s.pools(ctx)
	if err != nil {
		return nil, err
	}
	return p.own, nil
}

func (s *Store) work(ctx context.Context) (*pgxpool.Pool, error) {
	p, err := s.pools(ctx)
	if err != nil {
		return nil, err
	}
	return p.work, nil
}

// sql fills the schema into a statement.
func (s *Store) sql(text string) string {
	if v, ok := s.texts.Load(text); ok {
		return v.(string)
	}
	v := inSchema(s.cfg.Schema, text)
	s.texts.Store(text, v)
	return v
}

// askTimeout bounds a question to the store, beside the caller's ctx.
const askTimeout = 30 * time.Second

// ask runs a statement that people and the host need now and then.
func (s *Store) ask(ctx context.Context, what string, f func(ctx context.Context, db *pgxpool.Pool) error) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	pool, err := s.work(ctx)
	if err == nil {
		err = f(ctx, pool)
	}
	return storeError(what, err)
}
