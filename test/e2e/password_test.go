package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/host"
	"github.com/fairlead/fairlead/test/services"
)

// TestPasswordUnderLoad sets the password of a connection that its file gives none,
// on one of two replicas, while numbered messages are sent: a wrong one, the right
// one, and a wrong one again.
func TestPasswordUnderLoad(t *testing.T) {
	t.Parallel()
	artemis := services.Artemis(t)
	for _, link := range []struct{ kind, url string }{{"stomp", "stomp://" + artemis.STOMP}, {"amqp", "amqp://" + artemis.AMQP}} {
		t.Run(link.kind, func(t *testing.T) {
			t.Parallel()
			queue := fmt.Sprintf("q.password.%s.%d", link.kind, time.Now().UnixNano())
			document := fmt.Sprintf(`version: 1
store: {url: %q}
connections:
  out: {type: %s, url: %q, user: %s, password: %s}
  in: {type: %s, url: %q, user: %s}
triggers: {t: {connection: in, queue: %s, function: count}}
bindings: {out: {connection: out, queue: %s}}
`, services.Postgres(t), link.kind, link.url, artemis.User, artemis.Password, link.kind, link.url, artemis.User, queue, queue)
			testPassword(t, document, artemis.Password)
		})
	}
}

func testPassword(t *testing.T, document, password string) {
	t.Helper()
	var mu sync.Mutex
	seen := make(map[string]int)
	start := func() admin.Backend {
		h := host.New(framework.Functions{"count": framework.Sink(func(_ context.Context, n string) error {
			mu.Lock()
			defer mu.Unlock()
			seen[n]++
			return nil
		})})
		file := filepath.Join(t.TempDir(), "fairlead.yaml")
		if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
			t.Fatal(err)
		}
		env := map[string]string{"FAIRLEAD_CONFIG": file, "FAIRLEAD_MASTER_KEY": "a master key of 32 bytes, or more"}
		if err := h.Start(t.Context(), env); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := h.Stop(context.Background()); err != nil {
				t.Errorf("Stop: %v", err)
			}
		})
		return h.Backend()
	}
	replicas := []admin.Backend{start(), start()}
	b, other := replicas[0], replicas[1]
	wait := func(what string, done func() bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("still not after a minute: %s", what)
			}
		}
	}
	everywhere := func(what, problem string) {
		t.Helper()
		for _, b := range replicas {
			wait(what, func() bool {
				o, err := b.Object(t.Context(), "connections", "in")
				return err == nil && o.Error == problem
			})
		}
	}
	everywhere("the connection is locked", "no password is set; set one with: fairlead password in")

	sending, stop := context.WithCancel(t.Context())
	defer stop()
	sent := make(chan int, 1)
	go func() {
		n := 0
		for ; sending.Err() == nil; n++ {
			text := fmt.Sprint(n)
			if _, err := other.Send(context.Background(), "out", admin.Message{ContentType: "text/plain", Text: &text}); err != nil {
				t.Error(err)
				break
			}
		}
		sent <- n
	}()
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(seen)
	}
	moves := func() {
		t.Helper()
		from := count()
		wait("messages are worked on", func() bool { return count() > from+20 })
	}
	refused := func() {
		t.Helper()
		err := b.SetPassword(t.Context(), "in", "not the password")
		if !errors.Is(err, admin.ErrRefused) || strings.Contains(err.Error(), "not the password") {
			t.Errorf("a wrong password: got error %v", err)
		}
	}
	refused()
	if err := b.SetPassword(t.Context(), "in", password); err != nil {
		t.Fatal(err)
	}
	everywhere("the connection is unlocked", "")
	moves()
	refused()
	moves()
	if err := b.SetPassword(t.Context(), "out", password); !errors.Is(err, admin.ErrConflict) {
		t.Errorf("a password that the file has: got error %v", err)
	}
	stop()
	n := <-sent
	wait("all messages were worked on", func() bool { return count() == n })
	mu.Lock()
	defer mu.Unlock()
	for text, times := range seen {
		if times != 1 {
			t.Errorf("message %s was worked on %d times", text, times)
		}
	}
	page, err := b.Audit(t.Context(), admin.AuditFilter{Kind: admin.SecretKind}, 0, 10)
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Name != "connections.in.password" {
		t.Errorf("got %+v, error %v", page, err)
	}
}
