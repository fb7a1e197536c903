package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/admin/access"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/memory"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/test/services"
)

// A replica is a host that shares a store with others, as a program has it.
type replica struct {
	*host
	t    *testing.T
	file string
	log  *lines
	env  map[string]string
}

// A fleet is replicas with one store and one broker in memory.
type fleet struct {
	t      *testing.T
	url    string
	broker *memory.Broker
	all    []*replica
	more   framework.Functions // that each replica has beside the named ones
}

const testKey = "0123456789 0123456789 0123456789"

func newFleet(t *testing.T, n int, sections string) *fleet {
	t.Helper()
	f := &fleet{t: t, url: services.Postgres(t), broker: new(memory.Broker)}
	for range n {
		f.start(sections, map[string]string{"FAIRLEAD_MASTER_KEY": testKey})
	}
	return f
}

// start adds a replica whose file has some sections beside the store.
func (f *fleet) start(sections string, env map[string]string, functions ...string) *replica {
	f.t.Helper()
	r := f.prepare(sections, env, functions...)
	r.begin()
	r.until("the store's configuration runs", func() bool { return r.sources.snapshot() != nil })
	return r
}

func (f *fleet) prepare(sections string, env map[string]string, functions ...string) *replica {
	f.t.Helper()
	own := make(framework.Functions)
	for _, name := range append(functions, "f", "g") {
		own[name] = framework.Sink(nothing)
	}
	h := newHost(own, f.more)
	r := &replica{h, f.t, filepath.Join(f.t.TempDir(), "fairlead.yaml"), new(lines), env}
	h.log = slog.New(slog.NewTextHandler(r.log, nil))
	h.drivers = map[string]connections.Driver{"memory": f.broker.Driver(), "stomp": h.drivers["stomp"], "amqp": h.drivers["amqp"]}
	r.save(f.url, sections)
	f.all = append(f.all, r)
	f.t.Cleanup(func() {
		if err := h.Stop(context.Background()); err != nil {
			f.t.Errorf("Stop: %v", err)
		}
	})
	return r
}

func (r *replica) save(url, sections string) {
	r.t.Helper()
	save(r.t, r.file, fmt.Sprintf("version: 1\nstore: {url: %q}\n%s", url, sections))
}

// begin starts the replica as Start does.
func (r *replica) begin() {
	r.t.Helper()
	cfg, err := r.readFile(r.file, func(name string) (string, bool) { v, ok := r.env[name]; return v, ok })
	if err != nil {
		r.t.Fatal(err)
	}
	run := func(cfg *config.Config) error { return r.host.Apply(r.life, cfg) }
	if err := run(cfg); err != nil {
		r.t.Fatal(err)
	}
	r.watch(run)
}

func (r *replica) until(what string, ok func() bool) {
	r.t.Helper()
	until(r.t, what, ok)
}

// edits returns what changes the configuration as somebody.
func (r *replica) edits() (backend, context.Context) {
	return r.Backend().(backend), access.With(r.t.Context(), access.Identity{Name: "jane", Role: access.Admin})
}

func (r *replica) put(kind, name, text string, version int64) admin.Object {
	r.t.Helper()
	b, ctx := r.edits()
	o, err := b.Put(ctx, kind, name, text, version)
	if err != nil {
		r.t.Fatal(err)
	}
	return o
}

// everywhere waits until something holds on all replicas.
func (f *fleet) everywhere(what string, ok func(*replica) bool) {
	f.t.Helper()
	for i, r := range f.all {
		until(f.t, fmt.Sprintf("on replica %d: %s", i, what), func() bool { return ok(r) })
	}
}

func calls(trigger, function string) func(*replica) bool {
	return func(r *replica) bool {
		t := r.triggers()[trigger]
		return t != nil && t.desired.trigger.Function == function
	}
}

