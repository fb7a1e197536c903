package embedded

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// A process is a postgres that this program runs.
type process struct {
	cmd   *exec.Cmd
	ended chan error // gets why it ended, once
	gone  chan struct{}
}

// mostLog is how long the log of Postgres may be when it is started.
const mostLog = 8 << 20

// startProcess starts postgres on the data of h.
func startProcess(p programs, h *home) (*process, error) {
	log, err := openLog(h.logFile())
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(p.path("postgres"), "-D", h.data(),
		"-c", "listen_addresses=127.0.0.1", "-c", "port="+strconv.Itoa(h.Port), "-c", "unix_socket_directories=",
		"-c", "max_connections=200", "-c", "max_wal_size=512MB")
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = h.dir, environment(p), log, log
	if cmd.SysProcAttr, err = notRoot(h.dir, h.data()); err != nil {
		log.Close()
		return nil, err
	}
	dieWithUs(cmd.SysProcAttr)
	proc := &process{cmd: cmd, ended: make(chan error, 1), gone: make(chan struct{})}
	started := make(chan error)
	go proc.run(log, started)
	return proc, <-started
}

// run starts the process and waits for its end, on one thread: the signal that
// ends the process with its parent is sent when the thread ends that made it.
func (p *process) run(log *os.File, started chan<- error) {
	defer close(p.gone)
	defer log.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	if err = p.cmd.Wait(); err == nil {
		err = errors.New("it ended")
	}
	p.ended <- err
}

// stop ends the process in good order: transactions are aborted, everything is
// on disk.
func (p *process) stop() {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		p.signal(sig)
		select {
		case <-p.gone:
			return
		case <-time.After(10 * time.Second):
		}
	}
}

func (p *process) kill() { p.signal(syscall.SIGKILL) }

func (p *process) signal(sig syscall.Signal) {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return // it has ended
	}
}

func openLog(name string) (*os.File, error) {
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if info, err := os.Stat(name); err == nil && info.Size() > mostLog {
		flags |= os.O_TRUNC
	}
	return os.OpenFile(name, flags, 0o600)
}
