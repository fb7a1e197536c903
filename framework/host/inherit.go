package host

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
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
)

const inheritEnv = "FAIRLEAD_INHERITANCE"

// firstInherited is the first file descriptor after the standard ones.
const firstInherited = 3

// A legacy is an Inheritance on its way. The numbers are file descriptors.
type legacy struct {
	HTTP     int               `json:"http,omitempty"`
	Admin    int               `json:"admin,omitempty"`
	Report   int               `json:"report"`
	Token    string            `json:"token"`
	Embedded map[string]string `json:"embedded,omitempty"`
}

// Start starts cmd with the inheritance, and returns what the program tells with
// its Report lines; that ends with the program.
func (i Inheritance) Start(cmd *exec.Cmd) (report io.ReadCloser, err error) {
	report, tell, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	files := []*os.File{tell}
	defer func() {
		for _, f := range files {
			f.Close() // the program has its own by now
		}
		if err != nil {
			report.Close()
		}
	}()
	l := legacy{Report: firstInherited, Token: i.Token, Embedded: i.Embedded}
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
	for _, f := range files[1:] { // os/exec made them block, and an older program listens on them, too
		if err := syscall.SetNonblock(int(f.Fd()), true); err != nil {
			return nil, err
		}
	}
	return report, nil
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
	return &h, os.Unsetenv(inheritEnv)
}

// An heir is a program's side of an Inheritance. Nil, it has inherited nothing.
type heir struct {
	legacy
	report *os.File
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
func (h *Host) reportReady() {
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
