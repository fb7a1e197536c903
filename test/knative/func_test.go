package knative

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections/stomp/broker"
	"github.com/fairlead/fairlead/templates"
)

const module = "github.com/fairlead/fairlead"

// patience is long because func compiles in it, maybe with an empty cache.
const patience = 5 * time.Minute

// A toolbox is a func CLI and the environment that it runs in.
type toolbox struct {
	program    string
	repository string
	env        []string
}

// tools builds func, once for all runs of a version, and a GOPROXY that serves
// this repository.
func tools(t *testing.T) *toolbox {
	t.Helper()
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	b := &toolbox{repository: repository}
	proxy := filepath.Join(t.TempDir(), "proxy")
	inTools := filepath.Join(repository, "tools")
	run(t, inTools, nil, "go", "run", "./goproxy", "-o", proxy)
	b.program = buildFunc(t, inTools)
	upstream := strings.TrimSpace(run(t, inTools, nil, "go", "env", "GOPROXY"))
	cache := strings.TrimSpace(run(t, inTools, nil, "go", "env", "GOMODCACHE"))
	// The version that is served here is another one each time, and Go believes that
	// one of that name in its module cache never changes: so it gets a cache of its own.
	b.env = append(os.Environ(),
		"GOPROXY=file://"+filepath.ToSlash(proxy)+",file://"+filepath.ToSlash(filepath.Join(cache, "cache", "download"))+","+upstream,
		"GOMODCACHE="+filepath.Join(t.TempDir(), "modules"), "GONOSUMDB="+module, "GOFLAGS=-modcacherw -trimpath",
		"XDG_CONFIG_HOME="+t.TempDir(), "FAIRLEAD_CONFIG=", "LISTEN_ADDRESS=", "PORT=")
	return b
}

// buildFunc returns the func CLI of the version that tools pins.
func buildFunc(t *testing.T, inTools string) string {
	t.Helper()
	version := strings.TrimSpace(run(t, inTools, nil, "go", "list", "-m", "-f", "{{.Version}}", "knative.dev/func"))
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(cache, "fairlead", "func-"+version)
	if _, err := os.Stat(program); err == nil {
		return program
	}
	begin := time.Now()
	building := fmt.Sprint(program, ".", os.Getpid())
	run(t, inTools, nil, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", building, "knative.dev/func/cmd/func")
	if err := os.Rename(building, program); err != nil {
		t.Fatal(err)
	}
	t.Logf("built func %s in %v", version, time.Since(begin).Round(time.Second))
	return program
}

// run runs a program that must succeed, and returns what it prints.
func run(t *testing.T, dir string, env []string, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Env = dir, env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", filepath.Base(program), strings.Join(args, " "), err, &stdout, &stderr)
	}
	return stdout.String()
}

func (b *toolbox) run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	return run(t, dir, b.env, b.program, args...)
}

// serve starts "func run" in dir, and returns the address once func says that
// the function runs. Before that func does not stop the function when it ends.
func (b *toolbox) serve(t *testing.T, dir string, env ...string) string {
	t.Helper()
	address := freeAddress(t)
	cmd := exec.Command(b.program, "run", "--builder=host", "--address", address)
	cmd.Dir, cmd.Env = dir, append(b.env, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	said := new(transcript)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) // as Ctrl-C does; the function drains
		select {
		case <-ended:
		case <-time.After(time.Minute):
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // or nothing would
			t.Error("func and its function did not end within a minute")
		}
		t.Logf("func run: %s", said)
	})
	for limit := time.Now().Add(patience); time.Now().Before(limit); {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("func run ended: %v\n%s", err, said)
		case <-time.After(50 * time.Millisecond):
			if strings.Contains(said.String(), "running on") {
				return address
			}
		}
	}
	t.Fatalf("func run was not ready within %v", patience)
	return ""
}

// A transcript is what a program says, to read while it talks.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestFunc creates a function from each template by func, runs, calls and builds
// some of them, and does the same with the repository.
func TestFunc(t *testing.T) {
	b := tools(t)
	work := t.TempDir()
	for _, tmpl := range templates.All() {
		b.run(t, work, "create", "--repository", "file://"+filepath.ToSlash(b.repository), "-l", "go", "-t", tmpl.Name, tmpl.Name)
		files, err := templates.Files(tmpl.Name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			got, err := os.ReadFile(filepath.Join(work, tmpl.Name, filepath.FromSlash(f.Name)))
			switch f.Name {
			case "func.yaml": // func's own
			case "manifest.yaml":
				if err == nil {
					t.Errorf("%s: func copied manifest.yaml", tmpl.Name)
				}
			default:
				if !bytes.Equal(got, f.Data) && !strings.HasPrefix(f.Name, ".") {
					t.Errorf("%s: %s is not what the template has (%v)", tmpl.Name, f.Name, err)
				}
			}
		}
		if got := read(t, filepath.Join(work, tmpl.Name, "func.yaml")); !strings.Contains(got, "liveness: /health/liveness") {
			t.Errorf("%s: func.yaml lacks the probes:\n%s", tmpl.Name, got)
		}
	}
	t.Run("http", func(t *testing.T) {
		dir := filepath.Join(work, "http")
		address := b.serve(t, dir)
		got := b.run(t, dir, "invoke", "-f", "http", "--content-type", "application/json", "--data", `{"name": "Ada"}`, "--target", "http://"+address)
		want(t, got, `{"text":"Hello, Ada!"}`)
	})
	t.Run("cloudevents", func(t *testing.T) {
		dir := filepath.Join(work, "cloudevents")
		address := b.serve(t, dir)
		got := b.run(t, dir, "invoke", "-f", "cloudevent", "--type", "com.example.order.created", "--source", "/shop", "--content-type", "application/json",
			"--data", `{"id": "7", "total": 12.5}`, "--target", "http://"+address)
		want(t, got, "com.example.invoice.created")
	})
	t.Run("stomp-trigger", func(t *testing.T) {
		ctx, stop := context.WithCancel(context.Background())
		t.Cleanup(stop) // after the function has ended
		at, err := broker.Start(ctx, freeAddress(t))
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(work, "stomp-trigger")
		address := b.serve(t, dir, "STOMP_URL=stomp://"+at)
		b.run(t, dir, "invoke", "-f", "http", "--content-type", "application/json", "--data", `{"id": "7", "total": 12.5}`, "--target", "http://"+address)
	})
	t.Run("build", func(t *testing.T) {
		dir := filepath.Join(work, "http")
		build := toolbox{b.program, b.repository, append(b.env, "GOFLAGS=-mod=mod -modcacherw -trimpath")}
		build.run(t, dir, "build", "--builder=host", "--registry", "localhost:5000/me")
	})
	t.Run("repository", func(t *testing.T) {
		dir := b.copy(t)
		address := b.serve(t, dir)
		got := b.run(t, dir, "invoke", "-f", "http", "--content-type", "text/plain", "--data", "World", "--target", "http://"+address)
		want(t, got, "Hello, World!")
	})
}

// copy returns a copy of the repository, as its module is published: func writes
// into the folder of a function.
func (b *toolbox) copy(t *testing.T) string {
	t.Helper()
	out := t.TempDir()
	cache := strings.TrimSpace(run(t, b.repository, b.env, "go", "env", "GOMODCACHE"))
	if err := os.CopyFS(out, os.DirFS(filepath.Join(cache, filepath.FromSlash(module)+"@"+templates.Version))); err != nil {
		t.Fatal(err)
	}
	return out
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func want(t *testing.T, got, words string) {
	t.Helper()
	if !strings.Contains(got, words) {
		t.Errorf("got %q, want %q in it", got, words)
	}
}
