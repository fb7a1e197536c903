package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/framework/config"
)

// A session is one "fairlead run": the programs that serve an app one after the
// other, and what outlives them: the listening sockets, the development brokers
// and the Postgres. One goroutine uses it, but for sources and change.
type session struct {
	app   *app
	voice *voice
	file  string // the configuration
	args  []string

	setup                // what the program was started with
	serving  sum         // of the program
	provided *provisions // what outlives programs
	children []*child    // the last one serves; those before are draining
	changes  chan struct{}

	toolchain sync.Mutex // held while the Go command works
}

// A setup is what a program is started with beside its code.
type setup struct {
	env  dotEnv
	cfg  *config.Config
	text []byte // of the configuration
}

func newSession(ctx context.Context, o *options, a *app, v *voice) (*session, error) {
	s := &session{app: a, voice: v, changes: make(chan struct{}, 1)}
	s.file, s.args = o.childConfig(a)
	var err error
	if s.setup, err = readSetup(s.file, a.dir, len(s.args) > 0); err != nil {
		return nil, err
	}
	s.provided = newProvisions(ctx, s.file, v)
	return s, nil
}

// readSetup reads the configuration and the file .env. The configuration is
// nothing that has to be there, unless it was named.
func readSetup(file, dir string, named bool) (s setup, err error) {
	if s.env, err = readEnv(dir); err != nil {
		return s, err
	}
	s.text, err = os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		if named {
			return s, usageError{err}
		}
		s.cfg = config.Empty()
		s.cfg.File = file
		return s, nil
	}
	if err != nil {
		return s, err
	}
	s.cfg, err = config.Parse(s.text, file, s.env.options())
	if err != nil {
		return s, fmt.Errorf("configuration: %w", err)
	}
	return s, nil
}

func (s setup) equal(other setup) bool {
	return bytes.Equal(s.text, other.text) && slices.Equal(s.env.environ(), other.env.environ())
}

// close ends what outlives programs.
func (s *session) close() { s.provided.close() }

// run builds and serves until ctx ends, and then drains.
func (s *session) run(ctx context.Context) error {
	began := time.Now()
	s.provided.startPostgres(s.cfg)
	if err := s.build(ctx); err != nil {
		return err
	}
	first, err := s.launch(s.setup)
	if err != nil {
		return err
	}
	s.children = []*child{first}
	if err := first.await(ctx, 0, nil); err != nil {
		return s.drain()
	}
	// What follows is not needed for the first answer, and would delay it.
	life, end := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer end()
	beside.Go(func() { s.welcome(life, s.cfg) })
	beside.Go(func() { watch(life, began, s.sources, s.change) })
	if s.serving, err = s.app.sum(); err != nil {
		return errors.Join(err, s.drain())
	}
	return s.serve(ctx)
}

// change notes that a file has changed.
func (s *session) change() {
	select {
	case s.changes <- struct{}{}:
	default: // one is waiting to be handled, and will see this one, too
	}
}

// build builds the app. The watcher asks the Go command nothing meanwhile: that
// would take its time from the build.
func (s *session) build(ctx context.Context) error {
	s.toolchain.Lock()
	defer s.toolchain.Unlock()
	if !s.voice.terminal { // one shows how it goes on
		slow := time.AfterFunc(3*time.Second, func() {
			s.voice.say("building "+s.app.importPath+", which takes a minute or two the first time\n", "building", "package", s.app.importPath)
		})
		defer slow.Stop()
	}
	return s.app.build(ctx, s.file, s.voice)
}

// sources returns the files that the app is built and run with.
func (s *session) sources(ctx context.Context) (sources, error) {
	s.toolchain.Lock()
	defer s.toolchain.Unlock()
	src, err := s.app.sources(ctx)
	src.files = append(src.files, s.file, filepath.Join(s.app.dir, envFile))
	return src, err
}

// serve replaces the program when something changes, until ctx ends or the
// program has done all it wanted.
func (s *session) serve(ctx context.Context) error {
	gone := false
	for {
		current := s.children[len(s.children)-1]
		ended := current.done
		if gone {
			ended = nil
		}
		select {
		case <-ctx.Done():
			return s.drain()
		case <-s.changes:
			gone = !s.reload(ctx) && gone
		case <-ended:
			if current.err == nil {
				return s.drain()
			}
			gone = true
			s.voice.fail(fmt.Errorf("the program ended: %w", current.err), "It is started again when a file changes.")
		}
	}
}

