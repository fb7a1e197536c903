package host

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/triggers"
)

func nothing(context.Context, []byte) error { return nil }

func upper(_ context.Context, in string) (string, error) { return strings.ToUpper(in), nil }

// write makes a file in a new folder and returns its path.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const oneTrigger = `
version: 1
connections: {c: {type: memory}}
triggers: {t: {connection: c, queue: in, function: f}}
`

func TestStartReadsTheConfiguration(t *testing.T) {
	file := write(t, "fairlead.yaml", oneTrigger)
	for name, prepare := range map[string]func(t *testing.T) map[string]string{
		"named by the function's file": func(*testing.T) map[string]string { return map[string]string{"FAIRLEAD_CONFIG": file} },
		"named by the environment":     func(t *testing.T) map[string]string { t.Setenv("FAIRLEAD_CONFIG", file); return nil },
		"the function's file wins": func(t *testing.T) map[string]string {
			t.Setenv("FAIRLEAD_CONFIG", "/nowhere")
			return map[string]string{"FAIRLEAD_CONFIG": file}
		},
		"in the working folder": func(t *testing.T) map[string]string { t.Chdir(filepath.Dir(file)); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			env := prepare(t)
			h := newHost(framework.Functions{"f": framework.Sink(nothing)})
			if err := h.Start(t.Context(), env); err != nil {
				t.Fatal(err)
			}
			if s := h.Status(); len(s.Triggers) != 1 {
				t.Errorf("got %d triggers, want the one of the file", len(s.Triggers))
			}
			if err := h.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStartWithoutAFile(t *testing.T) {
	t.Chdir(t.TempDir())
	h := newHost(framework.Functions{"f": framework.Func(upper)})
	if err := h.Start(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	defer h.Stop(t.Context())
	w := httptest.NewRecorder()
	h.Handle(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("x")))
	if w.Code != 200 || w.Body.String() != "X" {
		t.Errorf("got %d %s, want the only function's answer", w.Code, w.Body)
	}
}

func TestDirectHTTPCanBeOff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, framework.Functions{"f": framework.Func(upper)})
		for document, want := range map[string]int{"{version: 1, http: {direct: false}}": 404, "{version: 1, http: {direct: true}}": 200, "version: 1": 200} {
			r.apply(document)
			for _, path := range []string{"/", "/functions/f"} {
				w := httptest.NewRecorder()
				r.Handle(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader("x")))
				if w.Code != want {
					t.Errorf("%s: POST %s: got %d, want %d", document, path, w.Code, want)
				}
			}
		}
	})
}

func TestStartReferencesFromTheFunctionsFile(t *testing.T) {
	file := write(t, "fairlead.yaml", strings.ReplaceAll(oneTrigger, "queue: in", `queue: "${env:QUEUE}"`))
	h := newHost(framework.Functions{"f": framework.Sink(nothing)})
	if err := h.Start(t.Context(), map[string]string{"FAIRLEAD_CONFIG": file, "QUEUE": "orders"}); err != nil {
		t.Fatal(err)
	}
	defer h.Stop(t.Context())
	if got := h.triggers()["t"].destination(); got != "orders" {
		t.Errorf("got queue %q, want orders", got)
	}
}

func TestStartRefuses(t *testing.T) {
	one := framework.Functions{"f": framework.Sink(nothing)}
	for name, tt := range map[string]struct {
		functions []framework.Functions
		document  string
		says      string
	}{
		"two functions of one name": {[]framework.Functions{one, one}, "version: 1", `two functions are named "f"`},
		"a nil function":            {[]framework.Functions{{"f": nil}}, "version: 1", `function "f" is nil`},
		"a missing file":            {[]framework.Functions{one}, "", "no such file"},
		"a function that is not there": {[]framework.Functions{one}, strings.ReplaceAll(oneTrigger, "function: f", "function: ff"),
			`found "ff", expected a function that exists: "f"`},
		"an embedded broker": {[]framework.Functions{one}, "version: 1\nconnections: {c: {type: stomp, url: embedded}}", "connections.c: an embedded broker is for \"fairlead run\""},
	} {
		t.Run(name, func(t *testing.T) {
			file := "/nowhere/fairlead.yaml"
			if tt.document != "" {
				file = write(t, "fairlead.yaml", tt.document)
			}
			h := newHost(tt.functions...)
			err := h.Start(t.Context(), map[string]string{"FAIRLEAD_CONFIG": file})
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want an error that says %q", err, tt.says)
			}
			if err := h.Stop(t.Context()); err != nil {
				t.Errorf("Stop after that: %v", err)
			}
		})
	}
}

func TestReady(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, framework.Functions{"f": framework.Sink(nothing)})
		check := func(want bool, says string) {
			t.Helper()
			ok, err := r.Ready(t.Context())
			if ok != want || (err == nil) != want || !want && !strings.Contains(err.Error(), says) {
				t.Errorf("got %t, %v; want %t and %q", ok, err, want, says)
			}
		}
		check(false, "configuration")
		r.cut("c", true)
		r.apply(oneTrigger)
		check(false, "trigger t: connecting")
		r.cut("c", false)
		pass(time.Second)
		check(true, "")
		r.cut("c", true)
		r.broker.Break()
		pass(time.Second)
		check(true, "") // an outage later on is no reason to take us out of service
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		check(false, "stopping")
		if ok, err := r.Alive(t.Context()); !ok || err != nil {
			t.Errorf("Alive: got %t, %v", ok, err)
		}
	})
}

func TestReadyLosesPatience(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, framework.Functions{"f": framework.Sink(nothing)})
		r.cut("c", true)
		r.apply(oneTrigger)
		pass(patience - time.Second)
		if ok, _ := r.Ready(t.Context()); ok {
			t.Error("ready before it lost patience")
		}
		pass(2 * time.Second)
		if ok, err := r.Ready(t.Context()); !ok {
			t.Errorf("not ready after 30 s of trying: %v", err)
		}
		if s := r.Status().Triggers["t"]; s.State != triggers.Connecting || !errors.Is(s.Err, errDown) {
			t.Errorf("got %+v, want connecting and why", s)
		}
	})
}

func TestStopDrains(t *testing.T) {
	bubble(t, func(t *testing.T) {
		done := 0
		r := newRig(t, framework.Functions{"f": framework.Sink(func(ctx context.Context, _ []byte) error {
			time.Sleep(10 * time.Second)
			done++
			return ctx.Err()
		})})
		r.apply("grace: 20s" + oneTrigger)
		for range 5 {
			r.put("in", "x")
		}
		pass(time.Second)
		begin := time.Now()
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != 9*time.Second {
			t.Errorf("took %v, want the 9s that were left of the call", took)
		}
		if left := r.broker.Len("in"); done != 1 || left != 4 {
			t.Errorf("%d done and %d left, want 1 and 4", done, left)
		}
		if err := r.Stop(t.Context()); err != nil {
			t.Errorf("stopping twice: %v", err)
		}
		if err := r.Apply(t.Context(), r.parse(oneTrigger)); !errors.Is(err, errStopped) {
			t.Errorf("Apply after Stop: got %v, want errStopped", err)
		}
	})
}

func TestStopEndsWithTheGracePeriod(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, framework.Functions{"f": framework.Sink(func(ctx context.Context, _ []byte) error {
			<-ctx.Done()
			return ctx.Err()
		})})
		r.apply("grace: 5s" + oneTrigger)
		r.put("in", "x")
		pass(time.Second)
		begin := time.Now()
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("took %v, want 5s", took)
		}
		if left, dead := r.broker.Len("in"), r.broker.Len("in.DLQ"); left != 1 || dead != 0 {
			t.Errorf("%d left and %d dead, want the message back where it was", left, dead)
		}
	})
}

func TestStopWaitsForRequests(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, framework.Functions{"f": framework.Func(func(_ context.Context, s string) (string, error) {
			time.Sleep(3 * time.Second)
			return s, nil
		})})
		w := httptest.NewRecorder()
		r.Handle(w, httptest.NewRequest(http.MethodPost, "/", nil))
		if w.Code != http.StatusServiceUnavailable {
			t.Errorf("before the start: got %d, want 503", w.Code)
		}
		r.apply("version: 1")
		w = httptest.NewRecorder()
		go r.Handle(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("x")))
		pass(time.Second)
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if w.Code != 200 || w.Body.String() != "x" {
			t.Errorf("got %d %s, want the whole answer", w.Code, w.Body)
		}
		w = httptest.NewRecorder()
		r.Handle(w, httptest.NewRequest(http.MethodPost, "/", nil))
		if w.Code != http.StatusServiceUnavailable {
			t.Errorf("after the stop: got %d, want 503", w.Code)
		}
	})
}

func TestApplyChangesOnlyWhatChanged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, framework.Functions{"f": framework.Sink(nothing), "g": framework.Sink(nothing)})
		document := func(a, b string) string {
			return fmt.Sprintf(`