// TestReplicasFollow makes each kind of change on one of three replicas.
func TestReplicasFollow(t *testing.T) {
	f := newFleet(t, 3, "connections: {m: {type: memory}}\n")
	created := f.all[0].put("triggers", "t", "connection: m\nqueue: in\nfunction: f\n", admin.NoVersion)
	if created.Owner != admin.StoreOwner || created.Version == 0 || created.Text != "connection: m\nqueue: in\nfunction: f\n" {
		t.Errorf("got %+v", created)
	}
	f.everywhere("the trigger calls f", calls("t", "f"))

	changed := f.all[1].put("triggers", "t", `{"connection": "m", "queue": "in", "function": "g"}`, created.Version)
	f.everywhere("the trigger calls g", calls("t", "g"))
	if changed.Version <= created.Version {
		t.Errorf("got version %d after %d", changed.Version, created.Version)
	}

	b, ctx := f.all[2].edits()
	_, err := b.Put(ctx, "triggers", "t", "connection: m\nqueue: in\nfunction: f\nconcurrency: 3\n", created.Version)
	conflict, ok := errors.AsType[*admin.VersionConflict](err)
	if !ok || conflict.Found != changed.Version || conflict.Difference != "  connection: m\n  queue: in\n- function: g\n+ function: f\n+ concurrency: 3\n" {
		t.Errorf("a change of an old version: got error %+v", err)
	}
	for version, want := range map[int64]bool{admin.NoVersion: false, created.Version: false, changed.Version: true} {
		if err := b.Delete(ctx, "triggers", "t", version); (err == nil) != want {
			t.Errorf("delete version %d: got error %v", version, err)
		}
	}
	f.everywhere("the trigger is gone", func(r *replica) bool { return r.triggers()["t"] == nil })
	if err := b.Delete(ctx, "triggers", "t", admin.AnyVersion); !errors.Is(err, admin.ErrNotFound) {
		t.Errorf("delete what is gone: got error %v", err)
	}

	f.everywhere("all replicas run generation 3, and say so", func(r *replica) bool {
		s := r.Backend().Status().Config
		return s.Stored == 3 && len(s.Replicas) == 3 && !slices.ContainsFunc(s.Replicas, func(r admin.Replica) bool { return r.Generation != 3 || r.Refused != "" })
	})
	page, err := b.Audit(ctx, admin.AuditFilter{Kind: "triggers"}, 0, 10)
	if err != nil || len(page.Entries) != 3 {
		t.Fatalf("got %d entries of the audit log, error %v", len(page.Entries), err)
	}
	var said []string
	for _, e := range page.Entries {
		said = append(said, fmt.Sprintf("%d %s %s %s %s.%s %q %q", e.Generation, e.Actor, e.Role, e.Action, e.Kind, e.Name, e.Before, e.After))
	}
	if diff := cmp.Diff([]string{
		`3 jane admin removed triggers.t "connection: m\nqueue: in\nfunction: g\n" ""`,
		`2 jane admin changed triggers.t "connection: m\nqueue: in\nfunction: f\n" "connection: m\nqueue: in\nfunction: g\n"`,
		`1 jane admin created triggers.t "" "connection: m\nqueue: in\nfunction: f\n"`,
	}, said); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
	first, err := b.Audit(ctx, admin.AuditFilter{}, 0, 2)
	if err != nil || len(first.Entries) != 2 || first.Next == 0 {
		t.Fatalf("got %+v, error %v", first, err)
	}
	if rest, err := b.Audit(ctx, admin.AuditFilter{}, first.Next, 2); err != nil || len(rest.Entries) != 1 || rest.Next != 0 {
		t.Errorf("got %+v, error %v", rest, err)
	}
}

