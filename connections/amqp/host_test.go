package amqp_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/connections/amqp"
	"github.com/fairlead/fairlead/connections/drivers"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/framework/host"
	"github.com/fairlead/fairlead/test/services"
)

// A program is a whole host, as a configuration makes it.
type program struct {
	*host.Host
	t   *testing.T
	got chan call // of the function "note"
}

// A call is what a function was called with.
type call struct {
	text   string
	origin *framework.Origin
}

// newProgram starts a host with a document, and with functions beside those that
// note what they get.
func newProgram(t *testing.T, document string, more ...framework.Functions) *program {
	t.Helper()
	p := &program{t: t, got: make(chan call, 100)}
	noting := framework.Functions{
		"note": framework.Sink(func(ctx context.Context, text string) error {
			p.got <- call{text, framework.Source(ctx)}
			return nil
		}),
		"upper": framework.Func(func(_ context.Context, text string) (string, error) { return strings.ToUpper(text), nil }),
	}
	p.Host = host.New(append(more, noting)...)
	if !strings.Contains(document, "store:") {
		document = "store: none\n" + document
	}
	cfg, err := config.Parse([]byte("version: 1\n"+document), filepath.Join(t.TempDir(), "fairlead.yaml"), config.Options{Drivers: drivers.All(), Functions: p.Functions()})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	p.until("every trigger runs", func() bool { return len(p.Status().Missing) == 0 })
	return p
}

// stop drains the host. Stopping twice is fine.
func (p *program) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		p.t.Errorf("stop: %v", err)
	}
}

func (p *program) until(what string, ok func() bool) {
	p.t.Helper()
	for end := time.Now().Add(2 * soon); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("still not: %s; %+v", what, p.Status())
		}
	}
}

// put sends text through a binding.
func (p *program) put(binding, destination, text string) {
	p.t.Helper()
	m := admin.Message{Destination: destination, ContentType: "text/plain"}
	m.SetBody([]byte(text))
	if _, err := p.Backend().Send(within(p.t), binding, m); err != nil {
		p.t.Fatal(err)
	}
}

// wants waits for the next call of note, which must be with that text.
func (p *program) wants(text string) *framework.Origin {
	p.t.Helper()
	select {
	case c := <-p.got:
		if c.text != text {
			p.t.Fatalf("got %q, want %q", c.text, text)
		}
		return c.origin
	case <-time.After(2 * soon):
		p.t.Fatalf("%q has not come; %+v", text, p.Status())
	}
	return nil
}

// Each way to authenticate leads from a configuration to a function.
func TestHostSASL(t *testing.T) {
	artemis, brokerj := services.Artemis(t), services.BrokerJ(t)
	realm := services.Kerberos(t)
	t.Setenv("KRB5_CONFIG", realm.Config)
	t.Setenv("APP_PASSWORD", artemis.Password)
	identify(t, brokerj, brokerj.Password)
	const user = `user: app, password: "${env:APP_PASSWORD}"`
	files := fmt.Sprintf("ca: %[1]s/ca.pem, cert: %[1]s/client.crt, key: %[1]s/client.key", artemis.Certs)
	for name, tt := range map[string]struct{ scheme, address, settings string }{
		"SCRAM-SHA-512":    {"amqp", artemis.AMQPSCRAM, user + ", sasl: {mechanisms: [SCRAM-SHA-512]}"},
		"SCRAM-SHA-256":    {"amqps", artemis.AMQPSSCRAM, user + ", sasl: {mechanisms: [SCRAM-SHA-256, PLAIN]}, tls: {ca: " + artemis.Certs + "/ca.pem}"},
		"SCRAM-SHA-1":      {"amqp", brokerj.AMQP, user + ", sasl: {mechanisms: [SCRAM-SHA-1]}"},
		"EXTERNAL":         {"amqps", artemis.AMQPExternal, "sasl: {mechanisms: [EXTERNAL]}, tls: {" + files + "}"},
		"GSSAPI":           {"amqp", brokerj.AMQPGSSAPI, fmt.Sprintf("sasl: {keytab: %s, principal: %s}", realm.Keytab, realm.Principal)},
		"XOAUTH2":          {"amqp", brokerj.AMQPToken, user + ", sasl: {mechanisms: [XOAUTH2]}"},
		"PLAIN":            {"amqp", artemis.AMQP, user + ", sasl: {mechanisms: [PLAIN], allowInsecure: true}"},
		"ANONYMOUS":        {"amqp", brokerj.AMQPAnonymous, "sasl: {mechanisms: [ANONYMOUS]}"},
		"without a layer":  {"amqps", artemis.AMQPExternal, "sasl: {enabled: false}, tls: {" + files + "}"},
		"strongest of all": {"amqp", brokerj.AMQP, user},
	} {
		t.Run(name, func(t *testing.T) {
			queue := newQueue()
			p := newProgram(t, fmt.Sprintf(`
connections: {main: {type: amqp, url: "%s://%s", %s}}
triggers: {in: {connection: main, queue: %s, function: note}}
bindings: {out: {connection: main, queue: %[4]s}}
`, tt.scheme, strings.Replace(tt.address, "127.0.0.1", "localhost", 1), tt.settings, queue))
			p.put("out", "", name)
			p.wants(name)
		})
	}
}

