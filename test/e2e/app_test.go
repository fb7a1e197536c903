package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// buildApp builds the program once.
var buildApp = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "fairlead-e2e")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "app")
	out, err := exec.Command("go", "build", "-o", program, "./app").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the app: %w\n%s", err, out)
	}
	return program, nil
})

// An app is the program under test, which may be killed and started again.
type app struct {
	t      *testing.T
	config string
	env    []string
	cmd    *exec.Cmd
	ended  chan struct{} // closed when cmd has ended
	err    error         // of its end
	log    *os.File
}

// newApp returns an app with the given configuration, not started.
func newApp(t *testing.T, configuration string) *app {
	t.Helper()
	config := filepath.Join(t.TempDir(), "fairlead.yaml")
	if err := os.WriteFile(config, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(filepath.Dir(config), "log"))
	if err != nil {
		t.Fatal(err)
	}
	a := &app{t: t, config: config, log: log}
	t.Cleanup(func() {
		a.kill()
		log.Close()
		if t.Failed() {
			a.showLog()
		}
	})
	return a
}

// logTail is how much of the program's log a failed test shows, in bytes.
const logTail = 8 << 10

func (a *app) showLog() {
	data, err := os.ReadFile(a.log.Name())
	if err != nil {
		a.t.Log(err)
		return
	}
	a.t.Logf("the end of the program's log:\n%s", data[max(0, len(data)-logTail):])
}

func (a *app) start() {
	a.t.Helper()
	program, err := buildApp()
	if err != nil {
		a.t.Fatal(err)
	}
	a.cmd = exec.Command(program, "-f", a.config)
	a.cmd.Env = append(append(os.Environ(), "LISTEN_ADDRESS=127.0.0.1:0"), a.env...)
	a.cmd.Stdout, a.cmd.Stderr = a.log, a.log
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := a.cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	ended := make(chan struct{})
	a.ended = ended
	go func(cmd *exec.Cmd) {
		defer close(ended)
		a.err = cmd.Wait()
	}(a.cmd)
}

// kill ends the program without giving it a chance.
func (a *app) kill() {
	if a.cmd == nil {
		return
	}
	a.cmd.Process.Kill()
	<-a.ended
	a.cmd = nil
}

// stop asks the program to drain, and returns how long that took.
func (a *app) stop() time.Duration {
	a.t.Helper()
	begin := time.Now()
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		a.t.Fatal(err)
	}
	if <-a.ended; a.err != nil {
		a.t.Errorf("the program ended with %v after SIGTERM, want exit code 0", a.err)
	}
	a.cmd = nil
	return time.Since(begin)
}
