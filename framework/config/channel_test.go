package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/framework/config"
)

func TestTriggersWithoutABroker(t *testing.T) {
	c, err := config.Load("testdata/good/channels.yaml", options())
	if err != nil {
		t.Fatal(err)
	}
	attempts := 3
	everybody := []string{"partners", "staff", "company", "machines"}
	want := map[string]config.Trigger{
		"customer":  {Function: "greet", Format: "xml", Channel: &config.Channel{Route: "POST /customers/{id}", Security: everybody, Rate: &config.Rate{PerSecond: 0.5, Burst: 3}}},
		"customers": {Function: "greet", Channel: &config.Channel{Route: "GET /customers"}},
		"tree":      {Function: "greet", Channel: &config.Channel{Route: "GET /files/{path...}", Rate: &config.Rate{PerSecond: 10}}},
		"nightly":   {Function: "greet", Retry: &config.Retry{Attempts: &attempts}, DeadLetter: "dead/x", Schedule: &config.Schedule{Cron: "0 2 * * *", TimeZone: "Europe/Berlin", Missed: "once"}},
		"often":     {Function: "greet", Schedule: &config.Schedule{Every: 15 * time.Minute}},
		"daily":     {Function: "greet", Schedule: &config.Schedule{Cron: "@daily"}},
	}
	if diff := cmp.Diff(want, c.Triggers); diff != "" {
		t.Errorf("triggers (-want +got):\n%s", diff)
	}
	definitions := map[string]config.Security{
		"partners": {Type: "apikey", Settings: &config.APIKey{Header: "X-Partner", Keys: []string{"geheim", ""}}},
		"nobody":   {Type: "apikey", Settings: &config.APIKey{}},
		"staff":    {Type: "basic", Settings: &config.Basic{Users: map[string]string{"jane": "geheim"}}},
		"company":  {Type: "jwt", Settings: &config.JWT{Issuer: "https://id.example.com", Audience: "orders", JWKS: "https://id.example.com/keys", Algorithms: []string{"RS256", "EdDSA"}, Skew: time.Minute}},
		"machines": {Type: "mtls", Settings: &config.MTLS{CA: "testdata/good/clients.pem"}},
	}
	if diff := cmp.Diff(definitions, c.Security); diff != "" {
		t.Errorf("security (-want +got):\n%s", diff)
	}
}

func TestChannelsCanBeReadAgainAndShowNoSecret(t *testing.T) {
	c, err := config.Load("testdata/good/channels.yaml", options())
	if err != nil {
		t.Fatal(err)
	}
	masked := c.String() // JSON is YAML
	again := parse(t, masked)
	again.File = c.File
	for _, change := range config.Diff(c, again) {
		if change.Kind != "security" && change.Kind != "http" && change.Kind != "connections" { // masked, or paths that were joined
			t.Errorf("read again: %+v", change)
		}
	}
	if s := c.String(); len(s) == 0 || strings.Contains(s, "geheim") {
		t.Errorf("got %s", s)
	}
	if len(c.Literals()) > 0 {
		t.Errorf("literals %v, where there are references only", c.Literals())
	}
	literal := parse(t, `{version: 1, security: {a: {type: apikey, keys: [geheim]}, b: {type: basic, users: {jane: geheim}}}}`)
	if diff := cmp.Diff([]string{"security.a.keys[0]", "security.b.users.jane"}, literal.Literals()); diff != "" {
		t.Errorf("literals (-want +got):\n%s", diff)
	}
	if strings.Contains(literal.String(), "geheim") {
		t.Errorf("got %s", literal)
	}
}
