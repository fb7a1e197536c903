package knative

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections"
)

// source starts "fairlead source" with a trigger on a queue.
func source(t *testing.T, l *link, queue, sink string, env ...string) *process {
	t.Helper()
	return sourceWith(t, l, queue, sink, nil, env...)
}

// sourceWith is source with flags.
func sourceWith(t *testing.T, l *link, queue, sink string, flags []string, env ...string) *process {
	t.Helper()
	dir := t.TempDir()
	document := fmt.Sprintf(`
version: 1
admin: {listen: off}
connections: {c: %s}
bindings: {out: {connection: c}}
triggers: {in: {connection: c, queue: %s, concurrency: 8, reply: out/%s.answers, retry: {attempts: 3, first: 20ms}}}
`, l.yaml, queue, queue)
	if err := os.WriteFile(filepath.Join(dir, "fairlead.yaml"), []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	p := start(t, dir, append([]string{"K_SINK=" + sink, "LISTEN_ADDRESS=" + address, "FAIRLEAD_CONFIG="}, env...), fairlead(t), append([]string{"source"}, flags...)...)
	p.ready(t, address)
	return p
}

// A script is a sink that answers each event as its data says: with a status, or
// "STATUS N" with that the first N times and 204 then, or not at all: "hang up".
type script struct {
	mu    sync.Mutex
	calls map[string]int // by data
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, _ := io.ReadAll(r.Body) // half of it is no script
	s.mu.Lock()
	s.calls[string(data)]++
	n := s.calls[string(data)]
	s.mu.Unlock()
	var status, times int
	switch found, _ := fmt.Sscan(string(data), &status, &times); {
	case found == 0:
		panic(http.ErrAbortHandler)
	case found == 2 && n > times:
		status = http.StatusNoContent
	}
	w.Header().Set("Location", "/elsewhere")
	w.WriteHeader(status)
	if status >= 300 && status != http.StatusNotModified {
		fmt.Fprintf(w, "because of %d", status)
	}
}

func (s *script) seen() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

// Each class of answers has its number of requests and its dead letters.
func TestSourceClasses(t *testing.T) {
	const attempts = 3
	want := map[string]int{"200": 1, "201": 1, "202": 1, "204": 1, "503 2": 3, "404 1": 2, "hang up": attempts}
	dead := map[string]int{"hang up": 500}
	for _, status := range []int{404, 408, 409, 429, 500, 501, 502, 503, 504, 599} {
		want[fmt.Sprint(status)], dead[fmt.Sprint(status)] = attempts, status
	}
	for _, status := range []int{301, 302, 304, 307, 308, 400, 401, 403, 405, 406, 410, 413, 415, 422, 451} {
		want[fmt.Sprint(status)], dead[fmt.Sprint(status)] = 1, status
	}
	for name, broker := range brokers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, in := broker(t), queue()
			s := &script{calls: make(map[string]int)}
			server := httptest.NewServer(s)
			t.Cleanup(server.Close)
			source(t, l, in, server.URL)
			for data := range want {
				l.send(t, in, text(data))
			}
			letters := l.take(t, in+".DLQ", len(dead))
			eventually(t, "everything was posted", func() bool { return maps.Equal(s.seen(), want) || t.Failed() })
			if diff := cmp.Diff(want, s.seen()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			for _, m := range letters {
				checkLetter(t, m, server.URL, dead[string(m.Body)])
			}
		})
	}
}

// The OIDC token is that of the file, also when it is renewed there as Kubernetes
// does. What comes with one that is not good any more waits, and is no dead letter.
func TestSourceToken(t *testing.T) {
	for name, broker := range brokers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var valid atomic.Pointer[string]
			var refused atomic.Int64
			var mu sync.Mutex
			taken := make(map[string][]string) // tokens, by data
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				data, err := io.ReadAll(r.Body)
				token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
				if err != nil || token != *valid.Load() {
					refused.Add(1)
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				taken[string(data)] = append(taken[string(data)], token)
			}))
			t.Cleanup(server.Close)
			dir := t.TempDir()
			renew := func(version, token string) { // as a volume of Kubernetes does
				t.Helper()
				if err := errors.Join(
					os.Mkdir(filepath.Join(dir, version), 0o700), os.WriteFile(filepath.Join(dir, version, "token"), []byte(token), 0o600),
					os.Symlink(version, filepath.Join(dir, "..new")), os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")),
				); err != nil {
					t.Fatal(err)
				}
			}
			valid.Store(new("one"))
			renew("..1", "one")
			if err := os.Symlink("..data/token", filepath.Join(dir, "token")); err != nil {
				t.Fatal(err)
			}
			l, in := broker(t), queue()
			sourceWith(t, l, in, server.URL, []string{"--oidc-token", filepath.Join(dir, "token")})
			came := func(data, token string) {
				t.Helper()
				eventually(t, data+" was taken with token "+token, func() bool {
					mu.Lock()
					defer mu.Unlock()
					return slices.Equal(taken[data], []string{token})
				})
			}
			l.send(t, in, text("a"))
			came("a", "one")
			valid.Store(new("two"))
			l.send(t, in, text("b"))
			eventually(t, "the old token is refused more often than there are attempts", func() bool { return refused.Load() > 3 })
			renew("..2", "two")
			came("b", "two")
			l.send(t, in, text("c"))
			came("c", "two")
		})
	}
}