version: 1
connections: {a: {type: memory}, b: {type: memory}}
triggers:
  ta: {connection: a, queue: in, %s}
  tb: {connection: b, queue: in, %s}
`, a, b)
		}
		check := func(what string, a, b int) {
			t.Helper()
			if r.dialsOf("a") != a || r.dialsOf("b") != b {
				t.Errorf("%s: dialed a %d times and b %d times, want %d and %d", what, r.dialsOf("a"), r.dialsOf("b"), a, b)
			}
		}
		r.apply(document("function: f", "function: f"))
		check("at first", 1, 1)
		r.apply(document("function: f", "function: f"))
		check("the same", 1, 1)
		r.apply(document("function: f", "function: g"))
		check("another function", 1, 2)
		r.apply(document("function: f", "function: g, retry: {attempts: 2}"))
		check("another retry", 1, 3)
		before := r.triggers()["ta"]
		r.apply(`
version: 1
connections: {a: {type: memory}, b: {type: memory, limit: 7}}
triggers: {ta: {connection: a, queue: in, function: f}}
`)
		check("one trigger gone, and its connection proved", 1, 4)
		if now := r.triggers(); len(now) != 1 || now["ta"] != before {
			t.Errorf("got %v, want the same one trigger", now)
		}
		r.apply(`
