package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/memory"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/outbox"
	"github.com/fairlead/fairlead/test/services"
)

// A storeRig is a Host with a broker in memory and a real store.
type storeRig struct {
	*host
	t      *testing.T
	broker *memory.Broker
	url    string
	dir    string
}

func newStoreRig(t *testing.T, functions framework.Functions) *storeRig {
	t.Helper()
	r := &storeRig{host: newHost(functions), t: t, broker: new(memory.Broker), url: services.Postgres(t), dir: t.TempDir()}
	r.log = slog.New(slog.DiscardHandler)
	r.drivers = map[string]connections.Driver{"memory": r.broker.Driver()}
	t.Cleanup(func() {
		if err := r.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return r
}

// apply makes a document run whose sections are given, beside the store and a
// connection m.
func (r *storeRig) apply(sections string) {
	r.t.Helper()
	r.applyAt(r.url, sections)
}

func (r *storeRig) applyAt(url, sections string) {
	r.t.Helper()
	document := fmt.Sprintf("version: 1\nstore: {url: %q}\nconnections: {m: {type: memory}}\n%s", url, sections)
	cfg, err := config.Parse([]byte(document), r.dir+"/fairlead.yaml", r.loadOptions())
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.Apply(r.t.Context(), cfg); err != nil {
		r.t.Fatal(err)
	}
}

func (r *storeRig) db() *pgxpool.Pool {
	r.t.Helper()
	pool, err := pgxpool.New(r.t.Context(), r.url)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(pool.Close)
	return pool
}

func (r *storeRig) exec(sql string) {
	r.t.Helper()
	if _, err := r.db().Exec(r.t.Context(), sql); err != nil {
		r.t.Fatal(err)
	}
}

func (r *storeRig) count(sql string) (n int) {
	r.t.Helper()
	if err := r.db().QueryRow(r.t.Context(), sql).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

func (r *storeRig) take(queue string) connections.Message {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	m, err := r.broker.Take(ctx, queue)
	if err != nil {
		r.t.Fatalf("nothing in %s: %v", queue, err)
	}
	return m
}

// until waits for something to become true.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not after 30 s: %s", what)
		}
	}
}

// A recorder remembers what functions saw.
type recorder struct {
	mu   sync.Mutex
	said []string
}

func (r *recorder) say(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, fmt.Sprintf(format, args...))
}

func (r *recorder) all() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.said, "; ")
}

func TestPublishToAFunction(t *testing.T) {
	var saw recorder
	r := newStoreRig(t, framework.Functions{
		"first": framework.Sink(func(ctx context.Context, s string) error {
			return framework.Publish(ctx, "second", s, framework.Header("color", "red"), framework.Key("k"))
		}),
		"second": framework.Sink(func(ctx context.Context, s string) error {
			o := framework.Source(ctx)
			saw.say("%s %s %s attempt %d %v", s, o.Trigger, o.Destination, o.Attempt, o.Header["color"])
			if o.Attempt == 1 {
				return errors.New("not yet")
			}
			return nil
		}),
	})
	r.apply(`
triggers: {in: {connection: m, queue: in, function: first}}
functions: {second: {retry: {first: 10ms}}}
`)
	r.broker.Put("in", connections.Message{Body: []byte("x"), Text: true})
	want := "x second second attempt 1 red; x second second attempt 2 red"
	until(t, "both attempts", func() bool { return saw.all() == want })
	if ok, err := r.Ready(t.Context()); !ok {
		t.Errorf("not ready: %v", err)
	}
}

