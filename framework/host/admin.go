package host

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
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
	"github.com/fairlead/fairlead/admin/access"
	"github.com/fairlead/fairlead/admin/dashboard"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/framework/config/stored"
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
	Cert  string `json:"cert,omitempty"` // file with the certificate that the server shows; empty: it serves plain HTTP
}

// NewServerFile returns what tells the CLI of the server of this process that
// listens at an address as cfg says.
func NewServerFile(cfg *config.Config, address net.Addr, token string) (ServerFile, error) {
	f := ServerFile{URL: "http://" + address.String(), Token: token, PID: os.Getpid()}
	if cfg.Admin.TLS == nil {
		return f, nil
	}
	f.URL = "https://" + reachable(address)
	var err error
	f.Cert, err = filepath.Abs(cfg.Admin.TLS.Cert)
	return f, err
}

// reachable returns an address of this machine in place of one that is all of its
// addresses.
func reachable(address net.Addr) string {
	if tcp, ok := address.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("%s:%d", adminHost, tcp.Port)
	}
	return address.String()
}

// Client returns a client of the server. It trusts the certificate that is in the
// server's file, whatever name it is for, and no other.
func (f ServerFile) Client() *admin.Client {
	c := &admin.Client{URL: f.URL, Token: f.Token}
	if f.Cert == "" {
		return c
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true} // VerifyConnection does it
	t.VerifyConnection = func(s tls.ConnectionState) error {
		data, err := os.ReadFile(f.Cert)
		if err != nil {
			return err
		}
		if block, _ := pem.Decode(data); block == nil || !bytes.Equal(block.Bytes, s.PeerCertificates[0].Raw) {
			return fmt.Errorf("found another certificate than the one in %s", f.Cert)
		}
		return nil
	}
	c.HTTP = &http.Client{Transport: &http.Transport{TLSClientConfig: t}}
	return c
}

// ServerFilePath returns where the ServerFile of a configuration is. Without a
// configuration file it is below the working folder.
func ServerFilePath(configFile string) string {
	return filepath.Join(stateBeside(configFile), "server.json")
}

// An adminServer is the listening management API with the dashboard.
type adminServer struct {
	url       string
	server    *http.Server
	entrance  *entrance
	access    *access.Access
	dashboard *dashboard.Dashboard
	file      string     // where the CLI is told; empty: it is told otherwise
	told      ServerFile // what it is told
}

// serveAdmin starts the management API, unless it is off. Errors while serving
// go to failed.
func (h *host) serveAdmin(cfg *config.Config, failed chan<- error) (*adminServer, error) {
	if cfg.Admin.Listen == "off" {
		return &adminServer{url: "off"}, nil
	}
	secure, err := h.adminTLS(cfg)
	if err != nil {
		return nil, err
	}
	l, err := h.heir.listen(adminFD, func() (*net.TCPListener, error) { return ListenAdmin(cfg) })
	if err != nil {
		return nil, fmt.Errorf("serve the management API: %w", err)
	}
	f, err := NewServerFile(cfg, l.Addr(), rand.Text())
	if err != nil {
		l.Close()
		return nil, err
	}
	a := &adminServer{url: f.URL}
	if h.heir != nil { // which tells the CLI
		f.Token = h.heir.Token
	} else {
		a.file, a.told = ServerFilePath(cfg.File), f
	}
	a.access = h.newAccess(cfg, f.Token, l.Addr())
	a.dashboard = h.newDashboard(a.access)
	a.server = &http.Server{Handler: h.management(a.access, a.dashboard), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, TLSConfig: secure}
	a.server.RegisterOnShutdown(a.dashboard.Close)
	a.entrance = newEntrance(l, a.server)
	go func() {
		if secure != nil {
			failed <- a.server.ServeTLS(a.entrance, "", "")
		} else {
			failed <- a.server.Serve(a.entrance)
		}
	}()
	h.heir.tell(ReportUp)
	return a, nil
}

