package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/drivers"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/framework/host"
)

// options are the flags that every command has.
type options struct {
	config string
	server string
	token  string
}

// file returns the configuration file to read.
func (o *options) file() string { return cmp.Or(o.config, "fairlead.yaml") }

// An operator does what send, receive, ping and queue ask for: a running host, or this
// process.
type operator interface {
	Ping(ctx context.Context, connection string) (time.Duration, error)
	Send(ctx context.Context, binding string, m admin.Message) (string, error)
	Receive(ctx context.Context, connection, destination string, count int, f func(admin.Message) error) error
	admin.QueueViewer
}

// operator returns the running host if there is one, else one in this process
// that reads the configuration and starts no triggers.
func (o *options) operator(ctx context.Context) (_ operator, close func(), _ error) {
	if c := o.client(ctx); c != nil {
		return c, func() {}, nil
	}
	return o.local(o.file())
}

// client returns a client of the running host, or nil if none runs.
func (o *options) client(ctx context.Context) *admin.Client {
	if o.server != "" {
		return &admin.Client{URL: strings.TrimSuffix(o.server, "/"), Token: o.token}
	}
	f, ok := findServer(o.config)
	if !ok {
		return nil
	}
	c := f.Client()
	c.Token = cmp.Or(o.token, c.Token)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if _, err := c.Status(ctx); err != nil {
		return nil // it is gone, or another program has its port
	}
	return c
}

// findServer looks for what a running host left beside its configuration: in the
// folder of the named one, or in the working folder and those above it.
func findServer(configFile string) (host.ServerFile, bool) {
	if configFile != "" {
		return readServer(host.ServerFilePath(configFile))
	}
	dir, err := os.Getwd()
	if err != nil {
		return host.ServerFile{}, false
	}
	for ; ; dir = filepath.Dir(dir) {
		if f, ok := readServer(host.ServerFilePath(filepath.Join(dir, "fairlead.yaml"))); ok {
			return f, true
		}
		if dir == filepath.Dir(dir) {
			return host.ServerFile{}, false
		}
	}
}

func readServer(path string) (host.ServerFile, bool) {
	var f host.ServerFile
	data, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(data, &f) != nil {
		return f, false
	}
	return f, syscall.Kill(f.PID, 0) == nil
}

// local returns a host in this process.
func (o *options) local(file string) (operator, func(), error) {
	cfg, err := loadConfig(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, usagef("no host runs here and there is no %s; start one with \"fairlead run\", or name a configuration with -f or a broker with --url", file)
	}
	if err != nil {
		return nil, nil, err
	}
	return connect(cfg)
}

// urlName is what the connection that --url describes is called.
const urlName = "broker"

// byURL returns a host in this process with one connection, named urlName.
func byURL(url string) (operator, func(), error) {
	scheme, _, _ := strings.Cut(url, "://")
	kind := strings.TrimSuffix(scheme, "s")
	if kind != "amqp" && kind != "stomp" {
		return nil, nil, usagef("--url: found %q, expected a URL that begins with amqp://, amqps://, stomp:// or stomps://", url)
	}
	quoted, err := json.Marshal(url) // JSON is YAML
	if err != nil {
		return nil, nil, err
	}
	document := fmt.Sprintf("{version: 1, connections: {%s: {type: %q, url: %s}}}", urlName, kind, quoted)
	cfg, err := config.Parse([]byte(document), "--url", config.Options{Drivers: drivers.All()})
	if problems, ok := errors.AsType[config.Problems](err); ok {
		return nil, nil, usagef("--url: expected %s", problems[0].Expected)
	}
	if err != nil {
		return nil, nil, err
	}
	return connect(cfg)
}

// A local is a host in this process.
type local struct {
	operator
	cfg *config.Config
}

// connect opens the connections of cfg. What it is for needs no store.
func connect(cfg *config.Config) (operator, func(), error) {
	cfg.Store = config.Store{None: true}
	h := host.New()
	if err := h.Connect(cfg); err != nil {
		return nil, nil, err
	}
	return local{h.Backend(), cfg}, func() { h.Stop(context.Background()) }, nil
}

// reachable says why a binding or connection cannot be used in this process, if
// it leads to a broker that "fairlead run" starts.
func (l local) reachable(name string) error {
	if b, ok := l.cfg.Bindings[name]; ok {
		name = b.Connection
	}
	if isEmbedded(l.cfg.Connections[name]) {
		return fmt.Errorf("connection %s leads to the broker inside \"fairlead run\", and none runs here; start it", name)
	}
	return nil
}

func isEmbedded(c config.Connection) bool {
	e, ok := c.Settings.(connections.Embeddable)
	return ok && e.WantsEmbedded()
}
