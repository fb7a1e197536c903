package dashboard_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/admin/access"
	"github.com/fairlead/fairlead/admin/dashboard"
	"github.com/fairlead/fairlead/connections/drivers"
	"github.com/fairlead/fairlead/framework/config"
)

// began is when everything in the tests happened.
var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// hostile is in every text that comes from outside: a page that shows it as it
// is, is wrong.
const hostile = `<script>alert("x")</script>`

// A backend is an admin.Backend that remembers what it was asked to do. What a
// test does not set answers with nothing.
type backend struct {
	admin.Backend // nil: what is not below must not be called
	mu            sync.Mutex
	asked         []string
	status        admin.Status
	objects       map[string][]admin.Object
	letters       []admin.Letter
	topics        []admin.Topic
	events        []admin.StoredEvent
	fail          error // what everything answers that does something, or asks the store
	noStore       bool
	reply         *admin.Message
	replay        func(ctx context.Context, progress func(int)) (int, error)
}

func (b *backend) note(format string, args ...any) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, fmt.Sprintf(format, args...))
	return b.fail
}

// did returns what was asked for, and forgets it.
func (b *backend) did() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.asked
	b.asked = nil
	return all
}

func (b *backend) stored() error {
	if b.noStore {
		return fmt.Errorf("%w: the configuration has no store.url", admin.ErrNoStore)
	}
	return b.fail
}

func (b *backend) Status() admin.Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}

func (b *backend) Ping(_ context.Context, name string) (time.Duration, error) {
	return 3200 * time.Microsecond, b.note("ping %s", name)
}

func (b *backend) Send(_ context.Context, binding string, m admin.Message) (string, error) {
	return "ID-7", b.note("send %s to %s: %s %s %v", binding, m.Destination, m.ContentType, m.Body(), m.Header)
}

func (b *backend) Invoke(_ context.Context, function string, m admin.Message) (*admin.Message, error) {
	return b.reply, b.note("invoke %s as %q: %s %s", function, m.As, m.ContentType, m.Body())
}

func (b *backend) Pause(_ context.Context, name string) error  { return b.note("pause %s", name) }
func (b *backend) Resume(_ context.Context, name string) error { return b.note("resume %s", name) }

func (b *backend) Export(context.Context) (admin.Document, error) {
	return admin.Document{File: "/etc/fairlead.yaml", Text: "version: 1\nconnections:\n  local:\n    password: \"${secret:connections.local.password}\"\n"}, nil
}

func (b *backend) Plan(_ context.Context, d admin.Document) (admin.Plan, error) {
	return admin.Plan{Generation: 3, Steps: []admin.Step{{Kind: "triggers", Name: "orders", Action: admin.Changed, Effect: "drained, then started again"}}}, b.note("plan %s: %s", d.File, d.Text)
}

func (b *backend) Apply(_ context.Context, d admin.Document, o admin.ApplyOptions) (admin.Applied, error) {
	if err := b.stored(); err != nil {
		return admin.Applied{}, err
	}
	a := admin.Applied{Generation: 4, Objects: []admin.Result{{Kind: "triggers", Name: "orders", Action: admin.Changed}}}
	a.Plan.Steps = []admin.Step{{Kind: "triggers", Name: "orders", Action: admin.Changed, Effect: "drained, then started again"}}
	return a, b.note("apply %s prune=%v dry=%v: %s", d.File, o.Prune, o.DryRun, d.Text)
}

func (b *backend) Objects(_ context.Context, kind string) ([]admin.Object, error) {
	return b.objects[kind], nil
}

func (b *backend) Object(_ context.Context, kind, name string) (admin.Object, error) {
	for _, o := range b.objects[kind] {
		if o.Name == name {
			return o, nil
		}
	}
	return admin.Object{}, fmt.Errorf("%w: there is no %q among the %s", admin.ErrNotFound, name, kind)
}

func (b *backend) Put(_ context.Context, kind, name, text string, version int64) (admin.Object, error) {
	return admin.Object{Kind: kind, Name: name, Version: version + 1}, b.note("put %s.%s version %d\n%s", kind, name, version, text)
}

