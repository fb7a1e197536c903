//go:build mq && cgo

package mq

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/host"
	"github.com/fairlead/fairlead/test/mqdouble"
	"github.com/fairlead/fairlead/test/mqdouble/engine"
)

// isProgram makes the test binary the program under test.
const isProgram = "FAIRLEAD_TEST_MQ_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(isProgram) != "" {
		host.Main(functions)
	}
	os.Exit(m.Run())
}

// functions tell that they were called through the binding calls, which is in no
// unit of work; what they send through out is in that of their message.
var functions = framework.Functions{
	"forward": framework.Sink(func(ctx context.Context, body string) error {
		if err := called(ctx); err != nil {
			return err
		}
		if err := framework.Send(ctx, "out", "", body); err != nil {
			return err
		}
		if strings.HasPrefix(body, "poison") {
			return errors.New("poison")
		}
		return nil
	}),
	"hangs": framework.Sink(func(ctx context.Context, body string) error {
		if err := framework.Send(ctx, "out", "", body); err != nil {
			return err
		}
		if err := called(ctx); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}),
	"fails": framework.Sink(func(ctx context.Context, _ string) error {
		return errors.Join(errors.New("poison"), called(ctx))
	}),
	"sends-and-fails": framework.Sink(func(ctx context.Context, body string) error {
		if err := framework.Send(ctx, "out", "", body); err != nil {
			return err
		}
		return errors.Join(errors.New("poison"), called(ctx))
	}),
	"sends-and-refuses": framework.Sink(func(ctx context.Context, body string) error {
		if err := framework.Send(ctx, "out", "", body); err != nil {
			return err
		}
		return framework.Terminal(errors.Join(errors.New("poison"), called(ctx)))
	}),
	"refuses": framework.Sink(func(ctx context.Context, _ string) error {
		return framework.Terminal(errors.Join(errors.New("poison"), called(ctx)))
	}),
	"fails-once": framework.Sink(func(ctx context.Context, body string) error {
		if err := errors.Join(called(ctx), framework.Send(ctx, "out", "", body)); err != nil {
			return err
		}
		if o := framework.Source(ctx); o.Attempt == 1 && o.Deliveries == 0 {
			return errors.New("not yet")
		}
		return nil
	}),
	"answer": framework.Func(func(_ context.Context, name string) (string, error) { return "Hello " + name, nil }),
}

func called(ctx context.Context) error {
	return framework.Send(ctx, "calls", "", fmt.Sprintf("delivered %d times before", framework.Source(ctx).Deliveries))
}

// Queues of each test's queue manager.
const (
	in          = "IN"
	out         = "OUT"
	calls       = "CALLS"
	backout     = "IN.BACKOUT"
	deadLetters = "SYSTEM.DEAD.LETTER.QUEUE"
)

// start runs a queue manager on which every queue exists.
func start(t *testing.T) *mqdouble.Double {
	return mqdouble.Start(t, engine.Config{
		DeadLetterQueue: deadLetters, Users: map[string]string{"app": "apppw"}, Define: &engine.Attributes{},
	})
}

// A program is one that serves function on queue IN. More says what the trigger
// has besides.
type program struct {
	t    *testing.T
	file string
	cmd  *exec.Cmd
	log  strings.Builder
}

func newProgram(t *testing.T, d *mqdouble.Double, function, more string) *program {
	t.Helper()
	p := &program{t: t, file: filepath.Join(t.TempDir(), "fairlead.yaml")}
	document := fmt.Sprintf(`
version: 1
store: none
admin: {listen: "off"}
connections:
  mq: {type: mq, address: %s, queueManager: QM1, channel: DEV.APP.SVRCONN, user: app, password: apppw, jms: true}
triggers:
  in: {connection: mq, queue: IN, function: %s%s}
bindings:
  out: {connection: mq, queue: OUT, atomic: true}
  calls: {connection: mq, queue: CALLS}
  problems: {connection: mq, queue: PROBLEMS}
`, d.Address, function, more)
	if err := os.WriteFile(p.file, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the program said:\n%s", p.log.String())
		}
	})
	return p
}

func (p *program) start() {
	p.t.Helper()
	p.cmd = exec.Command(os.Args[0], "-f", p.file)
	p.cmd.Env = append(os.Environ(), isProgram+"=1", "LISTEN_ADDRESS=127.0.0.1:0")
	p.cmd.Stderr = &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// kill ends the program without giving it a chance.
func (p *program) kill() {
	if p.cmd == nil {
		return
	}
	p.cmd.Process.Kill()
	p.cmd.Wait() // it says that it was killed
	p.cmd = nil
}

// stop asks the program to drain.
func (p *program) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the program ended with %v after SIGTERM, want exit code 0", err)
	}
	p.cmd = nil
}

// limit is how long what must happen may take.
const limit = 40 * time.Second

// await waits until what is true.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("after %v it is not so that %s", limit, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// awaitMessages waits until exactly n committed messages are on a queue.
func awaitMessages(t *testing.T, d *mqdouble.Double, queue string, n int) []engine.Message {
	t.Helper()
	await(t, fmt.Sprintf("%d messages are on queue %s", n, queue), func() bool { return len(d.Messages(queue)) >= n })
	return wantMessages(t, d, queue, n)
}

func wantMessages(t *testing.T, d *mqdouble.Double, queue string, n int) []engine.Message {
	t.Helper()
	found := d.Messages(queue)
	if len(found) != n {
		t.Errorf("%d messages are on queue %s, want %d", len(found), queue, n)
	}
	return found
}
