package host

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/framework"
)

// runAs names the program that this test binary is when it is started by itself.
const runAs = "FAIRLEAD_TEST_PROGRAM"

var programs = map[string]func(){
	"main":  func() { Main(worker) },
	"twice": func() { Main(worker, worker) },
}

var worker = framework.Functions{
	"slow": framework.Sink(func(_ context.Context, file string) error {
		fmt.Fprintln(os.Stderr, "slow begins")
		time.Sleep(300 * time.Millisecond) // its work
		return os.WriteFile(file, nil, 0o600)
	}),
	"stuck": framework.Sink(func(context.Context, string) error {
		fmt.Fprintln(os.Stderr, "stuck begins")
		select {}
	}),
}

// A process is a program under test.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr *bufio.Scanner
	said   strings.Builder
}

// launch runs a program with more environment variables and arguments.
func launch(t *testing.T, program string, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0], args...)}
	p.cmd.Dir = t.TempDir()
	p.cmd.Env = append(os.Environ(), append([]string{runAs + "=" + program, "LISTEN_ADDRESS=127.0.0.1:0", "FAIRLEAD_CONFIG=", "KUBERNETES_SERVICE_HOST=none"}, env...)...)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stderr = bufio.NewScanner(stderr)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			p.cmd.Process.Kill()
			p.cmd.Wait() // it was killed
		}
	})
	return p
}

// until reads what the program says until a line holds words, and returns that.
func (p *process) until(words string) string {
	p.t.Helper()
	for p.stderr.Scan() {
		fmt.Fprintln(&p.said, p.stderr.Text())
		if strings.Contains(p.stderr.Text(), words) {
			return p.stderr.Text()
		}
	}
	p.t.Fatalf("it never said %q, but\n%s", words, &p.said)
	return ""
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// exit waits for the end and returns the exit code and all that was said.
func (p *process) exit() (int, string) {
	p.t.Helper()
	for p.stderr.Scan() {
		fmt.Fprintln(&p.said, p.stderr.Text())
	}
	var failed *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &failed) {
		p.t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode(), p.said.String()
}

const working = `
version: 1
connections: {c: {type: memory}}
triggers:
  slow: {connection: c, queue: slow, function: slow}
  stuck: {connection: c, queue: stuck, function: stuck}
bindings: {b: {connection: c}}
`

// serving starts the worker with a configuration and returns a client of its API.
func serving(t *testing.T, document string) (*process, *admin.Client, string) {
	t.Helper()
	file := write(t, "fairlead.yaml", document)
	p := launch(t, "main", nil, "-f", file)
	p.until(`"serving"`)
	return p, client(t, file), file
}

// client returns a client of the process that serves the configuration file.
func client(t *testing.T, file string) *admin.Client {
	t.Helper()
	data, err := os.ReadFile(ServerFilePath(file))
	if err != nil {
		t.Fatal(err)
	}
	var s ServerFile
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	return &admin.Client{URL: s.URL, Token: s.Token}
}

func TestSIGTERMDrains(t *testing.T) {
	t.Parallel()
	p, c, file := serving(t, working)
	info, err := os.Stat(ServerFilePath(file))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("server.json: got %v, %v; want mode 0600", info.Mode(), err)
	}
	done := filepath.Join(t.TempDir(), "done")
	m := message(done)
	m.Destination = "slow"
	if _, err := c.Send(t.Context(), "b", m); err != nil {
		t.Fatal(err)
	}
	p.until("slow begins")
	p.signal(syscall.SIGTERM)
	if code, said := p.exit(); code != 0 {
		t.Errorf("got exit code %d, want 0:\n%s", code, said)
	}
	if _, err := os.Stat(done); err != nil {
		t.Errorf("the call that ran was not finished: %v", err)
	}
	if _, err := os.Stat(ServerFilePath(file)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("server.json after the end: got %v, want it gone", err)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	p, c, _ := serving(t, working)
	m := message("x")
	m.Destination = "stuck"
	if _, err := c.Send(t.Context(), "b", m); err != nil {
		t.Fatal(err)
	}
	p.until("stuck begins")
	p.signal(syscall.SIGINT)
	p.until("stopping")
	begin := time.Now()
	p.signal(syscall.SIGTERM)
	if code, said := p.exit(); code != 130 || time.Since(begin) > 5*time.Second {
		t.Errorf("got exit code %d after %v, want 130 at once:\n%s", code, time.Since(begin), said)
	}
}

func TestStuckFunctionIsLeftBehind(t *testing.T) {
	t.Parallel()
	p, c, _ := serving(t, "grace: 100ms"+working)
	m := message("x")
	m.Destination = "stuck"
	if _, err := c.Send(t.Context(), "b", m); err != nil {
		t.Fatal(err)
	}
	p.until("stuck begins")
	p.signal(syscall.SIGTERM)
	if code, said := p.exit(); code != 1 || !strings.Contains(said, "function stuck did not end within 100ms") {
		t.Errorf("got exit code %d, want 1 and which function is stuck:\n%s", code, said)
	}
}

func TestMainServesFunctions(t *testing.T) {
	t.Parallel()
	file := write(t, "fairlead.yaml", "version: 1")
	p := launch(t, "main", nil, "-f", file)
	var line struct{ HTTP, Admin string }
	if err := json.Unmarshal([]byte(p.until(`"serving"`)), &line); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post("http://"+line.HTTP+"/functions/slow", "text/plain", strings.NewReader(filepath.Join(t.TempDir(), "done")))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Errorf("got %s, want 204", resp.Status)
	}
	resp, err = http.Get(line.Admin + "/api/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the management API without a token: got %s, want 401", resp.Status)
	}
	p.signal(syscall.SIGTERM)
	if code, said := p.exit(); code != 0 {
		t.Errorf("got exit code %d, want 0:\n%s", code, said)
	}
}

