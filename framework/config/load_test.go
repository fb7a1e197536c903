package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
)

// everything is the document that has every section and every form of a value.
func everything(t *testing.T) *config.Config {
	t.Helper()
	c, err := config.Load("testdata/good/everything.yaml", options())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGoodDocumentsAreAccepted(t *testing.T) {
	for name, text := range goodDocuments(t) {
		if _, err := config.Parse([]byte(text), name, options()); err != nil {
			t.Errorf("%v", err)
		}
	}
}

// goodDocuments returns the documents in testdata/good by their names.
func goodDocuments(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d files, %v", len(files), err)
	}
	all := make(map[string]string)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[file] = string(data)
	}
	return all
}

func TestConnections(t *testing.T) {
	off, never, verify, enabled := connections.Reconnect{Off: true}, time.Duration(0), false, true
	tls := &connections.TLS{CA: "testdata/good/ca.pem", Cert: "/etc/c.pem", KeyPassword: "geheim", MinVersion: "1.2", Verify: &verify}
	want := map[string]config.Connection{
		"main": {Type: "test", Reconnect: connections.Reconnect{First: time.Second}, Settings: &broker{
			URL: "test://user:geheim@host", User: "0123", Password: "geheim", Limit: 7, CCSID: 1208, Factor: 1.5, Idle: 3 * time.Second,
			Heartbeat: &never, JMS: true, TLS: tls, Headers: map[string]string{"n": "12345678901234567890", "e": "1e5", "empty": ""},
			SASL: sasl{Mechanisms: []string{"PLAIN", "EXTERNAL"}, Enabled: &enabled}, Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		}},
		"again":     {Type: "test", Reconnect: off, Settings: &broker{URLs: []string{"a", "b"}, TLS: tls, Password: "$$${x}"}},
		"merged":    {Type: "test", Settings: &broker{URLs: []string{"c"}, TLS: tls, Password: "$$${x}"}},
		"other.one": {Type: "plain", Settings: &plain{Channel: "C"}},
	}
	if diff := cmp.Diff(want, everything(t).Connections); diff != "" {
		t.Errorf("connections (-want +got):\n%s", diff)
	}
}

func TestTriggersWithTheirDefaults(t *testing.T) {
	attempts := 0
	want := map[string]config.Trigger{
		"in": {Connection: "main", Function: "greet", Format: "json", Concurrency: 40, Prefetch: 40, Retry: &config.Retry{Attempts: &attempts, First: time.Minute},
			Source: &source{Destination: connections.Destination{Queue: "CUSTOMER.1"}, Selector: "colour = 'red'"}},
		"orders": {Connection: "main", Function: "order.received", Concurrency: 1, Prefetch: 32, Ordered: true, DeadLetter: "open/dead", EventID: "header:x-id", ReplyTo: "answers",
			Source: &source{Destination: connections.Destination{Topic: "t"}}},
		"numbers": {Connection: "other.one", Function: "greet", Concurrency: 1, Prefetch: 3, DeadLetter: "store",
			Source: &plainSource{Destination: connections.Destination{Topic: "t"}, Subscription: 5}},
		"on-order": {Function: "order.index", Concurrency: 1, Prefetch: 32, StoreTopic: config.StoreTopic{Topic: "orders.created"}},
	}
	c := everything(t)
	if diff := cmp.Diff(want, c.Triggers); diff != "" {
		t.Errorf("triggers (-want +got):\n%s", diff)
	}
	policies := map[string]framework.RetryPolicy{
		"in":       {Attempts: 0, First: time.Minute, Max: time.Minute}, // first raises the function's max
		"orders":   config.DefaultRetry(),
		"numbers":  {Attempts: 9, First: 200 * time.Millisecond, Max: 10 * time.Second},
		"on-order": config.DefaultPublishedRetry(),
	}
	for name, want := range policies {
		if got := c.RetryOf(c.Triggers[name]); got != want {
			t.Errorf("RetryOf(%s): got %+v, want %+v", name, got, want)
		}
	}
	for name, want := range map[string]string{"in": "", "orders": "open/dead", "numbers": "store"} {
		if got := c.DeadLetterOf(c.Triggers[name]); got != want {
			t.Errorf("DeadLetterOf(%s): got %q, want %q", name, got, want)
		}
	}
	if got := c.DeadLetterOf(config.Trigger{Function: "order.received"}); got != "fixed" {
		t.Errorf("DeadLetterOf a trigger without its own: got %q, want the function's", got)
	}
}

