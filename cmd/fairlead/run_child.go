package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/framework/host"
)

// A child is the program that serves the functions.
type child struct {
	cmd   *exec.Cmd
	up    chan struct{} // closed once its management API is served
	ready chan struct{} // closed once everything is
	left  chan struct{} // closed once it accepts no more connections
	done  chan struct{} // closed when it has ended
	err   error         // of its end; valid when done is closed

	heir     *host.Heir
	stopOnce sync.Once
}

// launch describes a program to start.
type launch struct {
	program string
	dir     string
	env     []string // added to the environment
	args    []string
	voice   *voice
	inherit host.Inheritance
}

// start starts the program.
func (l launch) start() (*child, error) {
	c := &child{cmd: exec.Command(l.program, l.args...), up: make(chan struct{}), ready: make(chan struct{}), left: make(chan struct{}), done: make(chan struct{})}
	c.cmd.Dir = l.dir
	c.cmd.Env = append(os.Environ(), l.env...)
	c.cmd.Stdout = os.Stdout
	logs, err := c.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	// A group of its own: Ctrl-C reaches it through us, once.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(c.cmd.SysProcAttr)
	if c.heir, err = l.inherit.Start(c.cmd); err != nil {
		return nil, fmt.Errorf("run %s: %w", l.program, err)
	}
	var reading sync.WaitGroup
	reading.Go(func() { l.voice.relay(logs) })
	reading.Go(func() {
		defer c.heir.Report.Close()
		c.follow(bufio.NewScanner(c.heir.Report))
	})
	go func() {
		reading.Wait() // Wait closes the pipes
		c.err = c.cmd.Wait()
		c.heir.Leave.Close() // closed already if it was replaced
		close(c.done)
	}()
	return c, nil
}

// follow reads what the program reports.
func (c *child) follow(report *bufio.Scanner) {
	for report.Scan() {
		switch report.Text() {
		case host.ReportUp:
			close(c.up)
		case host.ReportReady:
			close(c.ready)
		case host.ReportLeft:
			close(c.left)
		}
	}
}

// errEnded is returned when the child has ended before it was ready.
var errEnded = errors.New("ended")

// errInterrupted is returned when there is something to do before the child is
// ready.
var errInterrupted = errors.New("interrupted")

// await waits until the program is ready. patience is how long it may take from
// when it is up: what is missing then, such as a broker that is down or a
// subscription that the program before holds, is nothing to wait for. 0: as long
// as it takes. A value of interrupt ends the waiting.
func (c *child) await(ctx context.Context, patience time.Duration, interrupt chan struct{}) error {
	var enough <-chan time.Time
	up := c.up
	for {
		select {
		case <-c.ready:
			return nil
		case <-up:
			up = nil
			if patience > 0 {
				enough = time.After(patience)
			}
		case <-enough:
			return nil
		case <-c.done:
			return errEnded
		case <-interrupt:
			select {
			case interrupt <- struct{}{}: // for whoever handles it
			default: // there is another one by now
			}
			return errInterrupted
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// leave makes way for another program that is ready: this one accepts nothing
// more when leave returns, and drains and ends in its own time.
func (c *child) leave() {
	c.stopOnce.Do(func() { c.heir.Leave.Close() }) // it is there to be closed
	select {
	case <-c.left:
	case <-c.done:
	case <-time.After(leavePatience): // a program of its own kind
		c.signal()
	}
}

// leavePatience is how long a program may take to accept nothing more.
const leavePatience = 5 * time.Second

// stop asks the program to drain and end.
func (c *child) stop() {
	c.stopOnce.Do(c.signal)
}

// signal asks again: the program ends at once.
func (c *child) signal() {
	c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
}

func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}
