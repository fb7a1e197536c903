package knative

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// programs are built once for all tests, into a folder of their own.
var programs struct {
	dir   string
	mu    sync.Mutex
	built map[string]string // paths, by name
}

func TestMain(m *testing.M) { os.Exit(withPrograms(m.Run)) }

func withPrograms(run func() int) int {
	dir, err := os.MkdirTemp("", "knative-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) // nobody needs what is left there
	programs.dir, programs.built = dir, make(map[string]string)
	return run()
}

// fairlead returns the path of the CLI.
func fairlead(t *testing.T) string {
	t.Helper()
	return program(t, filepath.Join("..", ".."), "fairlead", "./cmd/fairlead")
}

// peer returns the path of a program of the module peers.
func peer(t *testing.T, name string) string {
	t.Helper()
	return program(t, "peers", name, "./"+name)
}

func program(t *testing.T, dir, name, source string) string {
	t.Helper()
	programs.mu.Lock()
	defer programs.mu.Unlock()
	if programs.built[name] == "" {
		path := filepath.Join(programs.dir, name)
		run(t, dir, nil, "go", "build", "-ldflags=-s -w", "-o", path, source)
		programs.built[name] = path
	}
	return programs.built[name]
}

// A process is a program that runs until the test ends it, or is over.
type process struct {
	*exec.Cmd
	said transcript
	done chan struct{}
}

// start starts a program in a folder, with more environment variables.
func start(t *testing.T, dir string, env []string, path string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(path, args...), done: make(chan struct{})}
	p.Dir, p.Env = dir, append(os.Environ(), env...)
	p.Stdout, p.Stderr = &p.said, &p.said
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.Wait() // how it ended is for whoever asks
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(path), p.said.String())
		}
	})
	return p
}

// kill ends the program as kill -9 does.
func (p *process) kill() {
	p.Process.Kill() // it may have ended
	<-p.done
}

// lines returns the lines that the program has said and that begin with word.
func (p *process) lines(word string) []string {
	var found []string
	for s := bufio.NewScanner(strings.NewReader(p.said.String())); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), word+" "); ok {
			found = append(found, rest)
		}
	}
	return found
}

// ready waits until a program answers its readiness probe.
func (p *process) ready(t *testing.T, address string) {
	t.Helper()
	eventually(t, "the program is ready", func() bool {
		select {
		case <-p.done:
			t.Fatalf("it ended: %s", p.said.String())
		default:
		}
		resp, err := http.Get("http://" + address + "/health/readiness")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// eventually waits until something is true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	const limit = 2 * time.Minute
	for end := time.Now().Add(limit); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}
