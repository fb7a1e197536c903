package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/framework/host"
	"github.com/fairlead/fairlead/test/services"
)

// patience is how long a test waits for what must come; machines are slow.
const patience = 60 * time.Second

// buildApp builds the program once.
var buildApp = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "fairlead-browser")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "app")
	out, err := exec.Command("go", "build", "-o", program, "./app").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the app: %w\n%s", err, out)
	}
	return program, nil
})

// A site is a host that runs, with something of everything in it.
type site struct {
	*admin.Client
	t      *testing.T
	broker services.Broker
	prefix string // of the names of queues
	config string // path of the document
}

// document is what the host runs from its file; the rest is in the store.
func (s *site) document(database string) string {
	return fmt.Sprintf(`version: 1
store: {url: %q}
admin: {listen: "127.0.0.1:0"}
security:
  partners: {type: apikey, header: X-Partner, keys: ["${env:PARTNER_KEY}"]}
connections:
  artemis: {type: amqp, url: "amqp://%s", user: %s, password: "%s", reconnect: {first: 1s, max: 5s}}
triggers:
  orders: {connection: artemis, queue: %[5]s.orders, function: order.received, concurrency: 4, retry: {attempts: 2, first: 50ms}}
  invoices: {topic: orders.accepted, function: invoice.create}
  prices: {http: "POST /prices/{id}", function: order.price, security: [partners], rate: {perSecond: 10}}
  archive: {schedule: "0 2 * * *", timeZone: Europe/Berlin, function: archive}
bindings:
  shipping: {connection: artemis, queue: %[5]s.shipping}
  anywhere: {connection: artemis}
functions:
  order.received: {timeout: 5s}
`, database, s.broker.AMQP, s.broker.User, s.broker.Password, s.prefix)
}

// newSite starts a host and gives it something to show.
func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, broker: services.Artemis(t), prefix: "shop" + strings.ToLower(fmt.Sprintf("%x", time.Now().UnixNano()))}
	database := services.Postgres(t)
	dir := t.TempDir()
	s.config = filepath.Join(dir, "fairlead.yaml")
	if err := os.WriteFile(s.config, []byte(s.document(database)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start(dir)
	s.fill()
	return s
}

func (s *site) start(dir string) {
	s.t.Helper()
	program, err := buildApp()
	if err != nil {
		s.t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(program, "-f", s.config)
	cmd.Env = append(os.Environ(), "LISTEN_ADDRESS=127.0.0.1:0", "PARTNER_KEY=letmein", "FAIRLEAD_MASTER_KEY="+masterKey)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		defer timer.Stop()
		cmd.Wait()
		log.Close()
		if s.t.Failed() {
			data, _ := os.ReadFile(log.Name())
			s.t.Logf("the end of the program's log:\n%s", data[max(0, len(data)-8<<10):])
		}
	})
	until(s.t, "the host is ready", func(ctx context.Context) error {
		data, err := os.ReadFile(host.ServerFilePath(s.config))
		if err != nil {
			return err
		}
		var f host.ServerFile
		if err := json.Unmarshal(data, &f); err != nil {
			return err
		}
		s.Client = &admin.Client{URL: f.URL, Token: f.Token}
		status, err := s.Status(ctx)
		if err == nil && !status.Ready {
			err = fmt.Errorf("not ready: %v", status.Missing)
		}
		return err
	})
}

// masterKey guards nothing but the secrets of a test.
const masterKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// until polls until check returns nil.
func until(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: it took longer than %v: %v", what, patience, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// fill makes orders, some of which fail, and events that nobody works on.
func (s *site) fill() {
	s.t.Helper()
	ctx := s.t.Context()
	for i := range 40 {
		total := 19.5 * float64(i+1)
		if i%8 == 0 {
			total = -total
		}
		s.send("anywhere", s.prefix+".orders", fmt.Sprintf(`{"id":"A-%d","total":%g}`, 1000+i, total))
	}
	s.send("anywhere", s.prefix+".returns", `{"id":"R-1"}`)
	s.send("anywhere", s.prefix+".returns", "plain text")
	after := admin.Duration(time.Hour)
	for i := range 30 {
		p := admin.Publication{After: after, Key: "customer-7"}
		p.ContentType = "application/json"
		p.SetBody(fmt.Appendf(nil, `{"id":"L-%d"}`, i))
		if _, err := s.Publish(ctx, "invoice.create", p); err != nil {
			s.t.Fatal(err)
		}
	}
	until(s.t, "five orders are dead", func(ctx context.Context) error {
		page, err := s.DeadLetters(ctx, admin.LetterFilter{}, 0, 50)
		if err == nil && page.Total != 5 {
			err = fmt.Errorf("there are %d dead letters", page.Total)
		}
		return err
	})
}

func (s *site) send(binding, queue, body string) {
	s.t.Helper()
	m := admin.Message{Destination: queue, ContentType: "application/json"}
	m.SetBody([]byte(body))
	if _, err := s.Send(s.t.Context(), binding, m); err != nil {
		s.t.Fatal(err)
	}
}

// link returns the address of a page that signs in whoever opens it.
func (s *site) link() string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.URL+"/api/v1/session/link", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var l struct{ Path string }
	if err := json.NewDecoder(resp.Body).Decode(&l); err != nil || l.Path == "" {
		s.t.Fatal(errors.Join(err, fmt.Errorf("a link for signing in: got %s", resp.Status)))
	}
	return s.URL + l.Path
}
