package config_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework/config"
)

// compiled returns the schema, ready to validate.
func compiled(t testing.TB, drivers map[string]connections.Driver) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.Schema(drivers)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// instance returns a document as an editor's YAML support hands it to a
// validator.
func instance(t testing.TB, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	v, err = jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTheSchemaAcceptsWhatLoadAccepts(t *testing.T) {
	s := compiled(t, drivers())
	for name, text := range goodDocuments(t) {
		if err := s.Validate(instance(t, text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{
		`connections: {a: {type: test, url: u, idle: 1.5h30m, heartbeat: +2s, tls: , sasl: {mechanisms: }, reconnect: "false"}}`,
		`connections: {a: {type: test, url: u, heartbeat: ".5s", tls: {minVersion: "1.3"}}}`,
		`connections: {a: {type: "${env:KIND}", url: u}}`,
		`store: "${env:NO_SUCH:-none}"`,
	} {
		text = "version: 1\n" + text
		parse(t, text)
		if err := s.Validate(instance(t, text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestTheSchemaRefusesWhatLoadRefuses(t *testing.T) {
	s := compiled(t, drivers())
	for _, text := range []string{
		`5`,
		`grace: 1s`,
		`{version: 2}`,
		`{version: "1"}`,
		`{version: 1, foo: 1}`,
		`{version: 1, grace: 10}`,
		`{version: 1, grace: -1s}`,
		`{version: 1, grace: 10 s}`,
		`{version: 1, store: all}`,
		`{version: 1, store: {ulr: x}}`,
		`{version: 1, http: {direct: "yes"}}`,
		`{version: 1, http: {maxBody: 1.5}}`,
		`{version: 1, admin: 8183}`,
		`{version: 1, connections: [a]}`,
		`{version: 1, connections: {a: }}`,
		`{version: 1, connections: {a: {url: u}}}`,
		`{version: 1, connections: {a: {type: nope}}}`,
		`{version: 1, connections: {"a b": {type: test, url: u}}}`,
		`{version: 1, connections: {a: {type: test, url: u, channel: c}}}`,
		`{version: 1, connections: {a: {type: plain, channel: c, url: u}}}`,
		`{version: 1, connections: {a: {type: plain}}}`,
		`{version: 1, connections: {a: {type: test, url: true}}}`,
		`{version: 1, connections: {a: {type: test, url: u, limit: many}}}`,
		`{version: 1, connections: {a: {type: test, url: u, ccsid: -1}}}`,
		`{version: 1, connections: {a: {type: test, url: u, urls: u}}}`,
		`{version: 1, connections: {a: {type: test, url: u, tls: {verfiy: true}}}}`,
		`{version: 1, connections: {a: {type: test, url: u, tls: {minVersion: 1.1}}}}`,
		`{version: 1, connections: {a: {type: test, url: u, headers: {a: []}}}}`,
		`{version: 1, connections: {a: {type: test, url: u, reconnect: never}}}`,
		`{version: 1, connections: {a: {type: test, url: u, reconnect: {frist: 1s}}}}`,
		`{version: 1, triggers: {t: {topic: a, functoin: greet}}}`,
		`{version: 1, triggers: {t: {topic: a, function: greet, format: yaml}}}`,
		`{version: 1, triggers: {t: {topic: a, function: greet, rate: fast}}}`,
		`{version: 1, triggers: {t: {topic: a, function: greet, retry: 5}}}`,
		`{version: 1, bindings: {b: {queue: q}}}`,
		`{version: 1, functions: {greet: {timeout: 5}}}`,
	} {
		problemsOf(t, text, options())
		if err := s.Validate(instance(t, text)); err == nil {
			t.Errorf("the schema accepts %s", text)
		}
	}
}

func TestTheSchemaIsStableAndDescribed(t *testing.T) {
	first := config.Schema(drivers())
	if !bytes.Equal(first, config.Schema(drivers())) {
		t.Error("another schema each time")
	}
	for _, doc := range []string{"how many calls run at once; default 1", "name of the channel", "number of a subscription; or: name of a durable subscription"} {
		if !strings.Contains(string(first), `"`+doc+`"`) {
			t.Errorf("the schema does not say %q", doc)
		}
	}
	compiled(t, nil) // without drivers it is a schema, too
}

func TestReferencesHaveNoTypeInTheSchema(t *testing.T) {
	text := `{version: 1, connections: {a: {type: test, url: u, limit: "${env:LIMIT}", jms: "${env:YES}", idle: "${env:WAIT}", tls: {minVersion: "${env:NO_SUCH:-1.2}"}}}}`
	parse(t, text)
	if err := compiled(t, drivers()).Validate(instance(t, text)); err != nil {
		t.Error(err)
	}
}