func (b *backend) Delete(_ context.Context, kind, name string, version int64) error {
	return b.note("delete %s.%s version %d", kind, name, version)
}

func (b *backend) SetPassword(_ context.Context, name, password string) error {
	return b.note("password of %s: %s", name, password)
}

func (b *backend) Secrets(context.Context) ([]admin.Secret, error) {
	return []admin.Secret{{Name: "connections.local.password", Changed: began, By: "ann", Key: "k1", Usable: true, UsedBy: []string{"connections.local"}}, {Name: "old" + hostile, Changed: began, By: "ann", Key: "k0"}}, b.stored()
}

func (b *backend) SetSecret(_ context.Context, name, value string) error {
	return b.note("secret %s: %s", name, value)
}
func (b *backend) DeleteSecret(_ context.Context, name string) error {
	return b.note("delete secret %s", name)
}
func (b *backend) RotateSecrets(context.Context) (int, error) { return 2, b.note("rotate") }

func (b *backend) Audit(_ context.Context, f admin.AuditFilter, before int64, _ int) (admin.AuditPage, error) {
	return admin.AuditPage{Entries: []admin.AuditEntry{{ID: 9, At: began, Actor: "ann" + hostile, Role: "admin", Action: admin.Changed, Kind: "triggers", Name: "orders", Generation: 3, Before: "queue: a", After: "queue: b" + hostile}}, Next: 9},
		cmp.Or(b.stored(), b.note("audit %+v before %d", f, before))
}

func (b *backend) Topics(context.Context) ([]admin.Topic, error) { return b.topics, b.stored() }

func (b *backend) Topic(_ context.Context, name string) (admin.Topic, error) {
	for _, t := range b.topics {
		if t.Name == name || t.Target == name {
			return t, b.stored()
		}
	}
	return admin.Topic{}, cmp.Or(b.stored(), fmt.Errorf("%w: topic %q", admin.ErrNotFound, name))
}

func (b *backend) Browse(_ context.Context, _ string, skip, limit int) ([]admin.StoredEvent, error) {
	rest := b.events[min(skip, len(b.events)):]
	return rest[:min(limit, len(rest))], b.stored()
}

func (b *backend) Publish(_ context.Context, target string, p admin.Publication) (string, error) {
	return "ID-8", b.note("publish to %s key %q after %v: %s", target, p.Key, p.After, p.Body())
}
func (b *backend) Purge(_ context.Context, topic string) (int, error) {
	return 3, b.note("purge %s", topic)
}
func (b *backend) DeleteSubscription(_ context.Context, topic, name string) (int, error) {
	return 2, b.note("unsubscribe %s from %s", name, topic)
}

func (b *backend) DeadLetters(_ context.Context, f admin.LetterFilter, before int64, limit int) (admin.LetterPage, error) {
	if err := b.stored(); err != nil {
		return admin.LetterPage{}, err
	}
	var page admin.LetterPage
	for _, l := range b.letters {
		if f.Function != "" && l.Function != f.Function || f.IDs != nil && !slices.Contains(f.IDs, l.ID) {
			continue
		}
		page.Total++
		if before != 0 && l.ID >= before {
			continue
		}
		if len(page.Letters) == limit {
			page.Next = page.Letters[limit-1].ID
			continue
		}
		page.Letters = append(page.Letters, l)
	}
	return page, nil
}

func (b *backend) DeadLetter(_ context.Context, id int64) (admin.Letter, error) {
	for _, l := range b.letters {
		if l.ID == id {
			return l, b.stored()
		}
	}
	return admin.Letter{}, fmt.Errorf("%w: there is no dead letter %d", admin.ErrNotFound, id)
}

func (b *backend) Replay(ctx context.Context, f admin.LetterFilter, o admin.ReplayOptions, progress func(int)) (int, error) {
	if err := b.note("replay %v all=%v %+v", f.IDs, f.All(), o); err != nil {
		return 0, err
	}
	if b.replay != nil {
		return b.replay(ctx, progress)
	}
	return max(1, len(f.IDs)), nil
}

func (b *backend) Discard(_ context.Context, f admin.LetterFilter) (int, error) {
	return max(1, len(f.IDs)), b.note("discard %v all=%v function=%s", f.IDs, f.All(), f.Function)
}