func TestEventsOfATopicGoToEachSubscriber(t *testing.T) {
	var saw recorder
	r := newStoreRig(t, framework.Functions{
		"index": framework.Sink(func(ctx context.Context, s string) error { saw.say("%s", s); return nil }),
		"mail": framework.Sink(func(ctx context.Context, s string) error {
			if framework.Source(ctx).Attempt == 1 {
				return errors.New("busy")
			}
			return framework.Terminal(errors.New("no such address"))
		}),
	})
	r.apply(`
triggers:
  indexing: {topic: orders.created, function: index}
  mailing: {topic: orders.created, function: mail, deadLetter: problems, retry: {first: 10ms}}
bindings: {problems: {connection: m, queue: problems}}
`)
	ctx := framework.NewContext(t.Context(), &framework.Invocation{Runtime: r.host})
	until(t, "both have subscribed", func() bool { return len(r.missing()) == 0 })
	if err := framework.Publish(ctx, "topic:orders.created", "order 1", framework.Header("X-Colour", "red")); err != nil {
		t.Fatal(err)
	}
	m := r.take("problems")
	if string(m.Body) != "order 1" {
		t.Errorf("dead letter: got %q", m.Body)
	}
	for name, want := range map[string]any{
		"X-Colour": "red", "fairlead_error": "no such address", "fairlead_attempts": int32(2),
		"fairlead_trigger": "mailing", "fairlead_function": "mail", "fairlead_source": "topic:orders.created",
	} {
		if m.Header[name] != want {
			t.Errorf("dead letter: header %s is %v, want %v", name, m.Header[name], want)
		}
	}
	if m.Header["fairlead_first"] == m.Header["fairlead_last"] {
		t.Errorf("dead letter: both failures were at %v", m.Header["fairlead_first"])
	}
	until(t, "its status counts it", func() bool {
		s := r.Status().Triggers["mailing"]
		return s.Dead == 1 && s.Failed == 2 && s.Succeeded == 0 && s.Received == 1
	})
	until(t, "the other subscriber has it", func() bool { return saw.all() == "order 1" })
}

// Everything that a transactional function does happens once, or not at all.
func TestTransactional(t *testing.T) {
	r := newStoreRig(t, framework.Functions{
		"order": framework.TransactionalFunc(func(ctx context.Context, tx pgx.Tx, s string) (string, error) {
			if _, err := tx.Exec(ctx, "insert into orders values ($1)", s); err != nil {
				return "", err
			}
			err := errors.Join(framework.Send(ctx, "out", "sent", s), framework.Publish(ctx, "invoice", s))
			if err == nil && framework.Source(ctx).Attempt == 1 {
				err = errors.New("the first time fails")
			}
			return "reply to " + s, err
		}),
		"invoice": framework.Sink(func(ctx context.Context, s string) error { return framework.Send(ctx, "out", "invoices", s) }),
	})
	r.exec("create table orders (id text)")
	r.apply(`
triggers:
  in: {connection: m, queue: in, function: order, retry: {first: 10ms}}
  other: {connection: m, queue: other, function: order, retry: {first: 10ms}, reply: out/elsewhere}
bindings: {out: {connection: m}}
`)
	m := connections.Message{Body: []byte("1"), Text: true, ReplyTo: "answers", ID: "message 1", CorrelationID: "c"}
	const duplicates = 3
	for range duplicates {
		r.broker.Put("in", m)
	}
	if got := r.take("sent"); string(got.Body) != "1" {
		t.Errorf("sent: got %q", got.Body)
	}
	if got := r.take("invoices"); string(got.Body) != "1" {
		t.Errorf("published: got %q", got.Body)
	}
	if got := r.take("answers"); string(got.Body) != "reply to 1" || got.CorrelationID != "c" {
		t.Errorf("reply: got %q, correlation id %v", got.Body, got.CorrelationID)
	}
	until(t, "all duplicates are settled", func() bool { return r.Status().Triggers["in"].Succeeded == duplicates })
	if n := r.count("select count(*) from orders"); n != 1 {
		t.Errorf("got %d rows, want one", n)
	}
	for _, queue := range []string{"sent", "invoices", "answers"} {
		if n := r.broker.Len(queue); n != 0 {
			t.Errorf("%s has %d more messages", queue, n)
		}
	}

	// A message without a reply-to has its answer where the trigger says.
	r.broker.Put("other", connections.Message{Body: []byte("2"), Text: true, ID: "message 2", CorrelationID: "d"})
	if got := r.take("elsewhere"); string(got.Body) != "reply to 2" || got.CorrelationID != "d" {
		t.Errorf("reply by a binding: got %q, correlation id %v", got.Body, got.CorrelationID)
	}
}

