package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"path/filepath"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/connections/drivers"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/framework/host"
	"github.com/fairlead/fairlead/outbox/embedded"
)

// provisions are what programs use and what does not end with them: the sockets
// they listen on, the development brokers, the Postgres.
type provisions struct {
	serverFile string // where the CLI is told of the host
	voice      *voice
	life       context.Context // ends with the session
	end        context.CancelFunc
	token      string
	cfg        *config.Config // of the last program
	http       socket
	admin      socket            // none where the management API is off
	brokers    map[string]string // addresses, by type
	postgres   chan struct{}     // closed when Postgres has ended; nil if none was started
}

// A socket listens.
type socket struct {
	*net.TCPListener
	wanted string // the address, as configured
}

func newProvisions(ctx context.Context, file string, v *voice) *provisions {
	p := &provisions{serverFile: host.ServerFilePath(file), voice: v, token: rand.Text(), brokers: make(map[string]string)}
	p.life, p.end = context.WithCancel(context.WithoutCancel(ctx)) // programs drain after ctx
	return p
}

// inheritance returns what a program with that setup gets.
func (p *provisions) inheritance(s setup) (host.Inheritance, error) {
	p.cfg = s.cfg
	if err := p.startBrokers(s.cfg); err != nil {
		return host.Inheritance{}, err
	}
	err := p.http.move(host.ListenAddress(s.cfg, s.env.getenv), func(address string) (net.Listener, error) {
		return net.Listen("tcp", address)
	})
	if err != nil {
		return host.Inheritance{}, fmt.Errorf("serve functions: %w; http.listen, LISTEN_ADDRESS or PORT says where", err)
	}
	if s.cfg.Admin.Listen == adminOff {
		p.admin.close()
	} else if err := p.admin.move(s.cfg.Admin.Listen, func(string) (net.Listener, error) { return host.ListenAdmin(s.cfg) }); err != nil {
		return host.Inheritance{}, fmt.Errorf("serve the management API: %w", err)
	}
	return host.Inheritance{HTTP: p.http.TCPListener, Admin: p.admin.TCPListener, Token: p.token, Embedded: p.brokers}, nil
}

const adminOff = "off" // admin.listen

// move makes s listen at an address, if it does not yet. A program that listens
// at the old one goes on doing so.
func (s *socket) move(to string, listen func(string) (net.Listener, error)) error {
	if s.TCPListener != nil && s.wanted == to {
		return nil
	}
	l, err := listen(to)
	if err != nil {
		return err
	}
	s.close()
	*s = socket{l.(*net.TCPListener), to}
	return nil
}

func (s *socket) close() {
	if s.TCPListener != nil {
		s.Close()
	}
	*s = socket{}
}

// startBrokers starts the development brokers that cfg asks for.
func (p *provisions) startBrokers(cfg *config.Config) error {
	all := drivers.All()
	for name, c := range cfg.Connections {
		if p.brokers[c.Type] != "" || !isEmbedded(c) {
			continue
		}
		address, err := all[c.Type].Embed(p.life)
		if err != nil {
			return fmt.Errorf("connections.%s: start the embedded broker: %w", name, err)
		}
		p.brokers[c.Type] = address
		p.voice.say(fmt.Sprintf("A %s broker for development runs at %s. What it holds is in memory, and gone when this ends.\n", c.Type, address),
			"embedded broker", "type", c.Type, "address", address)
	}
	return nil
}

// startPostgres starts the Postgres that a program with cfg would start, so that
// it does not end with the first program. Programs find it by its folder. What
// goes wrong is theirs to say.
func (p *provisions) startPostgres(cfg *config.Config) {
	if !host.StartsPostgres(cfg) {
		return
	}
	p.postgres = make(chan struct{})
	go func() {
		defer close(p.postgres)
		server, err := embedded.Start(p.life, host.OwnPostgres(filepath.Dir(p.serverFile), p.voice.logger()))
		if err != nil {
			return
		}
		<-p.life.Done()
		if err := server.Close(); err != nil {
			p.voice.fail(err, "Postgres did not stop well.")
		}
	}()
}

// announce tells the CLI where the host is.
func (p *provisions) announce() error {
	if p.admin.TCPListener == nil {
		host.RemoveServerFile(p.serverFile)
		return nil
	}
	f, err := p.server()
	if err != nil {
		return err
	}
	return f.Write(p.serverFile)
}

func (p *provisions) server() (host.ServerFile, error) {
	return host.NewServerFile(p.cfg, p.admin.Addr(), p.token)
}

// client returns a client of the management API, or one whose URL is off.
func (p *provisions) client() (*admin.Client, error) {
	if p.admin.TCPListener == nil {
		return &admin.Client{URL: adminOff}, nil
	}
	f, err := p.server()
	if err != nil {
		return nil, err
	}
	return f.Client(), nil
}

// close ends everything.
func (p *provisions) close() {
	host.RemoveServerFile(p.serverFile)
	p.http.close()
	p.admin.close()
	p.end()
	if p.postgres != nil {
		<-p.postgres
	}
}