func TestMainExits(t *testing.T) {
	t.Parallel()
	good, bad := write(t, "fairlead.yaml", working), write(t, "fairlead.yaml", `
version: 1
connections: {c: {type: memoy}}
grace: soon
nonsense: true
`)
	wrong := write(t, "fairlead.yaml", `
version: 1
connections: {c: {type: memory}}
triggers:
  t: {connection: d, queue: in, function: slwo}
  u: {connection: c, function: slow}
`)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	taken := l.Addr().String()
	adminTaken := write(t, "fairlead.yaml", "version: 1\nadmin: {listen: \""+taken+"\"}")
	for name, tt := range map[string]struct {
		program string
		env     []string
		args    []string
		want    int
		says    []string
	}{
		"a bad configuration":          {"main", nil, []string{"-f", bad}, 2, []string{":3:", `"memory"`, ":4:", `"soon"`, ":5:", "nonsense"}},
		"wrong names":                  {"main", nil, []string{"-f", wrong}, 2, []string{":5:", `"c"`, `"slow"`, ":6:", "queue"}},
		"a missing file":               {"main", nil, []string{"-f", "none.yaml"}, 2, []string{"none.yaml: no such file"}},
		"a missing file, by name":      {"main", []string{"FAIRLEAD_CONFIG=none.yaml"}, nil, 2, []string{"none.yaml: no such file"}},
		"a function twice":             {"twice", nil, []string{"-f", good}, 2, []string{`two functions are named "slow"`}},
		"an unknown flag":              {"main", nil, []string{"-x"}, 2, []string{"-x", "-check"}},
		"an argument":                  {"main", nil, []string{good}, 2, []string{good, "expected flags only"}},
		"-h":                           {"main", nil, []string{"-h"}, 0, []string{"-check", "-f FILE"}},
		"-check of a good one":         {"main", nil, []string{"-check", "-f", good}, 0, nil},
		"-check of a bad one":          {"main", nil, []string{"-check", "-f", bad}, 2, []string{"nonsense"}},
		"a port that is taken":         {"main", []string{"LISTEN_ADDRESS=" + taken}, []string{"-f", good}, 1, []string{taken, "address already in use"}},
		"the API's port that is taken": {"main", nil, []string{"-f", adminTaken}, 1, []string{taken, "address already in use"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, said := launch(t, tt.program, tt.env, tt.args...).exit()
			if code != tt.want {
				t.Errorf("got exit code %d, want %d:\n%s", code, tt.want, said)
			}
			for _, want := range tt.says {
				if !strings.Contains(said, want) {
					t.Errorf("it does not say %q:\n%s", want, said)
				}
			}
		})
	}
}

func TestPortOfKnative(t *testing.T) {
	for _, tt := range []struct{ address, port, document, want string }{
		{"", "", "version: 1", defaultListen},
		{"", "", "{version: 1, http: {listen: \"127.0.0.1:9\"}}", "127.0.0.1:9"},
		{"", "8000", "{version: 1, http: {listen: \"127.0.0.1:9\"}}", ":8000"},
		{"127.0.0.1:7", "8000", "version: 1", "127.0.0.1:7"},
	} {
		t.Setenv("LISTEN_ADDRESS", tt.address)
		t.Setenv("PORT", tt.port)
		r := newRig(t, nil)
		if got := ListenAddress(r.parse(tt.document), os.Getenv); got != tt.want {
			t.Errorf("LISTEN_ADDRESS=%s PORT=%s %s: got %s, want %s", tt.address, tt.port, tt.document, got, tt.want)
		}
	}
}
