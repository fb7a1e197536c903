package ledger

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestMain lets tests run this program again, as a process that is killed while
// calls run: those that the environment names, and it has ended others.
func TestMain(m *testing.M) {
	dir := os.Getenv("LEDGER_TEST_DIR")
	if dir == "" {
		os.Exit(m.Run())
	}
	l, err := Open(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for i := range 100 {
		l.Begin("t", "s", fmt.Sprint("ended", i)).End()
	}
	for _, id := range strings.Fields(os.Getenv("LEDGER_TEST_RUNNING")) {
		l.Begin("t", "s", id)
	}
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// die runs a process that is killed while calls for the ids run.
func die(t *testing.T, dir string, ids ...string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LEDGER_TEST_DIR="+dir, "LEDGER_TEST_RUNNING="+strings.Join(ids, " "))
	if out, err := cmd.CombinedOutput(); !strings.Contains(fmt.Sprint(err), "killed") {
		t.Fatalf("the process ended with %v: %s", err, out)
	}
}

func opened(t *testing.T, dir string) *Ledger {
	t.Helper()
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func kills(l *Ledger, id string) int {
	c := l.Begin("t", "s", id)
	defer c.End()
	return c.Kills
}

func TestCallsOutliveTheProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	die(t, dir, "innocent", "poison")
	die(t, dir, "poison") // alone
	l := opened(t, dir)
	if n := l.Suspects(); n != 2 {
		t.Errorf("got %d suspects, want 2", n)
	}
	for id, want := range map[string]int{"poison": 2, "innocent": 1, "ended1": 0, "other": 0} {
		if got := kills(l, id); got != want {
			t.Errorf("%s: got %d kills, want %d", id, got, want)
		}
	}
	if n := l.Suspects(); n != 0 {
		t.Errorf("got %d suspects after their calls ended, want 0", n)
	}
	if got := kills(l, "poison"); got != 0 {
		t.Errorf("got %d kills after a call that ended, want 0", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
		t.Errorf("left in the folder: %v", left)
	}
}

// Processes that live keep their calls; only those of a dead one are suspects.
func TestLivingProcessesShareTheFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := opened(t, dir)
	defer first.Close()
	running := first.Begin("t", "s", "running")
	defer running.End()
	die(t, dir, "killer")
	second := opened(t, dir)
	defer second.Close()
	if n := second.Suspects(); n != 1 {
		t.Errorf("got %d suspects, want 1", n)
	}
	if got := kills(second, "running"); got != 0 {
		t.Errorf("got %d kills for a call that runs elsewhere, want 0", got)
	}
}

func TestSuspectsRunAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	die(t, dir, "a", "b", "c")
	l := opened(t, dir)
	defer l.Close()
	var running, alone atomic.Int64
	var all sync.WaitGroup
	for i := range 200 {
		id := fmt.Sprint(i)
		if i%60 == 0 && i < 180 {
			id = string(rune('a' + i/60))
		}
		all.Go(func() {
			c := l.Begin("t", "s", id)
			defer c.End()
			n := running.Add(1)
			defer running.Add(-1)
			if c.Kills > 0 {
				alone.Add(1)
				<-time.After(time.Millisecond)
				if n != 1 || running.Load() != 1 {
					t.Errorf("a suspect runs beside %d others", n-1)
				}
			}
		})
	}
	all.Wait()
	if alone.Load() != 3 {
		t.Errorf("got %d suspects run, want 3", alone.Load())
	}
}

func TestMoreCallsThanSlots(t *testing.T) {
	t.Parallel()
	l := opened(t, t.TempDir())
	defer l.Close()
	var calls []*Call
	for i := range slots + 10 {
		calls = append(calls, l.Begin("t", "s", fmt.Sprint(i)))
	}
	for _, c := range calls {
		c.End()
	}
	if len(l.free) != slots {
		t.Errorf("got %d free slots, want %d", len(l.free), slots)
	}
	var none *Ledger
	none.Begin("t", "s", "1").End()
	none.BeginAlone("t", "s", "1").End()
}

// A file that is no ledger, or cut off, is left alone.
func TestStrangeFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"calls-1.ledger": "", "calls-2.ledger": "not a ledger"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := opened(t, dir)
	defer l.Close()
	if n := l.Suspects(); n != 0 {
		t.Errorf("got %d suspects, want 0", n)
	}
}

func BenchmarkCall(b *testing.B) {
	l, err := Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	for b.Loop() {
		l.Begin("orders-in", "/orders/in", "1234").End()
	}
}