version: 1
grace: 7s
connections: {a: {type: memory}}
functions: {f: {timeout: 3s}}
triggers: {ta: {connection: a, queue: in, function: f}}
`)
		check("another timeout of its function", 2, 4)
	})
}

func TestDeadLetters(t *testing.T) {
	fails := framework.Functions{"f": framework.Sink(func(context.Context, []byte) error { return framework.Terminal(errors.New("boom")) })}
	for name, tt := range map[string]struct{ trigger, rest, want string }{
		"default":                   {"", "", "in.DLQ"},
		"a binding's destination":   {"deadLetter: fixed", "bindings: {fixed: {connection: c, queue: graveyard}}", "graveyard"},
		"a binding and destination": {"deadLetter: any/graves", "bindings: {any: {connection: c}}", "graves"},
		"of the function":           {"", "functions: {f: {deadLetter: any/graves}}\nbindings: {any: {connection: c}}", "graves"},
		"of trigger and function":   {"deadLetter: any/graves", "functions: {f: {deadLetter: any/other}}\nbindings: {any: {connection: c}}", "graves"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, fails)
				r.apply(fmt.Sprintf(`
version: 1
connections: {c: {type: memory}}
triggers:
  t:
    connection: c
    queue: in
    function: f
    %s
%s
`, tt.trigger, tt.rest))
				r.broker.Put("in", connections.Message{Body: []byte("x"), Header: map[string]any{"own": "1"}})
				m := r.take(tt.want)
				if string(m.Body) != "x" || m.Header["own"] != "1" {
					t.Errorf("got %q with %v, want the message as it came", m.Body, m.Header)
				}
				for name, want := range map[string]any{
					"fairlead_error": "boom", "fairlead_attempts": int32(1), "fairlead_trigger": "t",
					"fairlead_function": "f", "fairlead_source": "/c/in",
				} {
					if m.Header[name] != want {
						t.Errorf("%s: got %v, want %v", name, m.Header[name], want)
					}
				}
				if s := r.Status().Triggers["t"]; s.Dead != 1 || s.Failed != 1 {
					t.Errorf("got %+v, want 1 failed and 1 dead", s)
				}
			})
		})
	}
}

// TestDeadLettersAfterApply changes the connection that dead letters go over,
// which leaves the trigger as it is.
func TestDeadLettersAfterApply(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, framework.Functions{"f": framework.Sink(func(context.Context, []byte) error { return framework.Terminal(errors.New("boom")) })})
		document := func(limit int) string {
			return fmt.Sprintf(`
