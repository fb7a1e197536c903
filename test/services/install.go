package services

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// A step brings one thing that a service needs onto the machine, if it is not
// there yet.
type step struct {
	name string
	have func() bool
	do   func(context.Context) error
}

// install takes the steps for what the machine lacks: Debian's packages first,
// since the others use what they bring, then the rest side by side.
func install(ctx context.Context, p place, want selection, log *progress) error {
	if err := take(ctx, packages(want), log); err != nil {
		return err
	}
	var steps []step
	if want.jvm() {
		steps = append(steps, jvmBrokers(p))
	}
	if want["toxiproxy"] {
		steps = append(steps, toxiproxyProgram(p))
	}
	if want["python"] {
		steps = append(steps, pythonClients(p), pythonWeb(p), pythonAPI(p))
	}
	if want["node"] {
		steps = append(steps, nodeClients(p))
	}
	if want["browser"] {
		steps = append(steps, axe(p))
	}
	return sideBySide(steps, func(s step) error { return take(ctx, s, log) })
}

func take(ctx context.Context, s step, log *progress) error {
	if s.have() {
		return nil
	}
	log.say("install %s", s.name)
	began := time.Now()
	if err := s.do(ctx); err != nil {
		return fmt.Errorf("install %s: %w", s.name, err)
	}
	if !s.have() {
		return fmt.Errorf("install %s: it is not there although no step failed", s.name)
	}
	log.say("installed %s in %.1f s", s.name, time.Since(began).Seconds())
	return nil
}

// downloadTries is how often a command that downloads is run before it counts as failed.
const downloadTries = 3

// download runs a command that needs the network.
func download(ctx context.Context, env []string, name string, args ...string) error {
	var err error
	for range downloadTries {
		if err = execute(ctx, env, name, args...); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// execute runs a program without standard input, with env added to the
// environment; its output becomes part of the error.
func execute(ctx context.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(cmd.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, lastLines(out))
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
