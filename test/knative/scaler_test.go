package knative

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/test/services"
)

// scaler starts "fairlead scaler" with a document in a folder, and returns it and what
// asks it with KEDA's own client.
func scaler(t *testing.T, dir, document string) (p *process, ask func(method string, metadata ...string) string) {
	t.Helper()
	address := freeAddress(t)
	configure(t, dir, document)
	p = start(t, dir, []string{"FAIRLEAD_CONFIG="}, fairlead(t), "scaler", "--listen", address)
	keda := peer(t, "keda")
	ask = func(method string, metadata ...string) string {
		t.Helper()
		return strings.TrimSpace(run(t, dir, nil, keda, append([]string{address, method}, metadata...)...))
	}
	eventually(t, "the scaler serves", func() bool { return ask("health") == "SERVING" })
	return p, ask
}

func configure(t *testing.T, dir, document string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "fairlead.yaml"), []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A queue that Artemis removes while it is empty has depth 0, and a change of the
// configuration is followed.
func TestScalerFollows(t *testing.T) {
	broker, in, dir := services.Artemis(t), queue(), t.TempDir()
	const document = "version: 1\nconnections:\n  %s: {type: amqp, url: \"amqp://%s\", user: admin, password: adminpw, sasl: {mechanisms: [PLAIN]}}\n"
	p, ask := scaler(t, dir, fmt.Sprintf(document, "c", broker.AMQP))
	active := func(connection, want string) {
		t.Helper()
		eventually(t, connection+" answers "+want, func() bool {
			return strings.HasPrefix(ask("active", "connection="+connection, "queue="+in), want)
		})
	}
	active("c", "false") // it was never there
	l := amqpLink(t, broker)
	l.send(t, in, text("1"))
	active("c", "true")
	l.take(t, in, 1)
	active("c", "false")
	l.send(t, in, text("2"))
	active("c", "true")

	configure(t, dir, "version: 2")
	said := func(words string) int { return strings.Count(p.said.String(), words) }
	eventually(t, "the change is refused", func() bool { return said("the new configuration is refused") > 0 })
	active("c", "true")
	configure(t, dir, fmt.Sprintf(document, "d", broker.AMQP))
	active("d", "true")
	for _, words := range []string{"the new configuration is refused", "connections.c removed, connections.d added", "the broker has no such queue"} {
		if n := said(words); n != 1 {
			t.Errorf("the log says %q %d times, want once", words, n)
		}
	}
	active("c", "InvalidArgument: ")
	l.take(t, in, 1)
	active("d", "false")
}

func TestScaler(t *testing.T) {
	broker, url, in := services.Artemis(t), services.Postgres(t), queue()
	l := amqpLink(t, broker)
	_, ask := scaler(t, t.TempDir(), fmt.Sprintf(`
version: 1
store: {url: %q}
connections:
  c: {type: amqp, url: "amqp://%s", user: admin, password: adminpw, sasl: {mechanisms: [PLAIN]}}
  stranger: %s
  down: {type: amqp, url: "amqp://127.0.0.1:1", user: a, password: b}
  lame: {type: stomp, url: "stomp://%s", user: %s, password: %s}
triggers:
  in: {connection: c, queue: %s, function: f}
`, url, broker.AMQP, l.yaml, broker.STOMP, broker.User, broker.Password, in))
	l.send(t, in, text("1"), text("2"), text("3"))
	name := "fairlead-c-" + strings.ReplaceAll(in, ".", "-")
	for _, tt := range []struct {
		method   string
		metadata []string
		want     string // begins with it
	}{
		{"spec", []string{"trigger=in"}, name + " 10 10"},
		{"spec", []string{"connection=c", "queue=" + in, "target=2.5"}, name + " 3 2.5"},
		{"metrics", []string{"connection=c", "queue=" + in}, name + " 3 3"},
		{"active", []string{"trigger=in"}, "true"},
		{"active", []string{"trigger=in", "activation=2"}, "true"},
		{"active", []string{"trigger=in", "activation=3"}, "false"},
		{"metrics", []string{"connection=c", "queue=" + in + ".NONE"}, name + "-none 0 0"},
		{"metrics", []string{"topic=orders.created"}, "fairlead-topic-orders-created 0 0"},
		{"active", []string{"function=invoice.create"}, "false"},
		{"metrics", []string{"connection=down", "queue=q"}, "Unavailable: connection down: "},
		{"metrics", []string{"connection=lame", "queue=q"}, "FailedPrecondition: connection lame: "},
		{"metrics", []string{"connection=stranger", "queue=" + in}, "FailedPrecondition: connection stranger: "},
		{"active", []string{"connection=d", "queue=q"}, `InvalidArgument: metadata: connection: found "d"`},
		{"spec", []string{"trigger=out"}, `InvalidArgument: metadata: trigger: found "out"`},
		{"push", []string{"trigger=in"}, "Unimplemented"},
		{"health", []string{"service=externalscaler.ExternalScaler"}, "SERVING"},
		{"health", []string{"service=x"}, "NotFound"},
	} {
		if got := ask(tt.method, tt.metadata...); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s %v: got %q, want %q", tt.method, tt.metadata, got, tt.want)
		}
	}
	if got := ask("metrics", "connection=stranger", "queue="+in); strings.Contains(got, broker.Password) {
		t.Errorf("an error shows the password: %s", got)
	}
	l.take(t, in, 3)
	eventually(t, "the queue is empty", func() bool { return ask("active", "trigger=in") != "true" })
}