// A connection that gives file, or no option but its type, is as a connect.json says.
func TestHostConnectFile(t *testing.T) {
	broker := services.Artemis(t)
	hostname, port, err := net.SplitHostPort(broker.AMQPS)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "connect.json")
	text := fmt.Sprintf("// ours\n{\"host\": %q, \"port\": %s, \"user\": %q, \"password\": %q, \"tls\": {\"ca\": \"%s/ca.pem\"}}", hostname, port, broker.User, broker.Password, broker.Certs)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MESSAGING_CONNECT_FILE", path)
	for name, settings := range map[string]string{"given": "type: amqp, file: " + path, "found": "type: amqp"} {
		t.Run(name, func(t *testing.T) {
			queue := newQueue()
			p := newProgram(t, fmt.Sprintf("connections: {main: {%s}}\ntriggers: {in: {connection: main, queue: %s, function: note}}\nbindings: {out: {connection: main}}\n", settings, queue))
			p.put("out", queue, "hello")
			p.wants("hello")
		})
	}
}

// onArtemis begins a document whose connection main leads to Artemis.
func onArtemis(t *testing.T, more string) string {
	broker := services.Artemis(t)
	return fmt.Sprintf("connections: {main: {type: amqp, url: \"amqp://%s\", user: %s, password: %s%s}}\n", broker.AMQP, broker.User, broker.Password, more)
}

// With autoAccept: false the function settles; what it leaves comes back.
func TestHostAutoAccept(t *testing.T) {
	in := newQueue()
	var mu sync.Mutex
	came := make(map[string]int)
	settles := framework.Sink(func(ctx context.Context, text string) error {
		mu.Lock()
		came[text]++
		first := came[text] == 1
		mu.Unlock()
		o := framework.Source(ctx)
		switch {
		case text == "accept" || !first:
			return o.Settle(ctx, framework.Accept)
		case text == "release":
			return o.Settle(ctx, framework.Release)
		case text == "modify":
			return o.Settle(ctx, framework.Modify)
		}
		return nil // left
	})
	p := newProgram(t, onArtemis(t, "")+fmt.Sprintf(`
triggers: {in: {connection: main, queue: %s, function: settles, autoAccept: false, concurrency: 1, prefetch: 1}}
bindings: {out: {connection: main, queue: %[1]s}}
`, in), framework.Functions{"settles": settles})
	for _, text := range []string{"accept", "release", "modify", "left"} {
		p.put("out", "", text)
	}
	p.until("what was not accepted has come twice", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return cmp.Equal(came, map[string]int{"accept": 1, "release": 2, "modify": 2, "left": 2})
	})
	p.until("the queue is empty", func() bool {
		left, err := p.Backend().BrowseQueue(within(t), "main", in, 0, 10)
		return err == nil && len(left) == 0
	})
}

// A durable subscription collects what is sent while the host is away; a shared one
// hands each message to one of several hosts.
func TestHostSubscriptions(t *testing.T) {
	for name, settings := range map[string]string{"durable": "subscription: s", "shared": "subscription: s, shared: true"} {
		t.Run(name, func(t *testing.T) {
			topic := newTopic(services.Artemis(t))
			document := onArtemis(t, ", containerId: host."+newQueue()) + fmt.Sprintf(`
triggers: {in: {connection: main, topic: %s, %s, function: note}}
bindings: {out: {connection: main}}
`, topic, settings)
			p := newProgram(t, document)
			p.put("out", "topic:"+topic, "1")
			p.wants("1")
			p.stop()
			send(t, dial(t, settingsOf(t)), topicTarget(topic), text("2"))
			p = newProgram(t, document)
			p.wants("2")
			if name == "shared" {
				second := newProgram(t, document)
				const n = 20
				for i := range n {
					p.put("out", "topic:"+topic, fmt.Sprint(i))
				}
				p.until("each came once", func() bool { return len(p.got)+len(second.got) == n })
			}
		})
	}
}

func settingsOf(t *testing.T) *amqp.Connection { return settings(services.Artemis(t)) }

// A selector keeps from a function what it does not select.
func TestHostSelector(t *testing.T) {
	queue := newQueue()
	p := newProgram(t, onArtemis(t, "")+fmt.Sprintf(`
triggers: {in: {connection: main, queue: %s, selector: "colour = 'red'", function: note}}
bindings:
  red: {connection: main, queue: %[1]s, headers: {colour: red}}
  blue: {connection: main, queue: %[1]s, headers: {colour: blue}}
`, queue))
	p.put("blue", "", "1")
	p.put("red", "", "2")
	if o := p.wants("2"); o.Header["colour"] != "red" {
		t.Errorf("got headers %v, want the red one", o.Header)
	}
	if left, err := p.Backend().BrowseQueue(within(t), "main", queue, 0, 10); err != nil || len(left) != 1 || string(left[0].Body()) != "1" || left[0].Header["colour"] != "blue" {
		t.Errorf("got %v, %v; want the blue one, looked at", left, err)
	}
}

