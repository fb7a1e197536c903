package config

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/memory"
	"github.com/fairlead/fairlead/connections/stomp"
)

func objects(t *testing.T, texts ...string) (all []Object) {
	t.Helper()
	for _, text := range texts {
		path, spec, _ := strings.Cut(text, ": ")
		kind, name, _ := strings.Cut(path, ".")
		o, err := NewObject(kind, name, spec)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

func storeOptions(objects ...Object) Options {
	return Options{
		Drivers:   map[string]connections.Driver{"memory": memory.Driver(), "stomp": stomp.Driver()},
		Functions: []string{"f"},
		Objects:   objects,
		Secret: func(name string) (string, error) {
			switch name {
			case "later":
				return "", fmt.Errorf("ask: %w", ErrNotYet)
			case "known", PasswordSecret("known"):
				return "the value of " + name, nil
			}
			return "", errors.New("there is none of that name")
		},
	}
}

// Objects of the store are part of the document: references lead both ways, and
// the file's own win.
func TestObjectsAreMerged(t *testing.T) {
	const file = `version: 1
connections: {a: {type: memory}}
triggers: {t1: {connection: b, queue: in, function: f}}
`
	c, err := Parse([]byte(file), "fairlead.yaml", storeOptions(objects(t,
		"connections.a: {type: memory, limit: 3}",
		"connections.b: {type: memory, limit: 4}",
		`triggers.t2: {"connection": "a", "queue": "in", "function": "f", "concurrency": 2}`,
		"bindings.out: {connection: a, queue: there}",
		"functions.f: {timeout: 3s}",
	)...))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Connections["a"].Settings.(*memory.Connection).Limit; got != 0 {
		t.Errorf("connection a has the limit %d of the store, want the file's", got)
	}
	if c.Connections["b"].Settings.(*memory.Connection).Limit != 4 || c.Triggers["t2"].Concurrency != 2 || c.Functions["f"].Timeout == 0 {
		t.Errorf("objects of the store are missing: %s", c)
	}
	if diff := cmp.Diff([]string{"connections.a"}, c.Shadowed()); diff != "" {
		t.Errorf("shadowed (-want +got):\n%s", diff)
	}
	if c.Stored("connections", "a") || !c.Stored("connections", "b") || !c.Has("connections", "a") || c.Has("connections", "x") {
		t.Error("who owns what is wrong")
	}
	if diff := cmp.Diff("type: memory\nlimit: 4\n", c.ExportObject("connections", "b")); diff != "" {
		t.Errorf("an object (-want +got):\n%s", diff)
	}
	again, err := Parse([]byte(c.Export()), "export.yaml", storeOptions())
	if err != nil {
		t.Fatal(err)
	}
	if d := Diff(c, again); len(d) > 0 {
		t.Errorf("the export differs: %v", d)
	}
}

// Problems with objects of the store have no lines, those of an applied document
// have its own.
func TestObjectsProblems(t *testing.T) {
	const applied = `
connections:
  c: {type: memory, limit: many}
`
	fromDocument, _, err := Objects([]byte(applied), "next.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Parse([]byte("version: 2\n"), "fairlead.yaml", storeOptions(append(objects(t,
		"connections.a: {type: memory, limit: few}",
		"connections.b: {type: memory, limit: few}",
		"triggers.t: {connection: nobody, queue: in, function: f}",
	), fromDocument...)...))
	const want = `fairlead.yaml:1:10: version: found 2, expected 1
connections.a.limit: found "few", expected a whole number
connections.b.limit: found "few", expected a whole number
triggers.t.connection: found "nobody", expected a connection that exists: one of: a, b, c
next.yaml:3:28: connections.c.limit: found "many", expected a whole number`
	if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNewObjectRefuses(t *testing.T) {
	for _, tt := range []struct{ kind, name, text, want string }{
		{"connections", "a", "{type: ", "connections.a: YAML"},
		{"http", "a", "{}", `found the kind "http"`},
		{"triggers", "", "{}", "and a name"},
		{"triggers", "t", "a: 1\n---\nb: 2", "found another document"},
	} {
		if _, err := NewObject(tt.kind, tt.name, tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got error %v", tt, err)
		}
	}
}

