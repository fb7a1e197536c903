package host

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
)

// A watchRig is a host that watches its configuration, with its log.
type watchRig struct {
	*rig
	dir  string
	file string
	log  *lines
}

// lines is a log that may be read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), s)
}

// startWatching writes a document to a file and starts a host with it.
func startWatching(t *testing.T, place func(dir string) (file string)) *watchRig {
	t.Helper()
	r := newRig(t, framework.Functions{"f": framework.Sink(nothing), "g": framework.Sink(nothing)})
	w := &watchRig{rig: r, dir: t.TempDir(), log: new(lines)}
	r.host.log = slog.New(slog.NewTextHandler(w.log, nil))
	w.file = place(w.dir)
	cfg, err := r.readFile(w.file, nil)
	if err != nil {
		t.Fatal(err)
	}
	apply := func(cfg *config.Config) error { return r.Apply(context.Background(), cfg) }
	if err := apply(cfg); err != nil {
		t.Fatal(err)
	}
	r.watch(apply)
	return w
}

// calling is a document whose trigger calls a function.
func calling(function string) string {
	return fmt.Sprintf("version: 1\nconnections: {c: {type: memory}}\ntriggers: {t: {connection: c, queue: in, function: %s}}\n", function)
}

func plainFile(t *testing.T, text string) func(dir string) string {
	return func(dir string) string {
		file := filepath.Join(dir, "fairlead.yaml")
		save(t, file, text)
		return file
	}
}

func save(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// await waits until the trigger calls a function.
func (w *watchRig) await(function string) {
	w.t.Helper()
	w.until("the trigger calls "+function, func() bool {
		t := w.triggers()["t"]
		return t != nil && t.desired.trigger.Function == function
	})
}

// patienceOfTests is long, as machines are busy.
const patienceOfTests = 30 * time.Second

func (w *watchRig) until(what string, done func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(patienceOfTests); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("it did not come to pass that %s; log: %s", what, w.log.text.String())
		}
	}
}

func TestWatchChanges(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, file string){
		"written in place": func(t *testing.T, file string) { save(t, file, calling("g")) },
		"renamed over it": func(t *testing.T, file string) {
			save(t, file+"~", calling("g"))
			if err := os.Rename(file+"~", file); err != nil {
				t.Fatal(err)
			}
		},
		"removed and made again": func(t *testing.T, file string) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			save(t, file, calling("g"))
		},
		"the same size and time": func(t *testing.T, file string) {
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			save(t, file, calling("g"))
			if err := os.Chtimes(file, time.Time{}, info.ModTime()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := startWatching(t, plainFile(t, calling("f")))
			change(t, w.file)
			w.await("g")
			w.until("the change is logged", func() bool { return w.log.count("configuration changed") == 1 })
			if g := w.Status().Progress.Generation; g != 2 {
				t.Errorf("got generation %d, want 2", g)
			}
		})
	}
}