// TestStoreRefuses asks for changes that are wrong: nothing changes.
func TestStoreRefuses(t *testing.T) {
	f := newFleet(t, 2, "connections: {m: {type: memory}}\n")
	r := f.all[0]
	r.put("connections", "n", "type: memory", admin.NoVersion)
	r.put("triggers", "t", "{connection: n, queue: in, function: f}", admin.NoVersion)
	f.everywhere("the trigger runs", calls("t", "f"))
	b, ctx := r.edits()
	generation := r.sources.snapshot().Generation
	for _, tt := range []struct {
		what string
		ask  func() error
		want error
		text string
	}{
		{"an object of the file", func() error { _, err := b.Put(ctx, "connections", "m", "type: memory", admin.AnyVersion); return err },
			admin.ErrConflict, "connections.m is owned by the file " + r.file},
		{"delete an object of the file", func() error { return b.Delete(ctx, "connections", "m", admin.AnyVersion) }, admin.ErrConflict, "owned by the file"},
		{"a wrong key", func() error {
			_, err := b.Put(ctx, "triggers", "t", "{connection: n, que: in, function: f}", admin.AnyVersion)
			return err
		},
			admin.ErrBadRequest, "triggers.t.que: found an unknown key"},
		{"no YAML", func() error { _, err := b.Put(ctx, "triggers", "t", "{connection: ", admin.AnyVersion); return err }, admin.ErrBadRequest, "triggers.t: YAML"},
		{"a kind that is none", func() error { _, err := b.Put(ctx, "http", "t", "{}", admin.AnyVersion); return err }, admin.ErrNotFound, "no kind"},
		{"a connection in use", func() error { return b.Delete(ctx, "connections", "n", admin.AnyVersion) }, admin.ErrBadRequest,
			`triggers.t.connection: found "n", expected a connection that exists: "m"`},
		{"a secret that is not there", func() error {
			_, err := b.Put(ctx, "functions", "f", `settings: {x: "${secret:none}"}`, admin.AnyVersion)
			return err
		}, admin.ErrBadRequest, "fairlead secret set none"},
	} {
		err := tt.ask()
		if !errors.Is(err, tt.want) || !strings.Contains(fmt.Sprint(err), tt.text) {
			t.Errorf("%s: got error %v", tt.what, err)
		}
	}
	if now := r.sources.snapshot().Generation; now != generation {
		t.Errorf("got generation %d, want %d as before", now, generation)
	}
	page, err := b.Audit(ctx, admin.AuditFilter{}, 0, 10)
	if err != nil || len(page.Entries) != 2 {
		t.Errorf("what was refused is in the audit log: %+v, error %v", page, err)
	}
}

// TestStoreWithoutStore asks for changes where there is no store.
func TestStoreWithoutStore(t *testing.T) {
	f := &fleet{t: t, broker: new(memory.Broker)}
	r := f.prepare("", nil)
	save(t, r.file, "version: 1\nstore: none\n")
	r.begin()
	b, ctx := r.edits()
	if _, err := b.Put(ctx, "connections", "m", "type: memory", admin.NoVersion); !errors.Is(err, admin.ErrNoStore) {
		t.Errorf("got error %v", err)
	}
	save(t, r.file, "version: 1\nstore: none\nsecurity: {s: {type: apikey, keys: ['${secret:x}']}}\n")
	r.until("it is said that there is no store", func() bool {
		return strings.Contains(r.Backend().Status().Config.Refused, "there is none")
	})
}

// TestPausesAreShared pauses triggers on one replica, among them one for HTTP
// requests.
func TestPausesAreShared(t *testing.T) {
	const sections = "connections: {m: {type: memory}}\ntriggers: {t: {connection: m, queue: in, function: f}, h: {http: POST /x, function: f}}\n"
	f := newFleet(t, 2, sections)
	b, ctx := f.all[0].edits()
	for _, trigger := range []string{"t", "h"} {
		if err := b.Pause(ctx, trigger); err != nil {
			t.Fatal(err)
		}
	}
	paused := func(want bool) func(*replica) bool {
		return func(r *replica) bool {
			s := r.Status().Triggers
			return (s["t"].State == "paused") == want && (s["h"].State == "paused") == want && (post(r, "/x") == http.StatusServiceUnavailable) == want
		}
	}
	f.everywhere("both triggers are paused", paused(true))
	f.start(sections, nil)
	f.everywhere("so they are on a new replica", paused(true))
	other, ctx := f.all[1].edits()
	for _, trigger := range []string{"t", "h"} {
		if err := other.Resume(ctx, trigger); err != nil {
			t.Fatal(err)
		}
	}
	f.everywhere("both triggers run", paused(false))
	if err := b.Pause(ctx, "nobody"); !errors.Is(err, admin.ErrNotFound) {
		t.Errorf("a trigger that there is not: got error %v", err)
	}
	if page, err := b.Audit(ctx, admin.AuditFilter{Action: admin.PausedAction}, 0, 10); err != nil || len(page.Entries) != 2 || page.Entries[0].Actor != "jane" {
		t.Errorf("got %+v, error %v", page, err)
	}
}