func TestTheRest(t *testing.T) {
	direct, notify := true, false
	want := &config.Config{
		Version: 1, Grace: 10 * time.Second, File: "testdata/good/everything.yaml",
		Store: config.Store{URL: "postgres://app:geheim@db/app", Schema: "events", Notify: &notify},
		HTTP:  config.HTTP{Listen: ":8080", Function: "greet", Direct: &direct, MaxBody: 1024},
		Admin: config.Admin{Listen: "off"},
		Bindings: map[string]config.Binding{
			"open":  {Connection: "main", Target: &target{}},
			"fixed": {Connection: "again", Target: &target{Destination: connections.Destination{Queue: "there"}, Headers: map[string]string{"a": "b"}}},
			"audit": {Connection: "again", Outbox: true, Target: &target{Destination: connections.Destination{Topic: "audit"}}},
		},
		Examples: map[string]config.Example{
			"hello": {Binding: "open", Destination: "q", Data: "World", Answer: "replies"},
			"fixed": {Binding: "fixed", Data: "5"},
		},
	}
	c := everything(t)
	ignored := cmpopts.IgnoreFields(config.Config{}, "Connections", "Triggers", "Functions")
	if diff := cmp.Diff(want, c, ignored, cmpopts.IgnoreUnexported(config.Config{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := c.TimeoutOf("greet"); got != 5*time.Second {
		t.Errorf("TimeoutOf(greet): got %v, want 5s", got)
	}
	if got := c.TimeoutOf("unmentioned"); got != config.DefaultTimeout {
		t.Errorf("TimeoutOf(unmentioned): got %v, want the default", got)
	}
	if got := c.Dir(); got != "testdata/good" {
		t.Errorf("Dir: got %q", got)
	}
}

func TestEmptyIsTheLeastDocument(t *testing.T) {
	got := parse(t, "version: 1\n")
	want := config.Empty()
	want.File = got.File
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(config.Config{})); diff != "" {
		t.Errorf("(-Empty +got):\n%s", diff)
	}
	if got.Grace != config.DefaultGrace || got.HTTP.Listen != config.DefaultListen || got.HTTP.MaxBody != config.DefaultMaxBody || got.Store.Schema != config.DefaultSchema {
		t.Errorf("defaults: got %+v", got)
	}
	if got.Admin.Listen != "" {
		t.Errorf("admin.listen: got %q; it has no default, since the next free port does, too", got.Admin.Listen)
	}
}

func TestAnEmptyStoreURLIsLeftOut(t *testing.T) {
	for _, url := range []string{`""`, `"${env:EMPTY}"`, `"${env:NOPE:-}"`} {
		c := parse(t, "version: 1\nstore: {url: "+url+"}\n")
		if c.Store != config.Empty().Store {
			t.Errorf("%s: got %+v", url, c.Store)
		}
	}
}

func TestProgramsWithoutAPostgres(t *testing.T) {
	o := options()
	o.NoPostgres, o.Secret = true, nil
	const document = `version: 1
store: {url: "${env:NOWHERE:-}"}
connections: {main: {type: test, url: u, password: "${secret:known}"}}
triggers: {a: {topic: t, function: greet}}
bindings: {audit: {connection: main, topic: audit, outbox: true}}
functions: {greet: {deadLetter: store}}
`
	const want = `fairlead.yaml:3:52: connections.main.password: found ${secret:known}, expected ${env:NAME} or ${file:PATH}: secrets are kept in the store, which cannot be asked here
fairlead.yaml:4:23: triggers.a.topic: found a topic of the store, expected connection, too, or store.url: this program starts no Postgres of its own
fairlead.yaml:5:60: bindings.audit.outbox: found true, expected false, or store.url: this program starts no Postgres of its own
fairlead.yaml:6:33: functions.greet.deadLetter: found store, expected BINDING or BINDING/DESTINATION, or store.url: this program starts no Postgres of its own`
	if diff := cmp.Diff(want, problemsOf(t, document, o).Error()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	for document, none := range map[string]bool{"version: 1\n": true, "version: 1\nstore: none\n": true, "version: 1\nstore: {url: u}\n": false} {
		cfg, err := config.Parse([]byte(document), "fairlead.yaml", o)
		if err != nil || cfg.Store.None != none {
			t.Errorf("%q: got %+v, %v; want no store: %t", document, cfg, err, none)
		}
	}
}

func TestLongListsAndTextsAreCut(t *testing.T) {
	o := options()
	o.Functions = nil
	for i := range 50 {
		o.Functions = append(o.Functions, fmt.Sprintf("f%02d", i))
	}
	long := strings.Repeat("x", 200)
	got := problemsOf(t, "version: 1\nfunctions: {"+long+": {retry: "+strings.Repeat("ü", 200)+"}, f4x: }\n", o)
	const list = "f00, f01, f02, f03, f04, f05, f06, f07, f08, f09, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29 and 20 more"
	want := config.Problems{
		{File: "fairlead.yaml", Line: 2, Column: 13, Path: "functions." + long, Found: `"` + long + `"`, Expected: "a function that exists: one of: " + list},
		{File: "fairlead.yaml", Line: 2, Column: 223, Path: "functions." + long + ".retry", Found: `"` + strings.Repeat("ü", 60) + `…"`, Expected: "keys with values"},
		{File: "fairlead.yaml", Line: 2, Column: 426, Path: "functions.f4x", Found: `"f4x"`, Expected: `a function that exists: "f40", or another of: ` + list},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestUncheckedFunctions(t *testing.T) {
	o := options()
	o.Functions = nil
	if _, err := config.Parse([]byte("version: 1\nfunctions: {whatever: {timeout: 1s}}\n"), "fairlead.yaml", o); err != nil {
		t.Errorf("without a list any name will do: %v", err)
	}
	o.Functions = []string{}
	problemsOf(t, "version: 1\nfunctions: {whatever: {timeout: 1s}}\n", o)
}

func TestFilesBesideTheDocument(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "fairlead.yaml")
	for name, text := range map[string]string{
		"pw":            "geheim\r\n\n",
		"fairlead.yaml": "\ufeffversion: 1\r\nconnections:\r\n  a: {type: test, url: u, password: \"${file:pw}\", tls: {ca: ca.pem, cert: /c.pem}}\r\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(file, options())
	if err != nil {
		t.Fatal(err)
	}
	got := c.Connections["a"].Settings.(*broker)
	if got.Password != "geheim" || got.TLS.CA != filepath.Join(dir, "ca.pem") || got.TLS.Cert != "/c.pem" || c.Dir() != dir {
		t.Errorf("got %+v %+v", got, got.TLS)
	}
}

func TestAMissingFileIsNoProblemOfTheDocument(t *testing.T) {
	_, err := config.Load(filepath.Join(t.TempDir(), "fairlead.yaml"), options())
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
	_, err = config.Parse([]byte("version: 1\nstore: {url: \"${file:nope}\"}\n"), "", options())
	if _, ok := errors.AsType[config.Problems](err); !ok || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file in a reference: got %v, want Problems that are not fs.ErrNotExist", err)
	}
}

// TestBounds checks that what would cost much time or memory is refused before
// it does.
func TestBounds(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("version: 1\nfunctions:\n  greet:\n    settings:\n      a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := range 12 {
		fmt.Fprintf(&bomb, "      a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 8), i)
	}
	var merges strings.Builder
	merges.WriteString("a0: &a0 {k0: 1}\n")
	for i := range 1000 {
		fmt.Fprintf(&merges, "a%d: &a%d {<<: *a%d, k%d: 1}\n", i+1, i+1, i, i+1)
	}
	for name, tt := range map[string]struct{ document, want string }{
		"alias bomb":    {bomb.String(), "more than 100000 values"},
		"merge bomb":    {merges.String(), "more than 100000 values"},
		"deep list":     {"a: " + strings.Repeat("[", 50_000), "more than 100 levels"},
		"deep map":      {strings.Repeat("{a: ", 50_000), "more than 100 levels"},
		"deep dashes":   {strings.Repeat("- ", 50_000) + "x", "more than 100 levels"},
		"many tokens":   {strings.Repeat("a: b\n", 40_000), "more than 100 levels or 100000 tokens"},
		"long":          {strings.Repeat("#", 1<<20+1), "more than 1 MiB"},
		"invalid UTF-8": {"version: 1\ngrace: ü\xff\n", "fairlead.yaml:2:9: found bytes that are not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			got := problemsOf(t, tt.document, options())
			if text := got.Error(); len(got) != 1 || !strings.Contains(text, tt.want) {
				t.Errorf("got %d problems, %.200s; want one with %q", len(got), text, tt.want)
			}
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestDeepAliasesAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("version: 1\nfunctions:\n  greet:\n    settings:\n      a0: &a0 x\n")
	for i := range 60 {
		fmt.Fprintf(&b, "      a%d: &a%d %s*a%d%s\n", i+1, i+1, strings.Repeat("[", 99), i, strings.Repeat("]", 99))
	}
	problemsOf(t, b.String(), options())
}

// FuzzParse checks that any input is either a document or a list of problems,
// each with a place and a text.
func FuzzParse(f *testing.F) {
	for _, text := range goodDocuments(f) {
		f.Add(text)
	}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		for _, g := range readGoldens(f, file) {
			f.Add(g.document)
		}
	}
	f.Add("a: &a {<<: *a}\n? [b]: c\n- d")
	f.Add("version: 1\nfunctions: {greet: {settings: &x [*x, !!str ~, <<]}}")
	f.Add("&a : *a\n*a : &b\n? *b\n: {? , ? x : <<}")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "${file:") {
			return // it would read whatever there is
		}
		c, err := config.Parse([]byte(text), "fairlead.yaml", options())
		if err == nil {
			_ = c.String()
			if d := config.Diff(c, c); len(d) > 0 {
				t.Errorf("a document differs from itself: %v", d)
			}
			return
		}
		problems, ok := errors.AsType[config.Problems](err)
		if !ok || len(problems) == 0 {
			t.Fatalf("got a %T: %v", err, err)
		}
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.Expected == "" && p.Message == "" || strings.Contains(p.String(), "\n") {
				t.Fatalf("got %+v, want a place and one line of text", p)
			}
		}
	})
}