// Presettled sends arrive, one link reaches any address, and a dynamic queue takes
// the answers to its requests.
func TestHostSends(t *testing.T) {
	quick, first, second, asked := newQueue(), newQueue(), newQueue(), newQueue()
	p := newProgram(t, onArtemis(t, "")+fmt.Sprintf(`
triggers:
  quick: {connection: main, queue: %s, function: note}
  first: {connection: main, queue: %s, function: note}
  second: {connection: main, queue: %s, function: note}
  asked: {connection: main, queue: %s, function: upper}
  answers: {connection: main, queue: answers, dynamic: true, function: note}
bindings:
  quick: {connection: main, queue: %[1]s, presettled: true}
  any: {connection: main}
  ask: {connection: main, queue: %[4]s, replyTo: "dynamic:answers"}
`, quick, first, second, asked))
	for _, tt := range []struct{ binding, destination, text, want, trigger string }{
		{"quick", "", "unconfirmed", "unconfirmed", "quick"},
		{"any", first, "1", "1", "first"},
		{"any", second, "2", "2", "second"},
		{"ask", "", "price", "PRICE", "answers"},
	} {
		p.put(tt.binding, tt.destination, tt.text)
		if o := p.wants(tt.want); o.Trigger != tt.trigger {
			t.Errorf("%s: came by trigger %s, want %s", tt.text, o.Trigger, tt.trigger)
		}
	}
}

// What the store keeps of a dead letter is all of it: a described type that nobody
// knows, as a body, as a property and in an annotation, comes out at a replay as
// Proton sent it, and goes on as such.
func TestDeadLetterKeepsDescribedTypes(t *testing.T) {
	client := proton(t)
	broker := services.Artemis(t)
	in, out := newQueue(), newQueue()
	var mended bool
	var mu sync.Mutex
	fails := func(ctx context.Context, ev event.Event) error {
		mu.Lock()
		defer mu.Unlock()
		if !mended {
			return framework.Terminal(errors.New("not yet"))
		}
		return framework.Send(ctx, "out", "", ev)
	}
	p := newProgram(t, fmt.Sprintf("store: {url: %q}\n", services.Postgres(t))+onArtemis(t, "")+fmt.Sprintf(`
triggers: {in: {connection: main, queue: %s, function: fails, deadLetter: store, concurrency: 1}}
bindings: {out: {connection: main, queue: %s}}
`, in, out), framework.Functions{"fails": framework.Sink(fails)})
	sent := client(t, broker, "described", in)
	b := p.Backend()
	p.until("all are dead", func() bool {
		page, err := b.DeadLetters(within(t), admin.LetterFilter{}, 0, 100)
		return err == nil && len(page.Letters) == len(sent)
	})
	mu.Lock()
	mended = true
	mu.Unlock()
	got := client.start(t, broker, "dump", out)
	if n, err := b.Replay(within(t), admin.LetterFilter{}, admin.ReplayOptions{}, func(int) {}); err != nil || n != len(sent) {
		t.Fatalf("replayed %d, %v; want %d", n, err, len(sent))
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(sent)), slices.Sorted(slices.Values(<-got))); diff != "" {
		t.Errorf("what came out of the store (-sent +got):\n%s", diff)
	}
}

// Certificates of both sides expire and are renewed while messages flow: who lets
// the host in goes by the time, and hangs up on those whose certificate has expired.
// Nothing is lost.
func TestHostRenewsCertificates(t *testing.T) {
	broker := services.Artemis(t)
	gate := newGate(t, broker.AMQPAnonymous)
	queue := newQueue()
	p := newProgram(t, fmt.Sprintf(`
connections:
  main:
    type: amqp
    url: "amqps://localhost:%d"
    reconnect: {first: 20ms, max: 200ms}
    tls: {ca: %[2]s/ca.pem, cert: %[2]s/client.crt, key: %[2]s/client.key}
triggers: {in: {connection: main, queue: %s, function: note, concurrency: 4}}
bindings: {out: {connection: main, queue: %[3]s}}
`, gate.port, gate.dir, queue))
	seen, n := make(map[string]bool), 0
	for round := range 8 {
		gate.renew(time.Duration(round+1) * time.Hour) // by the gate's clock all that was before is old
		for range 25 {
			var m admin.Message
			m.SetBody([]byte(fmt.Sprint(n)))
			p.until("the send is confirmed", func() bool {
				_, err := p.Backend().Send(within(t), "out", m)
				return err == nil
			})
			n++
		}
	}
	p.until("all have come", func() bool {
		for {
			select {
			case c := <-p.got:
				seen[c.text] = true
				continue
			default:
			}
			return len(seen) == n
		}
	})
	if p.Status().Triggers["in"].Reconnects == 0 || gate.refused() > 0 {
		t.Errorf("got %d reconnects and %d refused handshakes, want some and none", p.Status().Triggers["in"].Reconnects, gate.refused())
	}
}