func (b *backend) Depth(_ context.Context, connection, queue string) (admin.QueueDepth, error) {
	if b.fail != nil {
		return admin.QueueDepth{}, b.fail
	}
	return admin.QueueDepth{Connection: connection, Queue: queue, Depth: 42}, nil
}

func (b *backend) BrowseQueue(_ context.Context, _, _ string, _, limit int) ([]admin.Message, error) {
	if b.fail != nil {
		return nil, b.fail
	}
	return make([]admin.Message, min(3, limit)), nil
}

func text(s string) *string { return &s }

// populated returns a backend with one of everything, full of what must be escaped.
func populated() *backend {
	at := func(d time.Duration) *time.Time { t := began.Add(d); return &t }
	next := time.Now().Add(time.Hour)
	b := &backend{objects: make(map[string][]admin.Object)}
	b.status = admin.Status{
		Version: "v1.2.3", Started: time.Now().Add(-time.Hour), Missing: []string{"trigger down: connecting" + hostile}, Functions: []string{"order.received", "price"},
		Triggers: []admin.TriggerStatus{
			{Name: "orders", Connection: "local", Destination: "ORDERS", Function: "order.received", State: "running", Since: began, InFlight: 3, Received: 12345, Succeeded: 12000, Failed: 7, Dead: 2, Waiting: 1},
			{Name: "down", Connection: "local", Destination: "topic:x", Function: "price", State: "down", Since: began, Error: "dial tcp: refused" + hostile, NextTry: &next},
			{Name: "web", Destination: "POST /x", Function: "price", State: "running", Since: began},
			{Name: "idle", Connection: "local", Destination: "Q", Function: "price", State: "paused", Since: began, Refused: "new config refused: line 3" + hostile},
		},
		Connections: []admin.ConnectionStatus{{Name: "local", Type: "amqp", Error: "lost" + hostile, NextTry: &next}, {Name: "other", Type: "stomp", Connected: true}},
		Calls: []admin.CallStatus{
			{Kind: admin.KindFunction, Name: "order.received", InFlight: 3, Succeeded: 12000, Failed: 7}, {Kind: admin.KindFunction, Name: "price", Panicked: 1},
			{Kind: admin.KindBinding, Name: "shipping", Succeeded: 12000, Unavailable: 2},
		},
		Config: admin.ConfigStatus{File: "/etc/fairlead.yaml", Generation: 3, Applied: began, Refused: "/etc/fairlead.yaml:7:3: found nothing" + hostile, RefusedAt: at(0), Stored: 2,
			Replicas: []admin.Replica{{ID: 1, Name: "a" + hostile, Started: began, Generation: 2, Self: true}, {ID: 2, Name: "b", Started: began, Refused: "no"}}, Shadowed: []string{"s" + hostile}},
	}
	object := func(kind, name, owner, text string, spec map[string]any) {
		b.objects[kind] = append(b.objects[kind], admin.Object{Kind: kind, Name: name, Owner: owner, Version: 5, Text: text, Spec: spec})
	}
	object("connections", "local", admin.StoreOwner, "type: amqp\nurl: amqp://127.0.0.1\nuser: app\npassword: ${secret:connections.local.password}\ntls:\n  serverName: x\n", map[string]any{"type": "amqp", "url": "amqp://127.0.0.1" + hostile, "password": "***"})
	object("connections", "other", "/etc/fairlead.yaml", "type: stomp\nreconnect: false\n", map[string]any{"type": "stomp", "urls": []any{"stomp://a", "stomp://b"}})
	object("triggers", "orders", admin.StoreOwner, "function: order.received\nconnection: local\nqueue: ORDERS\nheaders:\n  a: b\n", map[string]any{"function": "order.received", "connection": "local", "queue": "ORDERS"})
	object("triggers", "web", "/etc/fairlead.yaml", "", map[string]any{"function": "price", "http": "POST /x", "security": []any{"partners"}})
	object("bindings", "shipping", admin.StoreOwner, "connection: local\nqueue: OUT\n", map[string]any{"connection": "local", "queue": "OUT"})
	object("bindings", "any", "/etc/fairlead.yaml", "", map[string]any{"connection": "other"})
	object("functions", "order.received", "/etc/fairlead.yaml", "", map[string]any{"timeout": "30s"})
	object("functions", "price", "", "", nil)
	object("security", "partners", admin.StoreOwner, "type: apikey\nkeys: [a]\n", map[string]any{"type": "apikey", "keys": []any{"***"}})
	for id := int64(60); id > 0; id-- {
		b.letters = append(b.letters, admin.Letter{
			ID: id, EventID: "E" + hostile, Type: "fairlead.message", Source: "/local/ORDERS", Trigger: "orders", Function: "order.received", Attempts: 5, Error: "negative total" + hostile + "\nmore", Stack: "goroutine 1" + hostile,
			First: began, Last: began, Died: began, Message: &admin.Message{ID: "M1", ContentType: "application/json", Header: map[string]any{"h" + hostile: hostile}, Text: text(`{"a":"` + hostile + `"}`)},
		})
	}
	b.letters[1].Message = &admin.Message{Data: []byte{0, 1, 255}}
	b.topics = []admin.Topic{
		{Name: "accepted" + hostile, Target: "topic:accepted" + hostile, Kind: admin.KindTopic, Depth: 5},
		{Name: "orders", Target: "topic:orders", Kind: admin.KindTopic, Depth: 30, Oldest: at(0), Last: at(time.Second), LastID: "L", Subscriptions: []admin.Subscription{{Name: "invoices", Served: true, Depth: 30, Created: began}, {Name: "gone" + hostile, Depth: 2, Created: began}}},
	}
	for i := range 30 {
		b.events = append(b.events, admin.StoredEvent{Message: admin.Message{ID: fmt.Sprint("ev", i, hostile), Text: text(hostile)}, Place: "retrying", Error: "no" + hostile, Published: began, Due: &next, Attempts: 2})
	}
	return b
}