// What the store asks of a program that it cannot do yet waits.
func TestObjectsThatWait(t *testing.T) {
	const file = `version: 1
connections:
  locked: {type: stomp, url: "stomp://127.0.0.1", user: u}
  known: {type: stomp, url: "stomp://127.0.0.1", user: u}
  later: {type: stomp, url: "${secret:later}", user: u, password: p}
triggers:
  t: {connection: later, queue: in, function: f}
  u: {connection: known, queue: "${secret:later}", function: f}
`
	c, err := Parse([]byte(file), "fairlead.yaml", storeOptions(objects(t,
		"triggers.newer: {connection: known, queue: in, function: g}",
		"functions.g: {timeout: 3s}",
	)...))
	if err != nil {
		t.Fatal(err)
	}
	why := make(map[string]string)
	for _, name := range []string{"locked", "known", "later"} {
		why[name] = c.Locked("connections", name)
	}
	if diff := cmp.Diff(map[string]string{
		"locked": "no password is set; set one with: fairlead password locked", "known": "",
		"later": "it refers to a secret, and the store has not answered yet",
	}, why); diff != "" {
		t.Errorf("locked (-want +got):\n%s", diff)
	}
	if got := c.Connections["known"].Settings.(*stomp.Connection).Password; got != "the value of connections.known.password" {
		t.Errorf("got the password %q", got)
	}
	waiting := make(map[string]string)
	for name, w := range c.Waiting {
		waiting[name] = w.Why
	}
	if diff := cmp.Diff(map[string]string{
		"newer": "waits for the function g, which this program does not have", "u": "it refers to a secret, and the store has not answered yet",
	}, waiting); diff != "" {
		t.Errorf("waiting (-want +got):\n%s", diff)
	}
	if _, ok := c.Triggers["t"]; !ok || len(c.Triggers) != 1 {
		t.Errorf("got triggers %v, want t alone", maps.Keys(c.Triggers))
	}
	if diff := cmp.Diff([]string{"connections.known"}, c.SecretUsers()["connections.known.password"]); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	if _, err := Parse([]byte(strings.Replace(file, "function: f", "function: g", 1)), "fairlead.yaml", storeOptions()); err == nil {
		t.Error("a trigger of the file without its function: no error")
	}
}

// Secrets in clear leave an object when it is stored.
func TestObjectsSecrets(t *testing.T) {
	o := objects(t, `connections.c: {type: stomp, url: "stomp://127.0.0.1", user: u, password: geheim}`)[0]
	c, err := Parse([]byte("version: 1\n"), "fairlead.yaml", storeOptions(o))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"connections.c.password": "geheim"}, c.SecretsOf("connections", "c")); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
	text := c.ExportObject("connections", "c")
	if strings.Contains(text, "geheim") || !strings.Contains(text, `password: "${secret:connections.c.password}"`) {
		t.Errorf("got %s", text)
	}
	if !c.Same(o) || !c.Same(objects(t, "connections.c: "+text)[0]) || c.Same(objects(t, "connections.c: {type: stomp}")[0]) {
		t.Error("what is the same is not told from what differs")
	}
	if secret, own := c.PasswordReference("c"); secret != "connections.c.password" || !own {
		t.Errorf("got %q, %v: the password in clear has to be replaced", secret, own)
	}
	with, err := o.WithReference("password", "x")
	if err != nil || !strings.Contains(with.Text, "password: \"${secret:x}\"\n") || strings.Contains(with.Text, "geheim") {
		t.Errorf("got %q, %v", with.Text, err)
	}
}

func TestRestDiffers(t *testing.T) {
	c, err := Parse([]byte("version: 1\ngrace: 3s\nstore: {url: postgres://u:geheim@h/d}\n"), "fairlead.yaml", storeOptions())
	if err != nil {
		t.Fatal(err)
	}
	for document, want := range map[string][]string{
		"version: 1\nstore: {url: postgres://u:geheim@h/d}": nil,
		"grace: 3s\nstore: {url: '${secret:store.url}'}":    nil,
		"grace: 4s\nhttp: {maxBody: 1}\nversion: 1":         {"grace", "http"},
		"store: {url: postgres://u:other@h/d}":              {"store"},
	} {
		_, rest, err := Objects([]byte(document), "next.yaml")
		if diff := cmp.Diff(want, c.Differs(rest)); err != nil || diff != "" {
			t.Errorf("%s: error %v (-want +got):\n%s", document, err, diff)
		}
	}
}