func checkLetter(t *testing.T, m connections.Message, sink string, code int) {
	t.Helper()
	attribute := func(name string) string { return fmt.Sprint(m.Header[connections.Prefix+"knativeerror"+name]) }
	if attribute("dest") != sink || attribute("code") != fmt.Sprint(code) {
		t.Errorf("dead letter %q: got dest %s, code %s; want %s, %d", m.Body, attribute("dest"), attribute("code"), sink, code)
	}
	want := fmt.Sprint("because of ", code)
	switch string(m.Body) {
	case "304": // has no body
		return
	case "hang up":
		want = "dispatch error: "
	}
	if data, err := base64.StdEncoding.DecodeString(attribute("data")); err != nil || !strings.HasPrefix(string(data), want) {
		t.Errorf("dead letter %q: got data %q, %v; want %q", m.Body, data, err, want)
	}
}

// A function of Knative's func-go is a sink: it gets valid events with the
// overrides, and its answers go where the messages say, or the trigger.
func TestSourceToFuncGo(t *testing.T) {
	for name, broker := range brokers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, in, address := broker(t), queue(), freeAddress(t)
			function := start(t, t.TempDir(), []string{"LISTEN_ADDRESS=" + address}, peer(t, "funcgo"))
			function.ready(t, address)
			source(t, l, in, "http://"+address, `K_CE_OVERRIDES={"extensions":{"xtenant":"t1"}}`)
			asks := text("answer")
			asks.ReplyTo = in + ".own"
			l.send(t, in, text("ok"), text("answer"), text("400"), text("503 1"), text("500"))
			if _, stomp := l.driver.Target().(interface{ WantsAtomic() bool }); !stomp && strings.HasPrefix(name, "AMQP") { // there a reply-to is an address
				l.send(t, in, asks)
				if m := l.take(t, in+".own", 1)[0]; string(m.Body) != "hello" || m.CorrelationID == nil {
					t.Errorf("reply-to: got %q, correlation id %v; want the answer", m.Body, m.CorrelationID)
				}
			}
			if m := l.take(t, in+".answers", 1)[0]; string(m.Body) != "hello" || m.Header[connections.Prefix+"type"] != "answer" {
				t.Errorf("reply: got %q, %v; want the answer", m.Body, m.Header)
			}
			var dead []string
			for _, m := range l.take(t, in+".DLQ", 2) {
				dead = append(dead, string(m.Body))
			}
			if slices.Sort(dead); !slices.Equal(dead, []string{"400", "500"}) {
				t.Errorf("got the dead letters %q, want 400 and 500", dead)
			}
			calls := map[string]int{} // how often how many
			perEvent := map[string]int{}
			for _, call := range function.lines("call") {
				id, rest, _ := strings.Cut(call, " ")
				perEvent[id]++
				calls[rest]++
			}
			if len(calls) != 1 || calls["fairlead.message t1"] == 0 {
				t.Errorf("got calls %v, want events of type fairlead.message with the override", calls)
			}
			counts := slices.Sorted(maps.Values(perEvent))
			if got := counts[len(counts)-2:]; !slices.Equal(got, []int{2, 3}) || counts[len(counts)-3] != 1 {
				t.Errorf("got %v calls for each event, want 2 for the one that failed once and 3 for the one that fails always", counts)
			}
		})
	}
}

// Nothing is lost when the source is killed, again and again, under load.
func TestSourceIsKilled(t *testing.T) {
	for _, name := range []string{"AMQP on Artemis", "STOMP on RabbitMQ"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const messages, kills = 1000, 3
			l, in := brokers[name](t), queue()
			var mu sync.Mutex
			seen := make(map[string]bool)
			count := func() int {
				mu.Lock()
				defer mu.Unlock()
				return len(seen)
			}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				data, err := io.ReadAll(r.Body)
				if err != nil { // the source died in the middle of it
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				mu.Lock()
				seen[string(data)] = true
				mu.Unlock()
				w.WriteHeader(http.StatusNoContent)
			}))
			t.Cleanup(server.Close)
			batch := make([]connections.Message, messages)
			for i := range batch {
				batch[i] = text(fmt.Sprint("message ", i))
			}
			l.send(t, in, batch...)
			for i := range kills {
				p := source(t, l, in, server.URL)
				eventually(t, "a part of the messages was posted", func() bool { return count() > messages*(i+1)/(kills+2) })
				p.kill()
			}
			p := source(t, l, in, server.URL)
			eventually(t, "every message was posted", func() bool { return count() == messages })
			eventually(t, "the source has drained", func() bool {
				if err := p.Process.Signal(os.Interrupt); err != nil {
					return true
				}
				select {
				case <-p.done:
					return true
				default:
					return false
				}
			})
			l.take(t, in, 0)
			l.take(t, in+".DLQ", 0)
		})
	}
}