// tell tells the CLI where the API is.
func (a *adminServer) tell() error {
	if a.file == "" {
		return nil
	}
	return a.told.Write(a.file)
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

// entrances returns the API's entrance, if there is one, and more.
func (a *adminServer) entrances(more ...*entrance) []*entrance {
	if a.entrance != nil {
		more = append(more, a.entrance)
	}
	return more
}

// close ends the API and removes what it left for the CLI, if it is still its own.
func (a *adminServer) close() {
	if a.server == nil {
		return
	}
	a.server.Close()
	a.dashboard.Close()
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

// Backend implements [Host.Backend].
func (h *host) Backend() admin.Backend { return backend{h, StoreOperator{h.Store}} }

type backend struct {
	*host
	StoreOperator
}

var _ admin.Backend = backend{}

// Send implements [admin.Backend].
func (b backend) Send(ctx context.Context, binding string, m admin.Message) (string, error) {
	id, err := b.SendMessage(ctx, binding, m)
	if framework.IsTerminal(err) { // such as one that names no destination
		err = classified{err, admin.ErrBadRequest}
	}
	return id, err
}

// Publish implements [admin.TopicStore].
func (b backend) Publish(ctx context.Context, target string, p admin.Publication) (string, error) {
	return b.StoreOperator.Publish(ctx, target, p)
}

// Status implements [admin.Backend].
func (b backend) Status() admin.Status {
	s := b.host.Status()
	cfg := b.config.Load()
	out := admin.Status{
		Version: Version(), Started: s.Started, Ready: len(s.Missing) == 0, Missing: s.Missing, Functions: s.Functions,
		Triggers: []admin.TriggerStatus{}, Connections: []admin.ConnectionStatus{}, Calls: b.calls(), Config: configStatus(s.Progress, s.Stored),
	}
	for _, name := range slices.Sorted(maps.Keys(s.Triggers)) {
		t := triggerStatus(name, cfg.Triggers[name], s.Triggers[name], b.triggers()[name])
		t.Refused = refusedText(s.Progress.Refused, triggersKind, name)
		out.Triggers = append(out.Triggers, t)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Connections)) {
		c := s.Connections[name]
		out.Connections = append(out.Connections, admin.ConnectionStatus{
			Name: name, Type: cfg.Connections[name].Type, Connected: c.Connected, NextTry: future(c.NextTry),
			Error:   cmp.Or(cfg.Locked(connectionsKind, name), text(c.Err)),
			Refused: refusedText(s.Progress.Refused, connectionsKind, name),
		})
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Waiting)) {
		w := cfg.Waiting[name]
		out.Triggers = append(out.Triggers, admin.TriggerStatus{
			Name: name, Connection: w.Connection, Function: w.Function, State: admin.Waiting, Since: s.Progress.Applied, Error: w.Why,
			Refused: refusedText(s.Progress.Refused, triggersKind, name),
		})
	}
	return out
}

// calls counts the calls of all functions, and the sends of all bindings.
func (b backend) calls() []admin.CallStatus {
	all := []admin.CallStatus{}
	for _, name := range b.Functions() {
		all = append(all, b.meters.functions[name].status(admin.KindFunction, name))
	}
	for _, name := range slices.Sorted(maps.Keys(b.outputs.Load().bindings)) {
		all = append(all, b.meters.binding(name).status(admin.KindBinding, name))
	}
	return all
}

func configStatus(p Progress, in Stored) admin.ConfigStatus {
	s := admin.ConfigStatus{
		File: p.File, Generation: p.Generation, Applied: p.Applied, Refused: text(p.Refused), Stored: in.Generation, Shadowed: in.Shadowed,
		Replicas: each(in.Replicas, func(r stored.Replica) admin.Replica {
			return admin.Replica{ID: r.ID, Name: r.Name, Started: r.Started.UTC(), Generation: r.Generation, Refused: r.Refused, Self: r.ID == in.Replica}
		}),
	}
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
	switch {
	case t.Channel != nil:
		out.Destination = t.Channel.Route
	case running != nil:
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
