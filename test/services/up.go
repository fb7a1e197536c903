package services

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
)

// Up installs what the selected services lack on this machine, starts them, and
// writes the file by which tests find them. It tells out what it does. Started
// is false if they were running already.
func Up(ctx context.Context, out io.Writer) (started bool, err error) {
	p, err := here()
	if err != nil {
		return false, err
	}
	log, want := newProgress(out), selected()
	if p.runs(want) {
		log.say("the services are running already (%s)", p.run)
		return false, nil
	}
	if err := p.portsTaken(want); err != nil {
		return false, err
	}
	if err := p.installAll(ctx, want, log); err != nil {
		return false, err
	}
	if err := p.clean(); err != nil {
		return false, err
	}
	if err := p.startAll(ctx, want, log); err != nil {
		return false, errors.Join(err, p.stopAll(log))
	}
	log.say("all services are ready (%s)", p.run)
	return true, nil
}

// runs reports whether all wanted services run.
func (p place) runs(want selection) bool {
	if !exists(p.stateFile()) {
		return false
	}
	for _, s := range services() {
		_, alive, err := remembered(p.site(s).Dir)
		if want[s.name] && (err != nil || !alive) {
			return false
		}
	}
	return (!want["python"] || exists(p.python()) && exists(p.web().python()) && exists(p.api().python())) && (!want["node"] || exists(p.nodeModules()))
}

// installAll has the cache to itself: two installations into one folder end in
// neither.
func (p place) installAll(ctx context.Context, want selection, log *progress) error {
	if err := os.MkdirAll(p.cache, 0o755); err != nil {
		return err
	}
	lock, err := lockFile(filepath.Join(p.cache, "lock"), 0)
	if err != nil {
		return err
	}
	defer lock.Close()
	return install(ctx, p, want, log)
}

// portsTaken fails if somebody else has a port of a wanted service.
func (p place) portsTaken(want selection) error {
	for _, s := range services() {
		_, ours, err := remembered(p.site(s).Dir)
		if err != nil {
			return err
		}
		for name, port := range p.site(s).Ports {
			if want[s.name] && !ours && !free(port) {
				return fmt.Errorf("%s cannot start: port %d (%s) is taken; FAIRLEAD_TEST_PORTS chooses another block", s.name, port, name)
			}
		}
	}
	return nil
}

// clean stops what an earlier run left, and empties the run folder.
func (p place) clean() error {
	if err := p.stopAll(newProgress(io.Discard)); err != nil {
		return err
	}
	if err := os.RemoveAll(p.run); err != nil {
		return err
	}
	return makeCerts(p.certs())
}

// site is the shared instance of a service.
func (p place) site(s service) site {
	ports := maps.Clone(s.ports)
	for name := range ports {
		ports[name] += p.base
	}
	return site{Dir: filepath.Join(p.run, s.name), Certs: p.certs(), Dist: p.dist(), Bin: p.bin(), KDC: p.kdc(), Ports: ports}
}

// startAll starts the wanted services side by side and writes the run file.
func (p place) startAll(ctx context.Context, want selection, log *progress) error {
	err := sideBySide(services(), func(s service) error {
		if !want[s.name] {
			return nil
		}
		return start(ctx, s, p.site(s), log)
	})
	if err != nil {
		return err
	}
	return p.write(p.describe(want))
}

func start(ctx context.Context, s service, at site, log *progress) error {
	if err := os.MkdirAll(at.Dir, 0o755); err != nil {
		return err
	}
	if s.prepare != nil {
		if err := s.prepare(at); err != nil {
			return fmt.Errorf("prepare %s: %w", s.name, err)
		}
	}
	if _, err := s.launch(ctx, at, func(*exec.Cmd) {}); err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	log.say("%s is ready", s.name)
	return nil
}

// describe returns what the run file says when the wanted services run.
func (p place) describe(want selection) state {
	s := state{Brokers: map[string]Broker{}, Certs: p.certs(), Dist: p.dist()}
	for _, service := range services() {
		if service.broker != nil && want[service.name] {
			s.Brokers[service.name] = service.broker(p.site(service))
		}
	}
	if want["postgres"] {
		s.Postgres = postgresURL(p.site(postgres()))
	}
	if want["kdc"] {
		s.KDC = p.kdc()
	}
	if want["toxiproxy"] {
		s.ToxiProxy = p.site(toxiproxy()).address("api")
	}
	if want["python"] {
		s.Python = p.python()
	}
	return s
}
