package services

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	startLimit = 2 * time.Minute // generous: a CI machine may be starved
	stopLimit  = 15 * time.Second
	pollEvery  = 50 * time.Millisecond
)

// process is a service that runs, remembered in the file pid of its folder so
// that a later command can stop it. The pid alone would not do: it may belong
// to somebody else by then.
type process struct {
	dir     string
	pid     int
	birth   string
	logFrom int64 // where its part of the log begins: a restart appends
}

// launch starts cmd in dir with its output in the file log there. The process
// leads a group of its own: a Control-C is not for it, and what it starts ends
// with it.
func launch(cmd *exec.Cmd, dir string) (process, error) {
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return process{}, err
	}
	defer log.Close()
	before, err := log.Stat()
	if err != nil {
		return process{}, err
	}
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid = true
	if err := cmd.Start(); err != nil {
		return process{}, err
	}
	p := process{dir: dir, pid: cmd.Process.Pid, birth: birth(cmd.Process.Pid), logFrom: before.Size()}
	return p, os.WriteFile(filepath.Join(dir, "pid"), fmt.Appendln(nil, p.pid, p.birth), 0o644)
}

// remembered returns the process whose pid file is in dir; ok is false if there
// is none or it has ended.
func remembered(dir string) (p process, ok bool, err error) {
	text, err := os.ReadFile(filepath.Join(dir, "pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return process{}, false, nil
	}
	if err != nil {
		return process{}, false, err
	}
	fields := strings.Fields(string(text))
	if len(fields) == 0 {
		return process{}, false, nil // we were stopped while we wrote it
	}
	p = process{dir: dir, birth: strings.Join(fields[1:], " ")}
	if p.pid, err = strconv.Atoi(fields[0]); err != nil {
		return process{}, false, fmt.Errorf("read %s/pid: %w", dir, err)
	}
	return p, p.alive(), nil
}

func (p process) alive() bool {
	if reaped, _ := syscall.Wait4(p.pid, nil, syscall.WNOHANG, nil); reaped == p.pid {
		return false // it was our child; otherwise that call says so and does nothing
	}
	return syscall.Kill(p.pid, 0) == nil && birth(p.pid) == p.birth
}

// await waits until all ports are open and the log says ready, and fails if the
// process ends first.
func (p process) await(ctx context.Context, ports map[string]int, ready string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for name, port := range ports {
		if err := p.poll(ctx, func() bool { return open(port) }); err != nil {
			return fmt.Errorf("wait for port %d (%s): %w; end of the log:\n%s", port, name, err, p.tail())
		}
	}
	if err := p.poll(ctx, func() bool { return p.said(ready) }); err != nil {
		return fmt.Errorf("wait for %q in the log: %w; its end:\n%s", ready, err, p.tail())
	}
	return nil
}

func (p process) poll(ctx context.Context, reached func() bool) error {
	for !reached() {
		if !p.alive() {
			return errors.New("the process ended")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollEvery):
		}
	}
	return nil
}

func open(port int) bool {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// stop asks the process to end, and makes it if it takes too long.
func (p process) stop(signal syscall.Signal) error {
	if p.alive() {
		if err := syscall.Kill(p.pid, signal); err != nil {
			return fmt.Errorf("stop process %d: %w", p.pid, err)
		}
		p.ended(stopLimit)
	}
	return p.kill()
}

// kill ends the process and what it started, at once. It leaves alone a
// stranger that was given the pid since.
func (p process) kill() error {
	if now := birth(p.pid); now != "" && now != p.birth {
		return p.forget()
	}
	if err := syscall.Kill(-p.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill process group %d: %w", p.pid, err)
	}
	if !p.ended(stopLimit) {
		return fmt.Errorf("process %d does not end", p.pid)
	}
	return p.forget()
}

func (p process) forget() error {
	err := os.Remove(filepath.Join(p.dir, "pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // killed twice
	}
	return err
}

// ended waits until the process is gone, for at most limit.
func (p process) ended(limit time.Duration) bool {
	for end := time.Now().Add(limit); p.alive(); time.Sleep(pollEvery) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// said reports whether text is in the log since the start.
func (p process) said(text string) bool {
	log, err := os.ReadFile(filepath.Join(p.dir, "log"))
	return err == nil && int64(len(log)) >= p.logFrom && bytes.Contains(log[p.logFrom:], []byte(text))
}

// tail returns the end of the log.
func (p process) tail() string {
	log, err := os.ReadFile(filepath.Join(p.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return lastLines(log)
}

func lastLines(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-30):], "\n")
}
