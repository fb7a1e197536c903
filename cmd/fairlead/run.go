package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/framework/host"
)

func runCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "run [DIR]",
		Short: "Build the functions of a folder and serve them",
		Long: `Build the functions of a folder (default: this one) and serve them until Ctrl-C. The folder is a Go
package with func New() *host.Host, or a program of its own. What its configuration (fairlead.yaml)
asks for and nothing provides is started, too: a connection with "url: embedded" gets a broker in
memory. Examples in the configuration are sent once, and their answers shown.`,
		Example: `  fairlead run
  fairlead run ./functions/orders -f orders.yaml`,
		Args: between(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			return o.run(c.Context(), dir)
		},
	}
}

func (o *options) run(ctx context.Context, dir string) error {
	a, err := findApp(ctx, dir)
	if err != nil {
		return err
	}
	program, err := a.build(ctx, os.Stderr)
	if err != nil {
		return err
	}
	file, args := o.childConfig(a)
	child, err := start(ctx, program, a.dir, nil, args...)
	if err != nil {
		return err
	}
	go o.welcome(ctx, child, file)
	return child.wait()
}

// childConfig returns the configuration file that the app reads, and the
// arguments that tell it so.
func (o *options) childConfig(a *app) (file string, args []string) {
	if o.config == "" {
		return filepath.Join(a.dir, "fairlead.yaml"), nil
	}
	file, err := filepath.Abs(o.config)
	if err != nil { // the working folder is gone: let the child say that there is no such file
		file = o.config
	}
	return file, []string{"-f", file}
}

// A child is the program that serves the functions.
type child struct {
	*exec.Cmd
	done chan struct{}
	err  error
}

// start runs program in dir, with env added to the environment. It gets a signal
// to drain when ctx ends.
func start(ctx context.Context, program, dir string, env []string, args ...string) (*child, error) {
	c := &child{Cmd: exec.Command(program, args...), done: make(chan struct{})}
	c.Dir = dir
	c.Env = append(os.Environ(), env...)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	// A group of its own: Ctrl-C reaches it through us, once.
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(c.SysProcAttr)
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("run %s: %w", program, err)
	}
	go func() {
		c.err = c.Wait()
		close(c.done)
	}()
	context.AfterFunc(ctx, func() { c.Process.Signal(syscall.SIGTERM) })
	return c, nil
}

// wait returns when the child has ended. A second signal to us is one to it.
func (c *child) wait() error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	for n := 1; ; n++ {
		select {
		case <-c.done:
			return c.err
		case <-signals:
			if n > 1 { // the first one has ended ctx
				c.Process.Signal(syscall.SIGTERM)
			}
		}
	}
}

// welcome waits until the host is ready and shows what it can do.
func (o *options) welcome(ctx context.Context, c *child, file string) {
	client, err := c.ready(ctx, file)
	if err != nil {
		return // it has ended, and said why
	}
	fmt.Fprintf(os.Stderr, "\nReady. The functions are served; Ctrl-C stops them. Management API: %s\n", client.URL)
	if err := showExamples(ctx, client, file); err != nil {
		fmt.Fprintln(os.Stderr, "example:", err)
	}
}

// errEnded is returned when the child has ended before it was ready.
var errEnded = errors.New("ended")

// ready waits until the child's host is ready.
func (c *child) ready(ctx context.Context, file string) (*admin.Client, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		f, ok := readServer(host.ServerFilePath(file))
		if ok && f.PID == c.Process.Pid {
			client := &admin.Client{URL: f.URL, Token: f.Token}
			if s, err := client.Status(ctx); err == nil && s.Ready {
				return client, nil
			}
		}
		select {
		case <-tick.C:
		case <-c.done:
			return nil, errEnded
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