// What a transactional function starts in the background outlives its
// transaction, and is not part of it.
func TestAsyncOutlivesTheTransaction(t *testing.T) {
	committed := make(chan struct{})
	r := newStoreRig(t, framework.Functions{
		"order": framework.Transactional(func(ctx context.Context, _ pgx.Tx, s string) error {
			return framework.InvokeAsync(ctx, "aside", s)
		}),
		"aside": framework.Sink(func(ctx context.Context, s string) error {
			<-committed
			_, err := framework.Invoke(ctx, "also", s)
			return errors.Join(err, framework.Send(ctx, "out", "sent", s), framework.Publish(ctx, "invoice", s))
		}),
		"also": framework.Transactional(func(ctx context.Context, tx pgx.Tx, s string) error {
			_, err := tx.Exec(ctx, "insert into orders values ($1)", s)
			return err
		}),
		"invoice": framework.Sink(func(ctx context.Context, s string) error { return framework.Send(ctx, "out", "invoices", s) }),
	})
	r.exec("create table orders (id text)")
	r.apply(`
triggers: {in: {connection: m, queue: in, function: order}}
bindings: {out: {connection: m}}
`)
	r.broker.Put("in", connections.Message{Body: []byte("1"), Text: true, ID: "message 1"})
	until(t, "it is committed", func() bool { return r.Status().Triggers["in"].Succeeded == 1 })
	close(committed)
	for _, queue := range []string{"sent", "invoices"} {
		if m := r.take(queue); string(m.Body) != "1" {
			t.Errorf("%s: got %q", queue, m.Body)
		}
	}
	if n := r.count("select count(*) from orders"); n != 1 {
		t.Errorf("got %d rows, want one", n)
	}
}

// A function that takes too long is to blame itself, although it is the store
// that says so.
func TestTransactionalTimesOut(t *testing.T) {
	r := newStoreRig(t, framework.Functions{
		"slow": framework.Transactional(func(ctx context.Context, tx pgx.Tx, s string) error {
			_, err := tx.Exec(ctx, "select pg_sleep(60)")
			return err
		}),
	})
	r.apply(`
triggers: {in: {connection: m, queue: in, function: slow, deadLetter: dead, retry: {attempts: 2, first: 10ms}}}
bindings: {dead: {connection: m, queue: dead}}
functions: {slow: {timeout: 1s}}
`)
	until(t, "ready", func() bool { return len(r.missing()) == 0 })
	r.broker.Put("in", connections.Message{Body: []byte("x"), Text: true})
	if m := r.take("dead"); fmt.Sprint(m.Header["fairlead_attempts"]) != "2" || !strings.Contains(fmt.Sprint(m.Header["fairlead_error"]), "timed out after 1s") {
		t.Errorf("got %v", m.Header)
	}
}

func TestLongRetriesAreParked(t *testing.T) {
	var saw recorder
	r := newStoreRig(t, framework.Functions{
		"later": framework.Func(func(ctx context.Context, in event.Event) (string, error) {
			o := framework.Source(ctx)
			saw.say("attempt %d %s %v %s", o.Attempt, in.ID(), o.Header["h"], in.Data())
			if o.Attempt == 1 {
				return "", framework.RetryAfter(1500*time.Millisecond, errors.New("later"))
			}
			return "done", nil
		}),
	})
	r.apply(`triggers: {in: {connection: m, queue: in, function: later}}`)
	until(t, "ready", func() bool { return len(r.missing()) == 0 && r.Status().Store.State == outbox.Running })
	r.broker.Put("in", connections.Message{Body: []byte("x"), Text: true, ID: "message 1", ReplyTo: "answers", Header: map[string]any{"h": int64(7)}})
	until(t, "it is parked, and the broker's message settled", func() bool {
		s := r.Status().Triggers["in"]
		return r.count("select count(*) from fairlead.parked") == 1 && s.Waiting == 0 && s.InFlight == 0 && r.broker.Len("in") == 0
	})
	if got := r.take("answers"); string(got.Body) != "done" {
		t.Errorf("got reply %q", got.Body)
	}
	first, second, _ := strings.Cut(saw.all(), "; ")
	if second != strings.Replace(first, "attempt 1", "attempt 2", 1) {
		t.Errorf("the second call saw another event: %s", saw.all())
	}
}