// post makes a request and returns the status of its answer.
func post(r *replica, path string) int {
	w := httptest.NewRecorder()
	r.Handle(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader("{}")))
	return w.Code
}

// TestOneOf200 changes one of 200 triggers of the store: the links of the others
// stay what they are.
func TestOneOf200(t *testing.T) {
	const n = 200
	f := newFleet(t, 2, "connections: {m: {type: memory}}\n")
	var document strings.Builder
	document.WriteString("triggers:\n")
	for i := range n {
		fmt.Fprintf(&document, "  t%d: {connection: m, queue: q%d, function: f}\n", i, i)
	}
	b, ctx := f.all[0].edits()
	done, err := b.Apply(ctx, admin.Document{Text: document.String()}, admin.ApplyOptions{})
	if err != nil || len(done.Objects) != n || done.Objects[0].Action != admin.Created || done.Generation != 1 {
		t.Fatalf("got %d objects, generation %d, error %v", len(done.Objects), done.Generation, err)
	}
	f.everywhere("all triggers run", func(r *replica) bool { return len(r.triggers()) == n })
	before := make(map[*replica]map[string]*runningTrigger)
	for _, r := range f.all {
		before[r] = maps.Clone(r.triggers())
	}
	begin := time.Now()
	f.all[1].put("triggers", "t7", "{connection: m, queue: q7, function: g}", admin.AnyVersion)
	written := time.Since(begin)
	f.everywhere("the trigger calls g", calls("t7", "g"))
	t.Logf("one of %d triggers changed: on the replica that was asked after %v, on all after %v", n, written, time.Since(begin))
	for _, r := range f.all {
		for name, now := range r.triggers() {
			if (now == before[r][name]) == (name == "t7") {
				t.Errorf("trigger %s: same is %v", name, now == before[r][name])
			}
		}
	}
	fewer := strings.Replace(document.String(), "  t7: {connection: m, queue: q7, function: f}\n", "", 1)
	done, err = b.Apply(ctx, admin.Document{Text: fewer}, admin.ApplyOptions{Prune: true})
	if err != nil || done.Generation != 3 {
		t.Fatalf("got generation %d, error %v", done.Generation, err)
	}
	for _, o := range done.Objects {
		if want := map[bool]string{true: admin.Removed, false: admin.Unchanged}[o.Name == "t7"]; o.Action != want {
			t.Errorf("%s was %s, want %s", o.Name, o.Action, want)
		}
	}
	f.everywhere("it is gone", func(r *replica) bool { return len(r.triggers()) == n-1 })
	export, err := b.Export(ctx)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := f.all[1].Backend().Plan(ctx, export)
	if err != nil || len(plan.Steps) != 0 {
		t.Errorf("the plan of an export is %+v, error %v", plan, err)
	}
	done, err = b.Apply(ctx, export, admin.ApplyOptions{DryRun: true, Prune: true})
	if err != nil || len(done.Plan.Steps) != 0 {
		t.Errorf("to apply an export would do %+v, error %v", done.Plan, err)
	}
}

// TestRefusedEverywhere makes changes that a broker refuses: no replica runs them,
// and the store does not have them.
func TestRefusedEverywhere(t *testing.T) {
	f := &fleet{t: t, url: services.Postgres(t), broker: new(memory.Broker)}
	const sections = "connections: {m: {type: memory}}\ntriggers: {t: {connection: m, queue: in, function: f}}\n"
	for range 2 {
		r := f.prepare(sections, nil)
		(&rig{host: r.host}).refuseQueue("closed")
		r.begin()
		r.until("the store's configuration runs", func() bool { return r.sources.snapshot() != nil })
	}
	f.all[0].put("triggers", "s", "{connection: m, queue: open, function: f}", admin.NoVersion)
	f.everywhere("the trigger runs", calls("s", "f"))
	b, ctx := f.all[0].edits()
	_, err := b.Put(ctx, "triggers", "s", "{connection: m, queue: closed, function: g}", admin.AnyVersion)
	if !errors.Is(err, admin.ErrRefused) || !strings.Contains(err.Error(), "triggers.s: receive from closed: refused: no such queue") {
		t.Errorf("got error %v", err)
	}
	if got := b.Status().Triggers[0].Refused; got != "new config refused: receive from closed: refused: no such queue" {
		t.Errorf("the status of the trigger says %q", got)
	}
	f.everywhere("the trigger still calls f", calls("s", "f"))
	if page, err := b.Audit(ctx, admin.AuditFilter{}, 0, 10); err != nil || len(page.Entries) != 1 {
		t.Errorf("got %+v, error %v", page, err)
	}
	f.all[1].put("triggers", "s", "{connection: m, queue: open, function: g}", admin.AnyVersion)
	f.everywhere("the next change is made", calls("s", "g"))
	f.all[0].until("nothing is refused any more", func() bool { return b.Status().Triggers[0].Refused == "" })
}

