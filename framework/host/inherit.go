package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/connections"
)

// An Inheritance is what a program made with [Main] gets from one that runs it and
// lives longer, as "fairlead run" does: while one program replaces another, no
// request is refused and no message of a development broker is lost.
type Inheritance struct {
	HTTP     *net.TCPListener  // where functions are served; nil: the program listens itself
	Admin    *net.TCPListener  // likewise for the management API; nil where it is off
	Token    string            // of the management API
	Embedded map[string]string // addresses of development brokers that run, by type
}

// What a program that inherits tells, a line each.
const (
	ReportUp    = "up"    // the management API is served
	ReportReady = "ready" // so is everything else
	ReportLeft  = "left"  // it accepts no more connections: another program has taken over
)

const inheritEnv = "FAIRLEAD_INHERITANCE"

// firstInherited is the first file descriptor after the standard ones.
const firstInherited = 3

// A legacy is an Inheritance on its way. The numbers are file descriptors.
type legacy struct {
	HTTP     int               `json:"http,omitempty"`
	Admin    int               `json:"admin,omitempty"`
	Report   int               `json:"report"`
	Leave    int               `json:"leave"`
	Token    string            `json:"token"`
	Embedded map[string]string `json:"embedded,omitempty"`
}

// An Heir is a program that was started with an Inheritance.
type Heir struct {
	Report io.ReadCloser // the Report lines; ends with the program
	Leave  io.Closer     // closed, it makes the program drain and end, and accept nothing more
}

// Start starts cmd with the inheritance.
func (i Inheritance) Start(cmd *exec.Cmd) (_ *Heir, err error) {
	report, tell, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	left, leave, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, report.Close(), tell.Close())
	}
	files := []*os.File{tell, left}
	defer func() {
		for _, f := range files {
			f.Close() // the program has its own by now
		}
		if err != nil {
			report.Close()
			leave.Close()
		}
	}()
	l := legacy{Report: firstInherited, Leave: firstInherited + 1, Token: i.Token, Embedded: i.Embedded}
	for _, s := range []struct {
		from *net.TCPListener
		to   *int
	}{{i.HTTP, &l.HTTP}, {i.Admin, &l.Admin}} {
		if s.from == nil {
			continue
		}
		f, err := s.from.File()
		if err != nil {
			return nil, err
		}
		*s.to = firstInherited + len(files)
		files = append(files, f)
	}
	text, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	cmd.Env = append(cmd.Environ(), inheritEnv+"="+string(text))
	cmd.ExtraFiles = files
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	for _, f := range files[2:] { // os/exec made them block, and an older program listens on them, too
		if err := syscall.SetNonblock(int(f.Fd()), true); err != nil {
			return nil, err
		}
	}
	return &Heir{report, leave}, nil
}

// inherit takes over what the environment says is inherited; nil if nothing is.
// What it starts itself shall not take it for its own.
func inherit() (*heir, error) {
	text, ok := os.LookupEnv(inheritEnv)
	if !ok {
		return nil, nil
	}
	var h heir
	if err := json.Unmarshal([]byte(text), &h.legacy); err != nil {
		return nil, fmt.Errorf("%s: %w", inheritEnv, err)
	}
	h.report = os.NewFile(uintptr(h.Report), "report")
	h.left = make(chan struct{})
	go func() { // ends with the program, at the latest
		defer close(h.left)
		io.Copy(io.Discard, os.NewFile(uintptr(h.Leave), "leave"))
	}()
	return &h, os.Unsetenv(inheritEnv)
}

// An heir is a program's side of an Inheritance. Nil, it has inherited nothing.
type heir struct {
	legacy
	report *os.File
	left   chan struct{} // closed when another program has taken over
}

// leaving is closed when another program has taken over; nil: none ever does.
func (h *heir) leaving() <-chan struct{} {
	if h == nil {
		return nil
	}
	return h.left
}

// listen returns an inherited listener, or a new one.
func (h *heir) listen(which func(legacy) int, open func() (*net.TCPListener, error)) (net.Listener, error) {
	if h == nil || which(h.legacy) == 0 {
		return open()
	}
	f := os.NewFile(uintptr(which(h.legacy)), "listener")
	defer f.Close() // FileListener has a copy
	return net.FileListener(f)
}

func httpFD(l legacy) int  { return l.HTTP }
func adminFD(l legacy) int { return l.Admin }

// joins makes a driver use its development broker that runs already, if one does.
func (h *heir) joins(kind string, d connections.Driver) bool {
	if h == nil || h.Embedded[kind] == "" {
		return false
	}
	d.Join(h.Embedded[kind])
	return true
}

// tell reports line to the program that gave the inheritance.
func (h *heir) tell(line string) {
	if h != nil {
		fmt.Fprintln(h.report, line) // if that is gone, so is this program, soon
	}
}

// reportReady tells, once everything is ready.
func (h *host) reportReady() {
	if h.heir == nil {
		return
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for len(h.missing()) > 0 {
		select {
		case <-tick.C:
		case <-h.life.Done():
			return
		}
	}
	h.heir.tell(ReportReady)
}

// lastRequests is how long a program that leaves goes on as before for requests
// that it has accepted and not read yet.
const lastRequests = time.Second

// leave makes the servers accept nothing more, which others that listen on the
// same sockets do from now on, and reports it. It returns when what they had
// accepted is answered, or lastRequests later.
func (h *heir) leave(entrances ...*entrance) {
	ctx, cancel := context.WithTimeout(context.Background(), lastRequests)
	defer cancel()
	for _, e := range entrances {
		e.shut()
	}
	h.tell(ReportLeft)
	for _, e := range entrances {
		e.empty(ctx)
	}
	cancel()
	for _, e := range entrances {
		e.server.Shutdown(ctx) // what takes longer is waited for by the draining
	}
}

// An entrance is a listener and the server behind it, which can be left before the
// server is shut down: a server that is being shut down drops requests that it has
// not read yet, and closes idle connections on which one may be coming.
type entrance struct {
	net.Listener
	server *http.Server
	left   atomic.Bool
	conns  atomic.Int64
	ended  chan struct{} // closed when the server knows of all that was accepted
	once   sync.Once
}

// newEntrance prepares s to serve on l. It serves on what is returned.
func newEntrance(l net.Listener, s *http.Server) *entrance {
	e := &entrance{Listener: l, server: s, ended: make(chan struct{})}
	handler := s.Handler
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if e.left.Load() {
			w.Header().Set("Connection", "close") // the next request goes to whoever listens then
		}
		handler.ServeHTTP(w, r)
	})
	s.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			e.conns.Add(1)
		case http.StateClosed, http.StateHijacked:
			e.conns.Add(-1)
		}
	}
	return e
}

// Accept implements [net.Listener].
func (e *entrance) Accept() (net.Conn, error) {
	c, err := e.Listener.Accept()
	if errors.Is(err, net.ErrClosed) {
		e.once.Do(func() { close(e.ended) })
	}
	return c, err
}

// shut accepts nothing more.
func (e *entrance) shut() {
	e.left.Store(true)
	e.Close() // it is ours to close, once
}

// empty returns when no connection is left, or ctx ends.
func (e *entrance) empty(ctx context.Context) {
	select {
	case <-e.ended:
	case <-ctx.Done():
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for e.conns.Load() > 0 && ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}
