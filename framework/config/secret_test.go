package config_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/framework/config"
)

func TestLiteralSecretsAreNamed(t *testing.T) {
	c := parse(t, `version: 1
store: {url: "host=db password=geheim"}
connections:
  z: {type: test, url: "test://u:p@h", password: x, tls: {keyPassword: 1234, cert: c}}
  a: {type: test, urls: ["test://h", "test://u@h", "test://u:p@${env:QUEUE}", "test://u:${env:PASSWORD}@h", "test://${file:testdata/good/least.yaml}@h"]}
  b: {type: test, url: "postgres://h/d?user=u&password=p", password: "${env:PASSWORD}"}
  c: {type: test, url: "postgres://h/d?password=${env:PASSWORD}", password: "x${env:PASSWORD}"}
  d: {type: test, url: embedded, password: ""}
functions:
  greet: {settings: {apiToken: x, token: "${env:PASSWORD}", nested: {passwords: [a], password: b, urls: ["test://h", "test://u:p@h"]}, key: c, url: "test://u:p@h", open: "test://u:${env:PASSWORD}@h", dsn: host=h password=p}}
`)
	want := []string{
		"connections.a.urls[2]", "connections.b.url", "connections.z.password", "connections.z.tls.keyPassword", "connections.z.url",
		"functions.greet.settings.apiToken", "functions.greet.settings.dsn", "functions.greet.settings.nested.password",
		"functions.greet.settings.nested.urls[1]", "functions.greet.settings.url", "store.url",
	}
	if diff := cmp.Diff(want, c.Literals()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := everything(t).Literals(); len(got) > 0 {
		t.Errorf("references are no literals: %v", got)
	}
}

func TestSecretDefaultsAreNamed(t *testing.T) {
	c := parse(t, `version: 1
store: {url: "${env:DSN:-host=db password=geheim}"}
connections:
  a: {type: test, url: "${env:URL:-test://u:geheim@h}", password: "${env:A:-geheim}", tls: {keyPassword: "${env:EMPTY:-}", cert: "${env:CERT:-c}"}}
  b: {type: test, url: "test://${env:USER:-u}:${env:B:-geheim}@${env:HOST:-h}", password: "x${env:AFTER:-geheim}"}
  c: {type: test, url: "${env:OPEN:-test://h}", password: "${env:QUEUE}"}
functions:
  greet: {settings: {token: "${env:TOKEN:-geheim}", region: "${env:REGION:-eu}", url: "${env:THERE:-test://u:geheim@h}"}}
`)
	want := []string{"A", "AFTER", "B", "DSN", "THERE", "TOKEN", "URL"}
	if diff := cmp.Diff(want, c.SecretDefaults()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSecretsAreMasked(t *testing.T) {
	c := parse(t, `version: 1
store: {url: "host=db password=geheim"}
connections:
  a: {type: test, url: "test://u:geheim@h/x?a=1&sslpassword=geheim", password: "${env:PASSWORD}", tls: {keyPassword: geheim, cert: c}, headers: {Authorization: Bearer geheim, x: y}}
  b: {type: test, urls: ["test://u:ge@heim/#geheim@h,test://v:geheim@i", "test://h"], reconnect: false, idle: 3s}
triggers:
  t: {connection: a, queue: q, function: greet, replyTo: "test://u:geheim@h"}
  s: {topic: x, function: greet}
bindings:
  o: {connection: b, topic: t, outbox: true}
functions:
  greet: {timeout: 5s, settings: {region: eu, n: 5, apiKey: geheim, token: "${env:PASSWORD}", url: "amqp://u:geheim@h", dsn: "host=db password=geheim", formula: "a=b", list: ["${env:PASSWORD}", {password: geheim}]}}
`)
	want := map[string]any{
		"version": 1, "grace": "25s", "store": map[string]any{"url": "***", "schema": "fairlead"}, "http": map[string]any{"listen": "127.0.0.1:8080", "maxBody": int64(8 << 20)},
		"connections": map[string]any{
			"a": map[string]any{"type": "test", "url": "test://u:***@h/x?a=1&sslpassword=***", "password": "***", "tls": map[string]any{"keyPassword": "***", "cert": "c"}, "headers": map[string]any{"Authorization": "***", "x": "y"}},
			"b": map[string]any{"type": "test", "urls": []any{"test://u:***@i", "test://h"}, "reconnect": false, "idle": "3s"},
		},
		"triggers": map[string]any{
			"t": map[string]any{"connection": "a", "queue": "q", "function": "greet", "replyTo": "test://u:***@h", "concurrency": 1, "prefetch": 32},
			"s": map[string]any{"topic": "x", "function": "greet", "concurrency": 1, "prefetch": 32},
		},
		"bindings": map[string]any{"o": map[string]any{"connection": "b", "topic": "t", "outbox": true}},
		"functions": map[string]any{"greet": map[string]any{"timeout": "5s", "settings": map[string]any{
			"region": "eu", "n": int64(5), "apiKey": "***", "token": "${env:PASSWORD}", "url": "amqp://u:***@h", "dsn": "***", "formula": "a=b", "list": []any{"${env:PASSWORD}", map[string]any{"password": "***"}},
		}}},
	}
	if diff := cmp.Diff(want, config.Mask(c)); diff != "" {
		t.Errorf("Mask (-want +got):\n%s", diff)
	}
	for name, shown := range map[string]string{"String": c.String(), "%v": fmt.Sprintf("%v", c), "%+v": fmt.Sprintf("%+v", c), "%s": fmt.Sprint(c)} {
		if strings.Contains(shown, "geheim") || !json.Valid([]byte(shown)) {
			t.Errorf("%s: got %s", name, shown)
		}
	}
}

func TestPartsAreMasked(t *testing.T) {
	c := everything(t)
	if got := config.Mask(c.Connections["again"]).(map[string]any)["password"]; got != "***" {
		t.Errorf("a connection's password: got %v", got)
	}
	if got := config.Mask(nil); got != nil {
		t.Errorf("nil: got %v", got)
	}
	if got := config.Mask(config.Store{None: true}); got != "none" {
		t.Errorf("no store: got %v", got)
	}
	if s := c.String(); strings.Contains(s, "geheim") {
		t.Errorf("got %s", s)
	}
}
