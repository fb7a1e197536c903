package services

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"text/template"
)

// The name and password that every broker knows. They guard nothing: the
// brokers listen on loopback only.
const (
	appUser     = "app"
	appPassword = "apppw"
)

//go:embed conf
var conf embed.FS

// A service is one program that tests need, and how any number of instances of
// it are run; a site is one of them.
type service struct {
	name  string
	ports map[string]int // each with its place in the block of the shared services
	// theirs is the name of the port on which not the service but a test listens; usually empty.
	theirs string
	// prepare fills the site's folder before the first start; nil if nothing must be there.
	prepare func(site) error
	// command is the program in the foreground, so that its pid is the service's.
	command func(site) (*exec.Cmd, error)
	// ready is what the log says when the service is of use; empty if open ports say so.
	ready string
	// stop is the signal that ends it in good order.
	stop syscall.Signal
	// broker says how to reach a broker; nil of other services.
	broker func(site) Broker
}

func services() []service {
	return []service{artemis(), classic(), rabbitmq(), brokerj(), kdc(), postgres(), toxiproxy()}
}

// named returns the service of that name, or an empty one.
func named(name string) service {
	for _, s := range services() {
		if s.name == name {
			return s
		}
	}
	return service{}
}

// sideBySide calls work for all items at once and returns all errors.
func sideBySide[T any](items []T, work func(T) error) error {
	errs := make([]error, len(items))
	var group sync.WaitGroup
	for i, item := range items {
		group.Go(func() { errs[i] = work(item) })
	}
	group.Wait()
	return errors.Join(errs...)
}

// launch starts the service at the site, prepared, and waits until it is of use.
// Adjust may change how its program runs.
func (s service) launch(ctx context.Context, at site, adjust func(*exec.Cmd)) (process, error) {
	cmd, err := s.command(at)
	if err != nil {
		return process{}, err
	}
	adjust(cmd)
	p, err := launch(cmd, at.Dir)
	if err != nil {
		return process{}, err
	}
	own := maps.Clone(at.Ports)
	delete(own, s.theirs)
	return p, p.await(ctx, own, s.ready)
}

// site is where one instance of a service lives.
type site struct {
	Dir   string         // its own folder, below which it writes
	Certs string         // see Broker.Certs
	Dist  string         // the brokers' programs
	Bin   string         // toxiproxy's program
	KDC   string         // see KDC; its files are there once the shared one is prepared
	Ports map[string]int // by the service's names
}

func (s site) address(port string) string { return "127.0.0.1:" + s.port(port) }

func (s site) port(name string) string { return strconv.Itoa(s.Ports[name]) }

// render writes the configuration file conf/name into the site's folder as
// path, with the site's folders and ports filled in.
func (s site) render(name, path string) error {
	parsed, err := template.New(filepath.Base(name)).Option("missingkey=error").ParseFS(conf, "conf/"+name)
	if err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	var text bytes.Buffer
	if err := parsed.Execute(&text, s); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	target := filepath.Join(s.Dir, path)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	return os.WriteFile(target, text.Bytes(), 0o644)
}
