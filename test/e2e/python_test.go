package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/host"
	"github.com/fairlead/fairlead/functions/greeting"
	"github.com/fairlead/fairlead/test/services"
)

const pythonKey = "a-key-for-applications"

// A pythonRig serves the example functions by HTTP, with a real broker behind
// their binding, and runs the examples in Python against them.
type pythonRig struct {
	t      *testing.T
	python string
	url    string
	got    chan string // what came to CUSTOMER.1
}

func newPythonRig(t *testing.T) *pythonRig {
	t.Helper()
	r := &pythonRig{t: t, python: services.WebPython(t), got: make(chan string, 10)}
	broker := services.Artemis(t)
	queue := fmt.Sprintf("q.python.%d", time.Now().UnixNano())
	document := fmt.Sprintf(`version: 1
store: {url: %q}
http: {direct: true, security: [applications]}
security: {applications: {type: apikey, keys: [%s]}}
connections: {broker: {type: amqp, url: "amqp://%s", user: %s, password: %s}}
bindings: {customer.updates: {connection: broker, queue: %s}}
triggers: {customers: {connection: broker, queue: %s, function: customer.got}, shout: {http: "POST /shout/{name}", function: greeting, security: [applications]}}
`, services.Postgres(t), pythonKey, broker.AMQP, broker.User, broker.Password, queue, queue)
	file := filepath.Join(t.TempDir(), "fairlead.yaml")
	if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	h := host.New(framework.Functions{
		// As mq.sender, but to a queue of the test's own.
		"mq.sender": framework.Sink(func(ctx context.Context, s string) error {
			return framework.Send(ctx, "customer.updates", "", s)
		}),
		"customer.got": framework.Sink(func(_ context.Context, s string) error { r.got <- s; return nil }),
		"refused":      framework.Sink(func(context.Context, string) error { return framework.Terminal(fmt.Errorf("no such customer")) }),
		"add": framework.Func(func(_ context.Context, n []int) (map[string]int, error) {
			return map[string]int{"sum": n[0] + n[1]}, nil
		}),
	}, greeting.Functions)
	if err := h.Start(t.Context(), map[string]string{"FAIRLEAD_CONFIG": file}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(h.Handle))
	r.url = server.URL
	t.Cleanup(func() {
		server.Close()
		if err := h.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// command runs Python in the folder of the examples.
func (r *pythonRig) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, r.python, args...)
	cmd.Dir = filepath.Join("..", "..", "examples", "python")
	cmd.Env = append(os.Environ(), "FAIRLEAD_URL="+r.url, "FAIRLEAD_KEY="+pythonKey, "PYTHONDONTWRITEBYTECODE=1", "PYTHONIOENCODING=utf-8")
	return cmd
}

func (r *pythonRig) run(args ...string) string {
	r.t.Helper()
	out, err := r.command(r.t.Context(), args...).CombinedOutput()
	if err != nil {
		r.t.Errorf("python %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// serve runs a web application until the test ends and returns its address.
func (r *pythonRig) serve(args func(address string) []string) string {
	r.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := r.command(ctx, args(address)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	log, err := os.Create(filepath.Join(r.t.TempDir(), "log"))
	if err != nil {
		r.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		cancel()
		if err := cmd.Wait(); err == nil {
			r.t.Error("the application ended by itself")
		}
		log.Close()
		if text, err := os.ReadFile(log.Name()); err == nil && r.t.Failed() {
			r.t.Logf("%s", text)
		}
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return address
		}
		if time.Now().After(end) {
			r.t.Fatalf("nobody listens on %s after a minute", address)
		}
	}
}

func (r *pythonRig) post(url, body string) (int, string) {
	r.t.Helper()
	resp, err := http.Post(url, "text/plain", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(text))
}

// arrives waits for a message in the queue.
func (r *pythonRig) arrives(want string) {
	r.t.Helper()
	select {
	case got := <-r.got:
		if got != want {
			r.t.Errorf("got the message %q, want %q", got, want)
		}
	case <-time.After(time.Minute):
		r.t.Fatalf("the message %q did not come in a minute", want)
	}
}

func TestPythonClient(t *testing.T) {
	r := newPythonRig(t)
	const script = `
import json, os
from fairlead import Client, FairleadError
c = Client(os.environ["FAIRLEAD_URL"], os.environ["FAIRLEAD_KEY"])
assert c.invoke("mq.sender", "Grüße") is None
assert c.invoke("add", [1, 2]) == {"sum": 3}
assert c.invoke("greeting", b"World") == "Hello, World!", c.invoke("greeting", b"World")
assert c.request("POST", "/shout/x", "World").startswith("Hello, World")
assert c.publish("mq.sender", "later", id="ü 1") == "ü 1"
assert c.publish("mq.sender", "later", id="ü 1") == "ü 1"
assert len(c.publish("customer.got", "last")) == 36
def fails(status, retryable, call):
    try:
        call()
    except FairleadError as e:
        assert (e.status, e.retryable) == (status, retryable), (e.status, e)
        assert os.environ["FAIRLEAD_KEY"] not in str(e) + repr(c), e
        return str(e)
    raise AssertionError(f"no error, expected {status}")
assert "no such customer" in fails(422, False, lambda: c.invoke("refused", "x"))
fails(404, False, lambda: c.invoke("no/such function"))
fails(400, False, lambda: c.invoke("add", "x"))
fails(413, False, lambda: c.invoke("mq.sender", b"x" * (9 << 20)))
fails(401, False, lambda: Client(c.url, "wrong").invoke("add", [1, 2]))
fails(401, False, lambda: Client(c.url).invoke("add", [1, 2]))
fails(0, True, lambda: Client("http://127.0.0.1:1").invoke("add", [1, 2]))
print("done")
`
	if out := r.run("-c", script); out != "done" {
		t.Errorf("got %s", out)
	}
	got := map[string]int{}
	for range 3 {
		select {
		case m := <-r.got:
			got[m]++
		case <-time.After(time.Minute):
			t.Fatalf("got %v in a minute, want three messages", got)
		}
	}
	if got["Grüße"] != 1 || got["later"] != 1 || got["last"] != 1 {
		t.Errorf("got %v, want each of three messages once", got)
	}
}

func TestPythonExamples(t *testing.T) {
	r := newPythonRig(t)
	t.Run("requests", func(t *testing.T) {
		if out := r.run("with_requests.py", "greeting", "World"); out != "Hello, World!" {
			t.Errorf("got %q", out)
		}
	})
	t.Run("CloudEvents SDK", func(t *testing.T) {
		want := "fairlead.reply Hello, World!\nfairlead.reply Hello, World!"
		if out := r.run("with_cloudevents.py", "greeting", "World"); out != want {
			t.Errorf("got %q, want %q", out, want)
		}
	})
	t.Run("Flask", func(t *testing.T) {
		address := r.serve(func(address string) []string {
			_, port, _ := strings.Cut(address, ":")
			return []string{"-m", "flask", "--app", "flask_app", "run", "--port", port}
		})
		if status, text := r.post("http://"+address+"/messages", "from Flask"); status != http.StatusNoContent {
			t.Errorf("got %d %s", status, text)
		}
		r.arrives("from Flask")
		for range 2 {
			if status, text := r.post("http://"+address+"/later?id=f1", "stored by Flask"); status != http.StatusOK || text != `{"id":"f1"}` {
				t.Errorf("got %d %s", status, text)
			}
		}
		r.arrives("stored by Flask")
	})
	t.Run("Django", func(t *testing.T) {
		address := r.serve(func(address string) []string { return []string{"django_app.py", "runserver", "--noreload", address} })
		if status, text := r.post("http://"+address+"/messages", "from Django"); status != http.StatusNoContent {
			t.Errorf("got %d %s", status, text)
		}
		r.arrives("from Django")
	})
}

// TestPythonConfigurationFits checks that the functions that the examples name
// are those of the example application.
func TestPythonConfigurationFits(t *testing.T) {
	t.Setenv("FAIRLEAD_KEY", "x")
	if _, err := fairlead.New().Load(filepath.Join("..", "..", "examples", "python", "fairlead.yaml")); err != nil {
		t.Error(err)
	}
}