// TestWatchConfigMap changes a file as Kubernetes changes one of a ConfigMap: it is a
// link into a folder that is a link, and the latter is replaced.
func TestWatchConfigMap(t *testing.T) {
	t.Parallel()
	version := func(dir, name, text string) {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		save(t, filepath.Join(dir, name, "fairlead.yaml"), text)
		if err := os.Symlink(name, filepath.Join(dir, "..data_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	w := startWatching(t, func(dir string) string {
		version(dir, "..1", calling("f"))
		file := filepath.Join(dir, "fairlead.yaml")
		if err := os.Symlink(filepath.Join("..data", "fairlead.yaml"), file); err != nil {
			t.Fatal(err)
		}
		return file
	})
	version(w.dir, "..2", calling("g"))
	if err := os.RemoveAll(filepath.Join(w.dir, "..1")); err != nil {
		t.Fatal(err)
	}
	w.await("g")
}

func TestWatchRefusesAndRecovers(t *testing.T) {
	t.Parallel()
	w := startWatching(t, plainFile(t, calling("f")))
	before := w.triggers()["t"]
	refused := func(text string) {
		t.Helper()
		w.until("the status says "+text, func() bool {
			return strings.Contains(w.Backend().Status().Config.Refused, text)
		})
		if w.triggers()["t"] != before {
			t.Error("a refused configuration replaced a trigger")
		}
	}
	save(t, w.file, calling("nobody"))
	refused("fairlead.yaml:3:")
	if got := w.Backend().Status().Triggers[0].Refused; !strings.HasPrefix(got, "new config refused: ") || !strings.Contains(got, "fairlead.yaml:3:") {
		t.Errorf("the status of the trigger says %q, want why its configuration was refused, and where", got)
	}
	save(t, w.file, "version: 1\ntriggers: {t: {conn")
	refused("fairlead.yaml:2:")
	if err := os.Remove(w.file); err != nil {
		t.Fatal(err)
	}
	refused("no such file")
	save(t, w.file, calling("f"))
	w.until("nothing is refused", func() bool { return w.Status().Progress.Refused == nil })
	if g := w.Status().Progress.Generation; g != 1 || w.triggers()["t"] != before {
		t.Errorf("got generation %d, want 1: what runs was never replaced", g)
	}
	if n := w.log.count("cannot be read"); n != 3 {
		t.Errorf("three problems were logged %d times, want each once", n)
	}
	save(t, w.file, calling("g"))
	w.await("g")
}

// TestWatchReferredFiles changes what a document refers to, and makes what it refers
// to in vain.
func TestWatchReferredFiles(t *testing.T) {
	t.Parallel()
	const referring = "version: 1\nconnections: {c: {type: memory}}\ntriggers: {t: {connection: c, queue: in, function: \"${file:%s}\"}}\n"
	w := startWatching(t, func(dir string) string {
		save(t, filepath.Join(dir, "secret"), "f\n")
		return plainFile(t, fmt.Sprintf(referring, "secret"))(dir)
	})
	save(t, filepath.Join(w.dir, "secret"), "g\n")
	w.await("g")
	save(t, w.file, fmt.Sprintf(referring, "later"))
	w.until("the file is missed", func() bool { return w.Status().Progress.Refused != nil })
	save(t, filepath.Join(w.dir, "later"), "f\n")
	w.await("f")
}

func TestWatchEndsWithTheHost(t *testing.T) {
	w := startWatching(t, plainFile(t, calling("f")))
	if err := w.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-w.watched:
	default:
		t.Error("the watch goes on after Stop")
	}
}

// TestStartWatches changes the file of a host that Knative's func started.
func TestStartWatches(t *testing.T) {
	h := newHost(framework.Functions{"f": framework.Sink(nothing), "g": framework.Sink(nothing)})
	file := plainFile(t, calling("f"))(t.TempDir())
	if err := h.Start(t.Context(), map[string]string{"FAIRLEAD_CONFIG": file}); err != nil {
		t.Fatal(err)
	}
	defer h.Stop(context.Background())
	save(t, file, calling("g"))
	for deadline := time.Now().Add(patienceOfTests); h.Status().Progress.Generation != 2; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the change did not come to pass: %+v", h.Status().Progress)
		}
	}
}

// TestWatchSignsInAgain changes a connection before its broker knows the new
// password.
func TestWatchSignsInAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := startWatching(t, plainFile(t, calling("f")))
		synctest.Wait()
		w.refuse("c", true)
		save(t, w.file, strings.ReplaceAll(calling("f"), "type: memory", "type: memory, limit: 7"))
		pass(3*time.Minute + time.Second)
		if p := w.Status().Progress; p.Generation != 1 || !proofFailed(p.Refused) {
			t.Errorf("got %+v, want generation 1 and a refused sign-in", p)
		}
		if n := w.log.count("refused: wrong password"); n != 1 {
			t.Errorf("it was logged %d times, want once", n)
		}
		if n := w.dialsOf("c"); n != 5 {
			t.Errorf("dialed %d times, want 5: for the trigger, at the change, and after each minute", n)
		}
		w.refuse("c", false)
		pass(time.Minute)
		if p := w.Status().Progress; p.Generation != 2 || p.Refused != nil {
			t.Errorf("got %+v, want generation 2", p)
		}
	})
}