func TestDeadLettersGoToTheStoreAndBack(t *testing.T) {
	var saw recorder
	fixed := make(chan struct{})
	r := newStoreRig(t, framework.Functions{
		"f": framework.Sink(func(ctx context.Context, s string) error {
			select {
			case <-fixed:
				saw.say("%s attempt %d", s, framework.Source(ctx).Attempt)
				return nil
			default:
				panic("boom")
			}
		}),
	})
	r.apply(`triggers: {in: {connection: m, queue: in, function: f, retry: {attempts: 2, first: 10ms}}}`)
	r.broker.Put("in", connections.Message{Body: []byte("x"), Text: true})
	store, err := r.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var letters []outbox.Letter
	until(t, "there is a dead letter", func() bool {
		if letters, err = store.DeadLetters(t.Context(), outbox.Filter{}, 0, 10); err != nil {
			t.Fatal(err)
		}
		return len(letters) == 1
	})
	l, err := store.DeadLetter(t.Context(), letters[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if l.Trigger != "in" || l.Function != "f" || l.Source() != "/m/in" || l.Attempts != 2 || l.Cause != "panic: boom" || !strings.Contains(l.Stack, "store_test.go") || string(l.Message.Body) != "x" {
		t.Errorf("got %+v", l)
	}
	close(fixed)
	if n, err := store.Replay(t.Context(), outbox.Filter{}, outbox.ReplayOptions{}); n != 1 || err != nil {
		t.Fatalf("replayed %d, %v", n, err)
	}
	until(t, "the function has it", func() bool { return saw.all() == "x attempt 1" })
}

func TestStagedSends(t *testing.T) {
	r := newStoreRig(t, framework.Functions{
		"f": framework.Sink(func(ctx context.Context, s string) error {
			for i := range 3 {
				if err := framework.Send(ctx, "audit", "", fmt.Sprint(s, i), framework.Key("k")); err != nil {
					return err
				}
			}
			return framework.Send(ctx, "audit", "elsewhere", s)
		}),
	})
	r.apply(`
triggers: {in: {connection: m, queue: in, function: f, deadLetter: dead, retry: {attempts: 1}}}
bindings: {audit: {connection: m, queue: audit, outbox: true}, dead: {connection: m, queue: dead}}
`)
	r.broker.Put("in", connections.Message{Body: []byte("x"), Text: true})
	for i := range 3 {
		if m := r.take("audit"); string(m.Body) != fmt.Sprint("x", i) {
			t.Errorf("message %d: got %q", i, m.Body)
		}
	}
	if m := r.take("dead"); !strings.Contains(fmt.Sprint(m.Header["fairlead_error"]), "always sends to audit") {
		t.Errorf("a destination that the binding refuses: got %v", m.Header)
	}
}

// While the store is out of reach, the program works where it can, and says so.
func TestStoreOutOfReach(t *testing.T) {
	r := newStoreRig(t, framework.Functions{
		"publishing": framework.Sink(func(ctx context.Context, s string) error { return framework.Publish(ctx, "second", s) }),
		"second":     framework.Sink(func(ctx context.Context, s string) error { return framework.Send(ctx, "out", "second", s) }),
		"plain":      framework.Sink(func(ctx context.Context, s string) error { return framework.Send(ctx, "out", "plain", s) }),
	})
	address := strings.SplitN(strings.SplitN(r.url, "@", 2)[1], "/", 2)[0]
	t.Cleanup(http.DefaultClient.CloseIdleConnections) // of the proxy, after it is gone
	proxy := services.Proxy(t, address)
	proxy.Cut()
	r.applyAt(strings.Replace(r.url, address, proxy.Addr, 1), `
triggers:
  a: {connection: m, queue: publishing, function: publishing, retry: {attempts: 1}}
  b: {connection: m, queue: plain, function: plain}
bindings: {out: {connection: m}}
functions: {publishing: {timeout: 1s}}
`)
	r.broker.Put("publishing", connections.Message{Body: []byte("x"), Text: true})
	r.broker.Put("plain", connections.Message{Body: []byte("y"), Text: true})
	if m := r.take("plain"); string(m.Body) != "y" {
		t.Errorf("got %q", m.Body)
	}
	if ok, err := r.Ready(t.Context()); ok || !strings.Contains(err.Error(), "store: waiting") {
		t.Errorf("ready: %t, %v", ok, err)
	}
	until(t, "the trigger that needs the store is paused", func() bool { return r.Status().Triggers["a"].State == "paused" })
	proxy.Restore()
	if m := r.take("second"); string(m.Body) != "x" {
		t.Errorf("got %q", m.Body)
	}
	if ok, err := r.Ready(t.Context()); !ok {
		t.Errorf("not ready: %v", err)
	}
}