// launch starts a program.
func (s *session) launch(with setup) (*child, error) {
	inheritance, err := s.provided.inheritance(with)
	if err != nil {
		return nil, err
	}
	c, err := launch{program: s.app.program(), dir: s.app.dir, env: with.env.environ(), args: s.args, voice: s.voice, inherit: inheritance}.start()
	if err != nil {
		return nil, err
	}
	return c, s.provided.announce()
}

// readyPatience is how long a new program may take to subscribe, from when it is
// up, until the old one is stopped. It may have to wait for that one, which holds
// a subscription that only one can.
const readyPatience = time.Second

// reload builds the app anew and replaces the program with the new one, if
// anything became different. It reports whether it did.
func (s *session) reload(ctx context.Context) bool {
	began := time.Now()
	const goesOn = "The program before goes on."
	next, err := readSetup(s.file, s.app.dir, len(s.args) > 0)
	if err != nil {
		s.voice.fail(err, goesOn)
		return false
	}
	if err := s.build(ctx); err != nil {
		if ctx.Err() == nil {
			s.voice.fail(err, goesOn)
		}
		return false
	}
	built, err := s.app.sum()
	if err != nil {
		s.voice.fail(err, goesOn)
		return false
	}
	current := s.children[len(s.children)-1]
	if built == s.serving && next.equal(s.setup) && !current.ended() {
		return false
	}
	c, err := s.launch(next)
	if err != nil {
		s.voice.fail(err, goesOn)
		return false
	}
	if err := c.await(ctx, readyPatience, s.changes); err != nil {
		c.stop()
		s.children = slices.Insert(s.children, len(s.children)-1, c) // it may have messages in hand
		if errors.Is(err, errEnded) {
			s.voice.fail(fmt.Errorf("the new program ended: %w", cmp.Or(c.err, errEnded)), goesOn)
		}
		return false
	}
	current.leave()
	s.setup, s.serving = next, built
	s.children = append(slices.DeleteFunc(s.children, (*child).ended), c)
	took := time.Since(began).Round(time.Millisecond)
	s.voice.say(fmt.Sprintf("Reloaded in %v.\n", took), "reloaded", "took", took.String())
	return true
}

// drain stops the programs and waits for them. A second signal to us is one to
// them.
func (s *session) drain() error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	for _, c := range s.children {
		c.stop()
	}
	for _, c := range s.children {
		for !c.ended() {
			select {
			case <-c.done:
			case <-signals:
				for _, c := range s.children {
					c.signal()
				}
			}
		}
	}
	return s.children[len(s.children)-1].err
}

// welcome shows what the app can do.
func (s *session) welcome(ctx context.Context, cfg *config.Config) {
	api, err := s.provided.client()
	if err != nil {
		s.voice.fail(err, "The management API cannot be reached.")
		return
	}
	address := s.provided.http.Addr().String()
	s.voice.say(fmt.Sprintf("\nReady. The functions are served; Ctrl-C stops them. HTTP: http://%s Dashboard and management API: %s\n", address, api.URL),
		"ready", "http", address, "admin", api.URL)
	if api.URL == adminOff || s.voice.json {
		return
	}
	if err := showExamples(ctx, api, cfg, s.voice); err != nil && ctx.Err() == nil {
		s.voice.fail(err, "An example in the configuration did not work.")
	}
	s.invite(ctx, api) // last, as it waits for the store
}

// invite prints a link that signs in to the dashboard, as long as nobody has an
// account.
func (s *session) invite(ctx context.Context, api *admin.Client) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if accounts, err := api.Accounts(ctx); err == nil && len(accounts) > 0 {
		return
	}
	link, err := api.Link(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.voice.fail(err, "\"fairlead signin\" prints a link that signs in to the dashboard.")
		}
		return
	}
	s.voice.print(fmt.Sprintf("Sign in to the dashboard, once and within 15 minutes: %s\n", link))
}
