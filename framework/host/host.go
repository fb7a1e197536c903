// Package host makes what runs match a configuration: it starts triggers, opens
// bindings, serves functions by HTTP, drains what stops, and says how everything
// is doing.
//
// A program of one's own is host.Main(functions). A package for Knative's func
// has func New() *host.Host { return host.New(functions) }; its Handle, Start,
// Stop, Ready and Alive are that tool's contract.
package host

import (
	"context"
	"net/http"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
)

// A Host runs functions. Its methods may be called from any goroutine.
type Host struct{ inside inside }

// inside is a [host]. It is an interface for the sake of those who import this
// package: the compiler reads every type that theirs reach, and compiles what has
// type parameters, such as a pool of connections, once more for each of their
// packages. With a host in full view, a function of three lines took ten times as
// long to compile.
type inside interface {
	Start(ctx context.Context, env map[string]string) error
	Stop(ctx context.Context) error
	Handle(w http.ResponseWriter, r *http.Request)
	Ready(ctx context.Context) (bool, error)
	Alive(ctx context.Context) (bool, error)
	Main()
	Run(file string) error
	Functions() []string
	Load(path string) (*config.Config, error)
	Apply(ctx context.Context, cfg *config.Config) error
	Connect(cfg *config.Config) error
	Status() Status
	Backend() admin.Backend
}

// New returns a Host for the functions of all the maps. It does nothing before
// Start. Two functions of one name are an error that Start returns.
//
//go:noinline
func New(functions ...framework.Functions) *Host { return &Host{newHost(functions...)} }

// Start reads the configuration as a program made with [Main] does, and makes it
// run; it returns once that is under way, without waiting for brokers. env is
// what Knative's func read from the function's cfg file; it comes before the
// environment. Development brokers are not started.
func (h *Host) Start(ctx context.Context, env map[string]string) error {
	return h.inside.Start(ctx, env)
}

// Stop receives nothing more, waits for the calls that run, up to the grace
// period and ctx, gives the rest back and closes every connection.
func (h *Host) Stop(ctx context.Context) error { return h.inside.Stop(ctx) }

// Handle serves one request for a function.
func (h *Host) Handle(w http.ResponseWriter, r *http.Request) { h.inside.Handle(w, r) }

// Ready reports whether every trigger has subscribed once, or tried for long
// enough that waiting for it would be wrong. The error says what is missing.
func (h *Host) Ready(ctx context.Context) (bool, error) { return h.inside.Ready(ctx) }

// Alive reports whether the host works. A broker that is down does not make it
// less alive; functions that go on and on although their time is over do, when
// they hold every worker of a trigger.
func (h *Host) Alive(ctx context.Context) (bool, error) { return h.inside.Alive(ctx) }

// Main is [Main] for a Host that exists already.
func (h *Host) Main() { h.inside.Main() }

// Run is [Main] for a program with flags of its own: it reads the configuration
// (file, else ./fairlead.yaml), serves until SIGINT or SIGTERM and drains. Another
// signal ends the program. What is wrong with the configuration is
// [config.Problems] in the error.
func (h *Host) Run(file string) error { return h.inside.Run(file) }

// Functions returns the names of the functions, sorted.
func (h *Host) Functions() []string { return h.inside.Functions() }

// Load reads and checks a configuration for this host's functions and drivers.
func (h *Host) Load(path string) (*config.Config, error) { return h.inside.Load(path) }

// Apply makes cfg, which config.Load has checked, the desired state. Triggers
// and connections that are the same keep running. Of the rest, each new link
// proves itself before the old one is drained: a broker that answers and refuses
// it (a wrong password, a queue that is not there) refuses the whole change, and
// all goes on as before; a broker that does not answer is a status and refuses
// nothing. The first configuration of a host is not proved so.
//
// It returns when what was replaced has drained. [Host.Status] has the number of
// the configuration that runs, and why the last change was refused, if it was.
func (h *Host) Apply(ctx context.Context, cfg *config.Config) error { return h.inside.Apply(ctx, cfg) }

// Connect opens the bindings of cfg, and its store if it has a URL, and starts no
// triggers, for a program that only sends, receives, publishes or pings.
// Connections to a development broker work only in a program made with [Main].
func (h *Host) Connect(cfg *config.Config) error { return h.inside.Connect(cfg) }

// Status returns how everything is doing now.
func (h *Host) Status() Status { return h.inside.Status() }

// Backend returns the Host as the management API sees it.
func (h *Host) Backend() admin.Backend { return h.inside.Backend() }