// accounts are those of the tests.
type accounts struct{ b *backend }

func (a accounts) Accounts(context.Context) ([]access.AccountInfo, error) {
	return []access.AccountInfo{{Name: "ann" + hostile, Role: access.Admin, Created: began, SignedIn: &began, Sessions: 2}}, a.b.stored()
}
func (a accounts) CreateAccount(_ context.Context, name string, role access.Role, password string) error {
	return a.b.note("create account %s %s %s", name, role, password)
}
func (a accounts) DeleteAccount(_ context.Context, name string) error {
	return a.b.note("delete account %s", name)
}
func (a accounts) SetRole(_ context.Context, name string, role access.Role) error {
	return a.b.note("role of %s: %s", name, role)
}
func (a accounts) SetPassword(_ context.Context, name, password string) error {
	return errors.ErrUnsupported
}
func (a accounts) ChangePassword(_ context.Context, _, current, password string) error {
	return a.b.note("change password %s to %s", current, password)
}
func (a accounts) Tokens(context.Context) ([]access.TokenInfo, error) {
	return []access.TokenInfo{{Name: "ci" + hostile, Role: access.Viewer, Created: began, CreatedBy: "ann"}}, a.b.stored()
}
func (a accounts) CreateToken(_ context.Context, name string, role access.Role, expires time.Time) (string, error) {
	return "flt_token", a.b.note("create token %s %s expires %v", name, role, !expires.IsZero())
}
func (a accounts) RevokeToken(_ context.Context, name string) error {
	return a.b.note("revoke %s", name)
}

// A site is a dashboard and who looks at it.
type site struct {
	t    *testing.T
	b    *backend
	d    *dashboard.Dashboard
	role access.Role
}

func newSite(t *testing.T, b *backend, role access.Role) *site {
	t.Helper()
	d := dashboard.New(b, dashboard.Options{Schema: func() []byte { return config.Schema(drivers.All()) }, Accounts: accounts{b}})
	t.Cleanup(d.Close)
	return &site{t, b, d, role}
}

func (s *site) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.d.ServeHTTP(w, r.WithContext(access.With(r.Context(), access.Identity{Name: "ann", Role: s.role, Kind: access.Account})))
	return w
}

func (s *site) get(path string) *httptest.ResponseRecorder {
	return s.do(httptest.NewRequest(http.MethodGet, path, nil))
}
