package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/framework/host"
)

// A devLoop is a folder that "fairlead run --json" serves.
type devLoop struct {
	t     *testing.T
	dir   string
	cmd   *exec.Cmd
	lines chan string // what it says
	http  string      // where functions are
}

const appCode = `package app

import (
	"context"
	"time"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/host"
)

const version = "one"

func New() *host.Host {
	return host.New(framework.Functions{
		"work": framework.Sink(func(ctx context.Context, id string) error {
			time.Sleep(200 * time.Millisecond) // its work
			return framework.Send(ctx, "out", "", id)
		}),
		"version": framework.Func(func(context.Context, string) (string, error) { return version, nil }),
	})
}
`

const appConfig = `version: 1
store: none
http: {function: version}
connections: {local: {type: stomp, url: embedded}}
triggers: {work: {connection: local, queue: in, function: work, concurrency: 4}}
bindings: {out: {connection: local, queue: done}}
`

// startLoop writes an app into a folder and serves it.
func startLoop(t *testing.T) *devLoop {
	t.Helper()
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(repository, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	s := &devLoop{t: t, dir: t.TempDir(), lines: make(chan string, 10_000)}
	s.write("go.mod", "module example.com/app\n\ngo 1.26\n\nrequire "+modulePath+" v0.0.0\n\nreplace "+modulePath+" => "+repository+"\n")
	s.write("go.sum", string(sums))
	s.write("app.go", appCode)
	s.write("fairlead.yaml", appConfig)
	s.cmd = exec.Command("fairlead", "run", "--json")
	s.cmd.Dir = s.dir
	s.cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "LISTEN_ADDRESS=127.0.0.1:0", "FAIRLEAD_CONFIG=")
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			s.lines <- lines.Text()
		}
		close(s.lines)
	})
	t.Cleanup(func() {
		s.cmd.Process.Signal(syscall.SIGTERM) // a test that failed has left it running
		reading.Wait()
		s.cmd.Wait() // a test that wants its error has it
	})
	ready := s.until("ready")
	s.http = "http://" + ready["http"].(string)
	return s
}

func (s *devLoop) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// until waits for a record with that message and returns it.
func (s *devLoop) until(msg string) map[string]any {
	s.t.Helper()
	limit := time.After(awaitTimeout)
	for {
		select {
		case line, ok := <-s.lines:
			var record map[string]any
			if !ok {
				s.t.Fatalf("it ended before it said %q", msg)
			}
			s.t.Log(line)
			if err := json.Unmarshal([]byte(line), &record); err != nil {
				s.t.Fatalf("found %q, want a line of JSON", line)
			}
			if record["msg"] == msg {
				return record
			}
		case <-limit:
			s.t.Fatalf("it did not say %q within %v", msg, awaitTimeout)
		}
	}
}

func (s *devLoop) client() *admin.Client {
	s.t.Helper()
	f, ok := readServer(host.ServerFilePath(filepath.Join(s.dir, "fairlead.yaml")))
	if !ok {
		s.t.Fatal("found no server.json of a program that runs")
	}
	http.DefaultClient.CloseIdleConnections() // those to a program that was replaced
	return &admin.Client{URL: f.URL, Token: f.Token}
}

// version asks the program for its version by HTTP.
func (s *devLoop) version() string {
	s.t.Helper()
	m, err := s.client().Invoke(s.t.Context(), "version", admin.Message{ContentType: "text/plain"})
	if err != nil {
		s.t.Fatal(err)
	}
	return string(m.Body())
}

// TestReloadLosesNothing replaces the program while messages flow and requests
// come in: each message is passed on, and no request gets a bad answer.
func TestReloadLosesNothing(t *testing.T) {
	s := startLoop(t)
	if got := s.version(); got != "one" {
		t.Fatalf("got version %s, want one", got)
	}
	ctx, stop := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	asking.Go(func() { s.keepAsking(ctx) })
	sent := make(map[string]bool)
	send := func(n int) {
		for range n {
			id := fmt.Sprint("message ", len(sent))
			m := admin.Message{ContentType: "text/plain"}
			m.SetBody([]byte(id))
			m.Destination = "in"
			if _, err := s.client().Send(t.Context(), "local", m); err != nil {
				t.Fatal(err)
			}
			sent[id] = true
		}
	}
	for _, version := range []string{"two", "three"} {
		send(20) // more than can be done before the program is replaced
		s.write("app.go", strings.Replace(appCode, `"one"`, `"`+version+`"`, 1))
		s.until("reloaded")
		if got := s.version(); got != version {
			t.Errorf("got version %s, want %s", got, version)
		}
	}
	send(20)
	s.write("fairlead.yaml", strings.Replace(appConfig, "concurrency: 4", "concurrency: 5", 1))
	s.until("reloaded")
	send(1)
	stop()
	asking.Wait()

	limited, cancel := context.WithTimeout(t.Context(), awaitTimeout)
	defer cancel()
	for len(sent) > 0 {
		err := s.client().Receive(limited, "local", "done", 1, func(m admin.Message) error {
			delete(sent, string(m.Body()))
			return nil
		})
		if err != nil {
			t.Fatalf("%v; not passed on: %v", err, sent)
		}
	}
}

// keepAsking makes one request after the other, on new connections.
func (s *devLoop) keepAsking(ctx context.Context) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: awaitTimeout}
	n := 0
	for ; ctx.Err() == nil; n++ {
		r, err := client.Post(s.http, "text/plain", strings.NewReader("x"))
		if err != nil {
			s.t.Errorf("request %d: %v", n, err)
			return
		}
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			s.t.Errorf("request %d: got status %d, want 200", n, r.StatusCode)
			return
		}
	}
	s.t.Logf("made %d requests", n)
}

