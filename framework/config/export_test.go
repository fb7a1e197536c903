package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/framework/config"
)

// TestExportRoundTrip reads back what was exported: nothing has changed, and no
// secret is in it.
func TestExportRoundTrip(t *testing.T) {
	const document = `
# with a comment
version: 1
connections:
  customer.updates: &base {type: test, url: "test://me:geheim@host", password: "${file:secret}", tls: {ca: x}}
  b: {<<: *base, url: u}
triggers:
  t: {connection: b, queue: "with: colon", function: greet, retry: {attempts: 0}}
bindings:
  o: {connection: b, queue: !!str 1234}
functions:
  greet:
    timeout: 1s
    settings:
      text: |
        two
        lines
      "true": "null"
      empty: ""
      nothing:
      list: [1, 2.5, "3", {a: [b, []]}, {}]
      ratio: 1e3
      dollar: $${x}
      password: geheim
      token: ${env:TOKEN:-abc}
`
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("geheim\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "fairlead.yaml")
	old, err := config.Parse([]byte(document), file, options())
	if err != nil {
		t.Fatal(err)
	}
	text := old.Export()
	for _, want := range []string{
		`url: "${secret:connections.customer.updates.url}"`, `password: "${secret:functions.greet.settings.password}"`,
		`password: "${file:secret}"`, `token: "${env:TOKEN:-abc}"`, `queue: "1234"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the export lacks %s:\n%s", want, text)
		}
	}
	if strings.Contains(text, "geheim") {
		t.Errorf("the export has a secret:\n%s", text)
	}
	o := options()
	o.Secret = func(name string) (string, error) {
		if s, ok := old.Literal(name); ok {
			return s, nil
		}
		return "", errors.New("no such secret")
	}
	again, err := config.Parse([]byte(text), file, o)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if diff := cmp.Diff(config.Changes(nil), config.Diff(old, again)); diff != "" {
		t.Errorf("the export changes something (-want +got):\n%s\n%s", diff, text)
	}
	if diff := cmp.Diff([]string{filepath.Join(dir, "secret")}, old.Files()); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for _, path := range []string{"functions.greet.timeout", "functions.greet.settings.token", "nowhere", ""} {
		if s, ok := old.Literal(path); ok {
			t.Errorf("got the secret %q at %q, where there is none in clear", s, path)
		}
	}
}

func TestExportOfNothing(t *testing.T) {
	text := config.Empty().Export()
	again, err := config.Parse([]byte(text), "fairlead.yaml", options())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.Changes(nil), config.Diff(config.Empty(), again)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
