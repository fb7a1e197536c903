package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/framework/config"
)

func TestDiff(t *testing.T) {
	const base = `version: 1
connections:
  a: {type: test, url: u, tls: {ca: x}}
  b: {type: test, url: u}
triggers:
  t: {connection: a, queue: q, function: greet}
bindings:
  o: {connection: a}
functions:
  greet: {timeout: 1s, settings: {x: 1, y: [2]}}
`
	old := parse(t, base)
	for name, tt := range map[string]struct {
		replace []string
		want    config.Changes
	}{
		"the same":           {nil, nil},
		"other places":       {[]string{"version: 1\n", "# moved\n\nversion: 1\n", "{x: 1, y: [2]}", "{y: [2], x: 1}"}, nil},
		"a default in words": {[]string{"queue: q,", "queue: q, concurrency: 1,", "version: 1", "version: 1\ngrace: 25s"}, nil},
		"a setting within":   {[]string{"ca: x", "ca: z"}, config.Changes{{Kind: "connections", Name: "a", Op: config.Changed}}},
		"a key of a trigger": {[]string{"queue: q,", "topic: q,"}, config.Changes{{Kind: "triggers", Name: "t", Op: config.Changed}}},
		"settings":           {[]string{"[2]", "[3]"}, config.Changes{{Kind: "functions", Name: "greet", Op: config.Changed}}},
		"a timeout":          {[]string{"1s", "2s"}, config.Changes{{Kind: "functions", Name: "greet", Op: config.Changed}}},
		"a new name": {[]string{"  o: {", "  p: {"}, config.Changes{
			{Kind: "bindings", Name: "o", Op: config.Removed}, {Kind: "bindings", Name: "p", Op: config.Added},
		}},
		"sections": {[]string{"version: 1", "version: 1\ngrace: 1s\nstore: none\nhttp: {maxBody: 1}\nadmin: {listen: off}"}, config.Changes{
			{Kind: "admin", Op: config.Changed}, {Kind: "grace", Op: config.Changed}, {Kind: "http", Op: config.Changed}, {Kind: "store", Op: config.Changed},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got := config.Diff(old, parse(t, strings.NewReplacer(tt.replace...).Replace(base)))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDiffSeesWhatReferencesStandFor(t *testing.T) {
	const document = "version: 1\nfunctions: {greet: {settings: {x: \"${env:X}\"}}}\nconnections: {a: {type: test, url: \"${env:X}\"}}\n"
	with := func(x string) *config.Config {
		o := options()
		o.LookupEnv = func(string) (string, bool) { return x, true }
		c, err := config.Parse([]byte(document), "fairlead.yaml", o)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	want := config.Changes{{Kind: "connections", Name: "a", Op: config.Changed}, {Kind: "functions", Name: "greet", Op: config.Changed}}
	if diff := cmp.Diff(want, config.Diff(with("1"), with("2"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