// TestStoreIsDown changes the configuration while the store is out of reach.
func TestStoreIsDown(t *testing.T) {
	direct := services.Postgres(t)
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(http.DefaultClient.CloseIdleConnections) // the proxy's
	proxy := services.Proxy(t, u.Host)
	u.Host = proxy.Addr
	f := &fleet{t: t, url: u.String(), broker: new(memory.Broker)}
	const sections = "connections: {m: {type: memory}}\ntriggers: {t: {connection: m, queue: in, function: %s}}\n"
	r := f.start(fmt.Sprintf(sections, "f"), nil)
	r.put("triggers", "s", "{connection: m, queue: open, function: f}", admin.NoVersion)
	other := &fleet{t: t, url: direct, broker: f.broker}
	near := other.start(fmt.Sprintf(sections, "f"), nil)
	before := r.triggers()["s"]

	proxy.Cut()
	b, ctx := r.edits()
	if _, err := b.Put(ctx, "triggers", "s", "{connection: m, queue: open, function: g}", admin.AnyVersion); !errors.Is(err, admin.ErrUnavailable) {
		t.Errorf("a change without the store: got error %v", err)
	}
	if err := b.Pause(ctx, "t"); !errors.Is(err, admin.ErrUnavailable) {
		t.Errorf("a pause without the store: got error %v", err)
	}
	near.put("triggers", "s", "{connection: m, queue: other, function: f}", admin.AnyVersion)
	r.save(f.url, fmt.Sprintf(sections, "g"))
	r.until("the file is followed", func() bool { return calls("t", "g")(r) })
	if r.triggers()["s"] != before {
		t.Error("the trigger of the store does not run on")
	}
	proxy.Restore()
	r.until("the store is followed", func() bool { return r.triggers()["s"].desired.trigger.Source.(*memory.Source).Queue == "other" })
}

// TestWriterIsCutOff ends the session of a change before it is committed, as the
// death of its program does: nothing of it is left.
func TestWriterIsCutOff(t *testing.T) {
	f := newFleet(t, 2, "connections: {m: {type: memory}}\n")
	r := f.all[0]
	r.put("triggers", "t", "{connection: m, queue: in, function: f}", admin.NoVersion)
	f.everywhere("the trigger calls f", calls("t", "f"))
	db := (&storeRig{t: t, url: f.url}).db()
	var once sync.Once
	kill := r.drivers["memory"]
	open := kill.Open
	kill.Open = func(name string, settings any) (connections.Dial, error) {
		dial, err := open(name, settings)
		return func(ctx context.Context) (connections.Conn, error) {
			if name == "doomed" {
				once.Do(func() {
					const sql = `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and state = 'idle in transaction'`
					if _, err := db.Exec(ctx, sql); err != nil {
						t.Error(err)
					}
				})
			}
			return dial(ctx)
		}, err
	}
	r.drivers["memory"] = kill
	b, ctx := r.edits()
	_, err := b.Apply(ctx, admin.Document{Text: "connections: {doomed: {type: memory}}\ntriggers: {t: {connection: doomed, queue: in, function: g}}\n"}, admin.ApplyOptions{})
	if err == nil {
		t.Fatal("a change whose transaction was ended: no error")
	}
	f.everywhere("the trigger calls f", func(r *replica) bool { return calls("t", "f")(r) && len(r.config.Load().Connections) == 1 })
	r.put("triggers", "t", "{connection: m, queue: in, function: g}", admin.AnyVersion)
	f.everywhere("the trigger calls g", calls("t", "g"))
}