// TestABadChangeChangesNothing breaks the code, the configuration, the file .env
// and the program's start, one after the other, and mends each.
func TestABadChangeChangesNothing(t *testing.T) {
	s := startLoop(t)
	for _, tt := range []struct{ what, file, bad, good, says string }{
		{"code", "app.go", appCode + "broken", strings.Replace(appCode, `"one"`, `"two"`, 1), "syntax error"},
		{"configuration", "fairlead.yaml", appConfig + "nonsense: 1\n", appConfig + "grace: 20s\n", "nonsense: found an unknown key"},
		{"environment", ".env", "no assignment", "A=b\n", ".env:1: expected NAME=VALUE"},
		{"start", "fairlead.yaml", strings.Replace(appConfig, "function: work", "function: play", 1), appConfig, "the new program ended: exit status 2"},
	} {
		before := s.version()
		s.write(tt.file, tt.bad)
		if said := s.until("The program before goes on."); !strings.Contains(said["err"].(string), tt.says) {
			t.Errorf("%s: it said %q, want %q in it", tt.what, said["err"], tt.says)
		}
		if got := s.version(); got != before {
			t.Errorf("%s: got version %s, want %s", tt.what, got, before)
		}
		s.write(tt.file, tt.good)
		if tt.what != "start" { // what is good again is what runs
			s.until("reloaded")
		}
	}
	if got := s.version(); got != "two" {
		t.Errorf("got version %s, want two", got)
	}
}

// TestAProgramThatDiesIsStartedAgain kills the program, and changes a file.
func TestAProgramThatDiesIsStartedAgain(t *testing.T) {
	s := startLoop(t)
	s.write("app.go", strings.Replace(appCode, "return version, nil", `panic("x")`, 1)) // which is survived
	s.until("reloaded")
	s.write("app.go", strings.Replace(appCode, "return version, nil", "os.Exit(3)\nreturn version, nil", 1))
	s.until("The program before goes on.") // os is not imported
	s.write("app.go", strings.NewReplacer("return version, nil", "os.Exit(3)\nreturn version, nil", `"time"`, "\"os\"\n\"time\"").Replace(appCode))
	s.until("reloaded")
	if _, err := s.client().Invoke(t.Context(), "version", admin.Message{}); err == nil {
		t.Error("got no error, want one: the program has ended")
	}
	if said := s.until("It is started again when a file changes."); !strings.Contains(said["err"].(string), "exit status 3") {
		t.Errorf("it said %v, want exit status 3", said["err"])
	}
	s.write("app.go", appCode)
	s.until("reloaded")
	if got := s.version(); got != "one" {
		t.Errorf("got version %s, want one", got)
	}
}

func TestDotEnv(t *testing.T) {
	got, err := parseEnv("# comment\n\nA=1\nexport B = two words # comment\nC=\"a\\tb # no comment\" # comment\nD='$x \"y\"'\nE=\n  F=a#b\n", ".env")
	if err != nil {
		t.Fatal(err)
	}
	want := dotEnv{"A": "1", "B": "two words", "C": "a\tb # no comment", "D": `$x "y"`, "E": "", "F": "a#b"}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s: got %q, want %q", name, got[name], value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, bad := range []string{"secret", "1A=x", `A="x`, "A='x", `A="x" y`, "A='x' y", "=x"} {
		_, err := parseEnv("A=1\n"+bad, ".env")
		if err == nil || !strings.HasPrefix(err.Error(), ".env:2: ") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want an error with the line and without the text", bad, err)
		}
	}
}

func TestRender(t *testing.T) {
	v := &voice{}
	for in, want := range map[string]string{
		"panic: x\n":  "panic: x\n",
		"{\"a\":1}\n": "{\"a\":1}\n",
		"{broken\n":   "{broken\n",
		`{"time":"no time","level":"WARN","msg":"it failed","err":"a b","n":7,"stack":"one\ntwo\n"}` + "\n": "no time WARN  it failed err=\"a b\" n=7\n    one\n    two\n",
	} {
		if got := v.render(in); got != want {
			t.Errorf("render(%q): got %q, want %q", in, got, want)
		}
	}
}

func TestRenderInJSON(t *testing.T) {
	v := &voice{json: true}
	const record = "{\"msg\":\"x\"}\n"
	if got := v.render(record); got != record {
		t.Errorf("got %q, want %q", got, record)
	}
	if got := v.render("panic: x\n"); !strings.HasSuffix(got, `,"level":"INFO","msg":"panic: x"}`+"\n") {
		t.Errorf("got %q, want a record that says panic: x", got)
	}
}

// TestProgressStaysBelow checks that what programs log while functions are built
// does not run into the line that says so.
func TestProgressStaysBelow(t *testing.T) {
	shown, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer shown.Close()
	v := &voice{out: out}
	v.print("before\n")
	v.show("building … 1s")
	v.print("a log\n")
	v.show("building … 2s")
	v.show("")
	v.print("after\n")
	out.Close()
	got, err := io.ReadAll(shown)
	if err != nil {
		t.Fatal(err)
	}
	want := "before\n" + clearLine + "building … 1s" + clearLine + "a log\nbuilding … 1s" + clearLine + "building … 2s" + clearLine + "after\n"
	if string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
