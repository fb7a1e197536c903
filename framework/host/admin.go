package host

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/triggers"
)

// Where the management API listens if the configuration does not say: the first
// of these ports that is free.
const (
	adminHost     = "127.0.0.1"
	adminPort     = 8183
	adminPortsTry = 20
)

// A ServerFile tells the CLI where the host of a folder is. It is
// .fairlead/server.json beside the configuration, readable by its owner only.
type ServerFile struct {
	URL   string `json:"url"`
	Token string `json:"token"`
	PID   int    `json:"pid"`
}

// ServerFilePath returns where the ServerFile of a configuration is. Without a
// configuration file it is below the working folder.
func ServerFilePath(configFile string) string {
	return filepath.Join(stateBeside(configFile), "server.json")
}

// An adminServer is the listening management API.
type adminServer struct {
	url    string
	server *http.Server
	file   string
}

// serveAdmin starts the management API, unless it is off. Errors while serving
// go to failed.
func (h *Host) serveAdmin(cfg *config.Config, failed chan<- error) (*adminServer, error) {
	if cfg.Admin.Listen == "off" {
		return &adminServer{url: "off"}, nil
	}
	l, err := h.heir.listen(adminFD, func() (*net.TCPListener, error) { return ListenAdmin(cfg) })
	if err != nil {
		return nil, fmt.Errorf("serve the management API: %w", err)
	}
	f := ServerFile{"http://" + l.Addr().String(), rand.Text(), os.Getpid()}
	a := &adminServer{url: f.URL}
	if h.heir != nil { // which tells the CLI
		f.Token = h.heir.Token
	} else {
		a.file = ServerFilePath(cfg.File)
		if err := f.Write(a.file); err != nil {
			l.Close()
			return nil, err
		}
	}
	a.server = &http.Server{Handler: admin.Handler(h.Backend(), f.Token), ReadHeaderTimeout: 10 * time.Second}
	go func() { failed <- a.server.Serve(l) }()
	h.heir.tell(ReportUp)
	return a, nil
}

// ListenAdmin listens where a program with cfg serves the management API.
func ListenAdmin(cfg *config.Config) (*net.TCPListener, error) {
	return listenAdmin(cfg.Admin.Listen)
}

// listenAdmin listens on a configured address, or else on the first free port.
func listenAdmin(address string) (*net.TCPListener, error) {
	if address != "" {
		return listenTCP(address)
	}
	for port := adminPort; ; port++ {
		l, err := listenTCP(fmt.Sprintf("%s:%d", adminHost, port))
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) || port == adminPort+adminPortsTry {
			return l, err
		}
	}
}

// Write writes f to path.
func (f ServerFile) Write(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	data, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("tell the CLI where the server is: %w", err)
	}
	return nil
}

// servers returns the API's server, if there is one, and more.
func (a *adminServer) servers(more ...*http.Server) []*http.Server {
	if a.server != nil {
		more = append(more, a.server)
	}
	return more
}

// close ends the API and removes what it left for the CLI, if it is still its own.
func (a *adminServer) close() {
	if a.server == nil {
		return
	}
	a.server.Close()
	if a.file != "" {
		RemoveServerFile(a.file)
	}
}

// RemoveServerFile removes the ServerFile at path if it is this process's own.
func RemoveServerFile(path string) {
	var f ServerFile
	data, err := os.ReadFile(path)
	if err == nil && json.Unmarshal(data, &f) == nil && f.PID == os.Getpid() {
		os.Remove(path)
	}
}

// Backend returns the Host as the management API sees it.
func (h *Host) Backend() admin.Backend { return backend{h, StoreOperator{h.Store}} }

type backend struct {
	*Host
	StoreOperator
}

var _ admin.Backend = backend{}

// Send implements [admin.Backend].
func (b backend) Send(ctx context.Context, binding string, m admin.Message) (string, error) {
	return b.SendMessage(ctx, binding, m)
}

// Publish implements [admin.TopicStore].
func (b backend) Publish(ctx context.Context, target string, p admin.Publication) (string, error) {
	return b.StoreOperator.Publish(ctx, target, p)
}

// Status implements [admin.Backend].
func (b backend) Status() admin.Status {
	s := b.Host.Status()
	cfg := b.config.Load()
	out := admin.Status{
		Version: Version(), Started: s.Started, Ready: len(s.Missing) == 0, Missing: s.Missing, Functions: s.Functions,
		Triggers: []admin.TriggerStatus{}, Connections: []admin.ConnectionStatus{}, Config: configStatus(s.Progress),
	}
	for _, name := range slices.Sorted(maps.Keys(s.Triggers)) {
		t := triggerStatus(name, cfg.Triggers[name], s.Triggers[name], b.triggers()[name])
		t.Refused = refusedText(s.Progress.Refused, triggersKind, name)
		out.Triggers = append(out.Triggers, t)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Connections)) {
		c := s.Connections[name]
		out.Connections = append(out.Connections, admin.ConnectionStatus{
			Name: name, Type: cfg.Connections[name].Type, Connected: c.Connected, Error: text(c.Err), NextTry: future(c.NextTry),
			Refused: refusedText(s.Progress.Refused, connectionsKind, name),
		})
	}
	return out
}

func configStatus(p Progress) admin.ConfigStatus {
	s := admin.ConfigStatus{File: p.File, Generation: p.Generation, Applied: p.Applied, Refused: text(p.Refused)}
	if p.Refused != nil {
		s.RefusedAt = &p.RefusedAt
	}
	return s
}

// refusedText says why a newer configuration of an object does not run; it is
// empty if there is none, or if it is not this object's fault.
func refusedText(refused error, kind, name string) string {
	if err := refusalOf(refused, kind, name); err != nil {
		return "new config refused: " + err.Error()
	}
	return ""
}

func triggerStatus(name string, t config.Trigger, s triggers.Status, running *runningTrigger) admin.TriggerStatus {
	out := admin.TriggerStatus{
		Name: name, Connection: t.Connection, Function: t.Function,
		State: string(s.State), Since: s.Since, Error: text(s.Err), NextTry: future(s.NextTry),
		InFlight: s.InFlight, Waiting: s.Waiting, Received: s.Received, Succeeded: s.Succeeded,
		Failed: s.Failed, Retried: s.Retried, Dead: s.Dead, Reconnects: s.Reconnects,
	}
	if running != nil {
		out.Destination = running.destination()
	}
	return out
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// future returns t if it is still to come.
func future(t time.Time) *time.Time {
	if t.Before(time.Now()) {
		return nil
	}
	return &t
}

// Version returns the version that this program was built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if m.Path == "github.com/fairlead/fairlead" {
			return cmp.Or(m.Version, "(devel)")
		}
	}
	return "(devel)"
}