// TestManyWriters changes other objects on three replicas at once, and one on all of
// them: nobody's change is lost.
func TestManyWriters(t *testing.T) {
	f := newFleet(t, 3, "connections: {m: {type: memory}}\n")
	const each = 5
	won := make(chan int, len(f.all))
	var all sync.WaitGroup
	for i, r := range f.all {
		all.Go(func() {
			b, ctx := r.edits()
			for n := range each {
				name := fmt.Sprintf("t%d-%d", i, n)
				if _, err := b.Put(ctx, "triggers", name, "{connection: m, queue: "+name+", function: f}", admin.NoVersion); err != nil {
					t.Error(err)
				}
			}
			_, err := b.Put(ctx, "triggers", "same", fmt.Sprintf("{connection: m, queue: in%d, function: f}", i), admin.NoVersion)
			if _, conflict := errors.AsType[*admin.VersionConflict](err); err != nil && !conflict {
				t.Error(err)
			} else if err == nil {
				won <- i
			}
		})
	}
	all.Wait()
	if len(won) != 1 {
		t.Fatalf("%d replicas made the same trigger, want one", len(won))
	}
	queue := fmt.Sprintf("in%d", <-won)
	f.everywhere("all triggers run", func(r *replica) bool {
		same := r.triggers()["same"]
		return len(r.triggers()) == len(f.all)*each+1 && same.desired.trigger.Source.(*memory.Source).Queue == queue
	})
	f.everywhere("every change is a generation", func(r *replica) bool {
		return r.sources.snapshot().Generation == int64(len(f.all)*each+1)
	})
}

// TestFileIsAudited changes the file of two replicas.
func TestFileIsAudited(t *testing.T) {
	f := newFleet(t, 2, "connections: {m: {type: memory}}\n")
	const more = "connections: {m: {type: memory}}\ntriggers: {t: {connection: m, queue: in, function: f}}\n"
	for _, r := range f.all {
		r.save(f.url, more)
	}
	f.everywhere("the trigger of the file runs", calls("t", "f"))
	b, ctx := f.all[0].edits()
	var page admin.AuditPage
	f.all[0].until("the file is in the audit log", func() bool {
		var err error
		page, err = b.Audit(ctx, admin.AuditFilter{}, 0, 10)
		return err == nil && len(page.Entries) > 0
	})
	if e := page.Entries[0]; len(page.Entries) != 1 || e.Actor != "file fairlead.yaml" || e.Action != admin.Created || e.After != "connection: m\nqueue: in\nfunction: f\n" {
		t.Errorf("got %+v", page.Entries)
	}
}

// TestTriggersThatWait has a trigger in the store for a function that one replica
// lacks, and an object that one replica's file owns.
func TestTriggersThatWait(t *testing.T) {
	f := &fleet{t: t, url: services.Postgres(t), broker: new(memory.Broker)}
	r := f.start("connections: {m: {type: memory}}\n", nil, "newer")
	r.put("triggers", "t", "{connection: m, queue: in, function: newer}", admin.NoVersion)
	r.put("bindings", "out", "{connection: m}", admin.NoVersion)
	older := f.start("connections: {m: {type: memory}}\nbindings: {out: {connection: m, queue: mine}}\n", nil)
	if !calls("t", "newer")(r) {
		t.Error("the trigger does not run where its function is")
	}
	s := older.Backend().Status()
	if len(s.Triggers) != 1 || s.Triggers[0].State != admin.Waiting || !strings.Contains(s.Triggers[0].Error, "waits for the function newer") {
		t.Errorf("got %+v", s.Triggers)
	}
	if diff := cmp.Diff([]string{"bindings.out"}, s.Config.Shadowed); diff != "" {
		t.Errorf("shadowed (-want +got):\n%s", diff)
	}
	o, err := older.Backend().Object(t.Context(), "triggers", "t")
	if err != nil || o.Owner != admin.StoreOwner || o.State != admin.Waiting {
		t.Errorf("got %+v, error %v", o, err)
	}
}