version: 1
connections: {c: {type: memory}, d: {type: memory, limit: %d}}
triggers: {t: {connection: c, queue: in, function: f, deadLetter: graves}}
bindings: {graves: {connection: d, queue: graves}}
`, limit)
		}
		r.apply(document(100))
		r.put("in", "1")
		r.take("graves")
		r.apply(document(200))
		r.put("in", "2")
		if m := r.take("graves"); string(m.Body) != "2" {
			t.Errorf("got %q, want 2", m.Body)
		}
		if got := r.dialsOf("c"); got != 1 {
			t.Errorf("the trigger's connection was dialed %d times, want 1", got)
		}
	})
}

// TestMemoryConnectionIsShared uses the drivers as they are: on a connection of
// type memory, what a binding sends reaches the triggers.
func TestMemoryConnectionIsShared(t *testing.T) {
	bubble(t, func(t *testing.T) {
		got := make(chan string, 1)
		h := newHost(framework.Functions{"f": framework.Sink(func(_ context.Context, s string) error { got <- s; return nil })})
		cfg, err := config.Parse([]byte(oneTrigger+"bindings: {b: {connection: c}}\n"), "fairlead.yaml", h.loadOptions())
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Apply(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		defer h.Stop(context.Background())
		if err := h.Send(t.Context(), "b", "in", plainText(t, "x"), framework.SendOptions{}); err != nil {
			t.Fatal(err)
		}
		if s := <-got; s != "x" {
			t.Errorf("got %q, want x", s)
		}
	})
}

// An embeddable is settings that always want the development broker.
type embeddable struct{}

func (*embeddable) WantsEmbedded() bool { return true }

func TestOneEmbeddedBrokerForAll(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, nil)
		starts := 0
		d := r.drivers["memory"]
		d.Connection = func() any { return new(embeddable) }
		d.Open = func(string, any) (connections.Dial, error) { return nil, nil }
		d.Embed = func(context.Context) (string, error) { starts++; return "here", nil }
		r.drivers["dev"] = d
		r.embed = true
		const document = "{version: 1, store: none, connections: {a: {type: dev}, b: {type: dev}}}"
		r.apply(document)
		r.apply(document)
		if starts != 1 {
			t.Errorf("it was started %d times, want once: what it holds is in memory", starts)
		}
	})
}

func TestReplies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, framework.Functions{"f": framework.Func(upper)})
		r.apply(strings.ReplaceAll(oneTrigger, "function: f", "function: f, replyTo: answers"))
		r.put("in", "a")
		if m := r.take("answers"); string(m.Body) != "A" {
			t.Errorf("got %q, want A in the configured place", m.Body)
		}
		r.broker.Put("in", connections.Message{Body: []byte("b"), ReplyTo: "mine", CorrelationID: "7"})
		if m := r.take("mine"); string(m.Body) != "B" || m.CorrelationID != "7" {
			t.Errorf("got %q for %v, want B where the message says, with its correlation id", m.Body, m.CorrelationID)
		}
	})
}

func TestDownOutputPauses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		calls := 0
		r := newRig(t, framework.Functions{"f": framework.Sink(func(ctx context.Context, in string) error {
			calls++
			if err := framework.Send(ctx, "out", "", in); err != nil {
				return errors.New("it hides what went wrong")
			}
			return nil
		})})
		r.cut("d", true)
		r.apply(`
