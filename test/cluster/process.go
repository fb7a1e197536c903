package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// A process is a program that runs until it is stopped.
type process struct {
	name string
	cmd  *exec.Cmd
	said *tail
	done chan struct{}
}

// start starts a program with an environment of its own.
func start(program string, env []string, args ...string) (*process, error) {
	p := &process{name: filepath.Base(program), cmd: exec.Command(program, args...), said: new(tail), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		if err := p.cmd.Wait(); err != nil {
			fmt.Fprintf(p.said, "\n%s ended: %v\n", p.name, err)
		}
	}()
	return p, nil
}

// await calls ready until it returns no error, the program ends or the patience
// does.
func (p *process) await(ready func() error) error {
	for limit := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended:\n%s", p.name, p.said)
		default:
		}
		if time.Now().After(limit) {
			return fmt.Errorf("%s is not ready within %v: %w\n%s", p.name, patience, err, p.said)
		}
	}
}

// patience is how long anything may take on a slow machine.
const patience = 2 * time.Minute

// stop ends the program; nothing that it holds is needed any more.
func (p *process) stop() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.done
	return nil
}

// A tail keeps the end of what a program says.
type tail struct {
	mu   sync.Mutex
	text bytes.Buffer
}

const kept = 1 << 16

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text.Write(p)
	if over := t.text.Len() - kept; over > 0 {
		t.text.Next(over)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

var _ io.Writer = (*tail)(nil)

// freePorts returns ports that nobody listened at a moment ago.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // all at the end, so that none comes twice
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