version: 1
connections: {c: {type: memory}, d: {type: memory}}
triggers: {t: {connection: c, queue: in, function: f, retry: {attempts: 1}}}
bindings: {out: {connection: d, queue: out}}
`)
		for i := range 3 {
			r.put("in", fmt.Sprint(i))
		}
		paused := false
		for range 60 { // running while it tries again
			pass(time.Second)
			paused = paused || r.Status().Triggers["t"].State == triggers.Paused
		}
		if s := r.Status().Triggers["t"]; !paused || s.Failed != 0 || s.Dead != 0 {
			t.Errorf("paused: %t, got %+v, want it paused, nothing failed, nothing dead", paused, s)
		}
		if r.broker.Len("in.DLQ") != 0 || r.broker.Len("in") != 3 {
			t.Errorf("%d dead and %d waiting, want 0 and 3", r.broker.Len("in.DLQ"), r.broker.Len("in"))
		}
		if calls > 60 {
			t.Errorf("%d calls within a minute: it does not back off", calls)
		}
		if c := r.Status().Connections["d"]; c.Connected || !errors.Is(c.Err, errDown) {
			t.Errorf("connection d: got %+v, want why it is down", c)
		}
		r.cut("d", false)
		got := map[string]bool{}
		for range 3 {
			got[string(r.take("out").Body)] = true
		}
		if diff := cmp.Diff(map[string]bool{"0": true, "1": true, "2": true}, got); diff != "" {
			t.Errorf("what was sent (-want +got):\n%s", diff)
		}
		if s := r.Status().Triggers["t"]; s.State != triggers.Running {
			t.Errorf("got %v, want running again", s.State)
		}
	})
}

func TestProbes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, framework.Functions{"f": framework.Sink(nothing)})
		r.cut("c", true)
		r.apply(oneTrigger)
		get := func(path string) (int, string) {
			w := httptest.NewRecorder()
			r.mux().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			return w.Code, strings.TrimSpace(w.Body.String())
		}
		if code, body := get("/health/readiness"); code != 503 || body != `{"missing":["trigger t: connecting"],"ok":false}` {
			t.Errorf("got %d %s, want 503 and what is missing", code, body)
		}
		if code, body := get("/health/liveness"); code != 200 {
			t.Errorf("got %d %s, want 200", code, body)
		}
		r.cut("c", false)
		pass(time.Second)
		if code, body := get("/health/readiness"); code != 200 || !strings.Contains(body, `"ok":true`) {
			t.Errorf("got %d %s, want 200", code, body)
		}
	})
}

// TestKnativeContract is the contract of Knative's func.
func TestKnativeContract(t *testing.T) {
	var h any = New()
	if _, ok := h.(interface {
		Handle(http.ResponseWriter, *http.Request)
		Start(context.Context, map[string]string) error
		Stop(context.Context) error
		Ready(context.Context) (bool, error)
		Alive(context.Context) (bool, error)
	}); !ok {
		t.Errorf("%T lacks a method that func calls", h)
	}
}

func TestBadFunctionNameSuggestsTheRightOne(t *testing.T) {
	h := newHost(framework.Functions{"order.received": framework.Sink(nothing), "other": framework.Sink(nothing)})
	_, err := config.Parse([]byte(strings.ReplaceAll(oneTrigger, "function: f", "function: orders.received")), "fairlead.yaml", h.loadOptions())
	if err == nil || !strings.Contains(err.Error(), `fairlead.yaml:4:`) || !strings.Contains(err.Error(), `"order.received", or another of: order.received, other`) {
		t.Errorf("got %v, want the line and the nearest name", err)
	}
}

// plainText is an event that is only text.
func plainText(t *testing.T, s string) event.Event {
	t.Helper()
	ev, err := framework.Data(s)
	if err != nil {
		t.Fatal(err)
	}
	return ev
}
