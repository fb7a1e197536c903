package amqp

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections"
)

func TestConnectFile(t *testing.T) {
	sasl := func(s SASL) SASL { // with the file's defaults
		if s.AllowInsecure == nil {
			s.AllowInsecure = new(false)
		}
		return s
	}
	secure := address{host: "localhost", port: "5671", tls: true}
	clear := address{host: "localhost", port: "5672"}
	for _, tt := range []struct {
		name, text string
		want       Connection
		address    address
	}{
		{"nothing", `{}`, Connection{SASL: sasl(SASL{})}, secure},
		{"scheme", `{"scheme": "amqp"}`, Connection{SASL: sasl(SASL{})}, clear},
		{"host and port", `{"scheme": "amqp", "host": "a.example.com", "port": 5000}`, Connection{SASL: sasl(SASL{})}, address{host: "a.example.com", port: "5000"}},
		{"port by name", `{"port": "amqp"}`, Connection{SASL: sasl(SASL{})}, address{host: "localhost", port: "5672", tls: true}},
		{"IPv6", `{"host": "::1"}`, Connection{SASL: sasl(SASL{})}, address{host: "::1", port: "5671", tls: true}},
		{"user", `{"user": "u", "password": "p"}`, Connection{User: "u", Password: "p", SASL: sasl(SASL{})}, secure},
		{"user in clear", `{"scheme": "amqp", "user": "u", "password": "p"}`, Connection{User: "u", Password: "p", SASL: sasl(SASL{})}, clear},
		{"insecure", `{"scheme": "amqp", "user": "u", "password": "p", "sasl": {"allow_insecure": true, "mechanisms": ["PLAIN"]}}`,
			Connection{User: "u", Password: "p", SASL: sasl(SASL{Enabled: new(true), AllowInsecure: new(true), Mechanisms: []string{plain}})}, clear},
		{"mechanisms as a text", `{"user": "u", "sasl": {"mechanisms": "PLAIN SCRAM-SHA-1"}}`,
			Connection{User: "u", SASL: sasl(SASL{Enabled: new(true), Mechanisms: []string{plain, scramSHA1}})}, secure},
		{"no SASL", `{"sasl": {"enabled": false}}`, Connection{SASL: sasl(SASL{Enabled: new(false)})}, secure},
		{"no SASL, by the other name", `{"sasl": {"enable": false}}`, Connection{SASL: sasl(SASL{Enabled: new(false)})}, secure},
		{"TLS", `{"tls": {"cert": "c", "key": "k", "ca": "a"}}`,
			Connection{SASL: sasl(SASL{}), TLS: &connections.TLS{CA: "a", Cert: "c", Key: "k", Verify: new(true)}}, secure},
		{"anybody", `{"tls": {"verify": false}}`, Connection{SASL: sasl(SASL{}), TLS: &connections.TLS{Verify: new(false)}}, secure},
		{"comments", "// first\n{ /* the\n host */ \"host\": \"a//b/*c*/\\\"\" // last\n} // after\n", Connection{SASL: sasl(SASL{})}, address{host: `a//b/*c*/"`, port: "5671", tls: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, a, err := parseConnectFile([]byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, *got); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
			if a != tt.address {
				t.Errorf("got address %+v, want %+v", a, tt.address)
			}
		})
	}
}

func TestBrokenConnectFile(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"empty", ``, "1: not JSON: it ends too early"},
		{"half", "{\n\"host\": \"a\",\n", "3: not JSON: it ends too early"},
		{"comma", "{\n\"host\": \"a\"\n\"port\": 1}", "3: not JSON"},
		{"last comma", "{\n\"host\": \"a\",\n}", "3: not JSON"},
		{"no value", "{\n\n\"host\": x}", "3: not JSON"},
		{"open comment", "{\n/* \"host\": 1}", "2: not JSON"},
		{"open text", "{\n\"host\": \"a\n}", "2: not JSON"},
		{"list", `[]`, "1: found a list, expected a map"},
		{"more", "{}\n{}", "2: found more after the end"},
		{"twice", "{\"host\": \"a\",\n\"host\": \"b\"}", "2: host: found a second time"},
		{"unknown", "{\n\"hots\": \"a\"}", "2: hots: unknown, expected one of scheme, host, port, user, password, sasl, tls"},
		{"unknown below", "{\"tls\": {\n\"verfy\": true}}", "2: tls.verfy: unknown, expected one of cert, key, ca, verify"},
		{"scheme", "{\n\n\"scheme\": \"https\"}", `3: scheme: found a text, expected ["amqps" "amqp"]`},
		{"host", "{\"host\": 1}", "1: host: found 1, expected a text"},
		{"empty host", "{\"host\": \"\"}", "1: host: found an empty text"},
		{"port", "{\n\"port\": \"5672\"}", `2: port: found a text, expected a number from 1 to 65535, "amqp" or "amqps"`},
		{"large port", "{\n\"port\": 65536}", "2: port: found 65536"},
		{"fraction of a port", "{\n\"port\": 1.5}", "2: port: found 1.5"},
		{"null", "{\n\"port\": null}", "2: port: found null"},
		{"password", "{\n\"password\": 1234}", "2: password: found 1234, expected a text"},
		{"sasl", "{\n\"sasl\": true}", "2: sasl: found true, expected a map"},
		{"enabled twice", "{\"sasl\": {\"enabled\": true,\n\"enable\": true}}", "2: sasl.enable: found beside sasl.enabled"},
		{"mechanisms", "{\"sasl\": {\n\"mechanisms\": 1}}", "2: sasl.mechanisms: found 1, expected a list"},
		{"one of the mechanisms", "{\"sasl\": {\"mechanisms\": [\"PLAIN\",\n 1]}}", "2: sasl.mechanisms: found 1, expected the name of a mechanism"},
		{"unknown mechanism", "{\"sasl\": {\n\"mechanisms\": [\"X\"]}}", `2: sasl.mechanisms: found "X", expected some of EXTERNAL, GSSAPI`},
		{"allow_insecure", "{\"sasl\": {\n\"allow_insecure\": \"no\"}}", "2: sasl.allow_insecure: found a text, expected true or false"},
		{"PLAIN in clear", "{\"scheme\": \"amqp\", \"user\": \"u\", \"password\": \"s3cret\",\n\"sasl\": {\n\"mechanisms\": \"PLAIN\"}}", "2: sasl.allow_insecure: expected true"},
		{"ANONYMOUS with a user", "{\"user\": \"u\",\n\"sasl\": {\"mechanisms\": \"ANONYMOUS\"}}", "2: sasl.mechanisms: found ANONYMOUS, expected none that ignores the user"},
		{"no SASL with a user", "{\"user\": \"u\",\n\"sasl\": {\"enable\": false}}", "2: sasl.enabled: found false"},
		{"tls", "{\n\"tls\": \"a\"}", "2: tls: found a text, expected a map"},
		{"tls in clear", "{\"scheme\": \"amqp\",\n\"tls\": {}}", `2: tls: found with the scheme "amqp"`},
		{"key alone", "{\"tls\": {\n\"key\": \"k\"}}", "2: tls.key: expected a client certificate"},
		{"verify", "{\"tls\": {\n\"verify\": \"yes\"}}", "2: tls.verify: found a text, expected true or false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := parseConnectFile([]byte(tt.text))
			if err == nil {
				t.Fatalf("got no error, want %s", tt.want)
			}
			err = located("connect.json", err)
			if !strings.HasPrefix(err.Error(), "connect.json:"+tt.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got %v, want connect.json:%s", err, tt.want)
			}
		})
	}
	_, _, err := parseConnectFile([]byte("{\"port\": 0,\n\"host\": 1,\n\"tls\": 3}"))
	if got, want := located("f", err).Error(), "f:2: host: found 1, expected a text\nf:1: port: found 0, expected a number from 1 to 65535, \"amqp\" or \"amqps\"\nf:3: tls: found 3, expected a map"; got != want {
		t.Errorf("several: got %q, want %q", got, want)
	}
}

// The file is found where clients look for it, and a named one wins.
func TestConnectFileSearch(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("MESSAGING_CONNECT_FILE", "")
	t.Chdir(t.TempDir())
	write := func(path, host string) string {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(`{"host": "`+host+`"}`), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	found := func(settings Connection, want string) {
		t.Helper()
		d, err := (&connectFile{name: "test", settings: &settings}).dialer()
		if err != nil || d.address.host != want {
			t.Errorf("got %+v and error %v, want the host %s", d, err, want)
		}
	}
	if _, err := (&connectFile{settings: new(Connection)}).dialer(); err == nil || !strings.Contains(err.Error(), "no connect.json, "+home) {
		t.Errorf("none: got error %v, want the places", err)
	}
	write(filepath.Join(home, ".config", "messaging", "connect.json"), "user")
	found(Connection{}, "user")
	write("connect.json", "here")
	found(Connection{}, "here")
	t.Setenv("MESSAGING_CONNECT_FILE", write(filepath.Join(home, "other.json"), "named"))
	found(Connection{}, "named")
	found(Connection{File: write(filepath.Join(home, "given.json"), "given")}, "given")
	t.Setenv("MESSAGING_CONNECT_FILE", filepath.Join(home, "missing.json"))
	if _, err := (&connectFile{settings: new(Connection)}).dialer(); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "missing.json") {
		t.Errorf("missing: got error %v, want one that names it", err)
	}
}

// A changed file is used for the next connection; an unchanged one keeps its dialer.
func TestConnectFileChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "connect.json")
	f := &connectFile{name: "test", settings: &Connection{File: path, ContainerID: "c"}}
	host := func(text string) *dialer {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := f.dialer()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	first := host(`{"host": "a"}`)
	if first.settings.ContainerID != "c" || host(`{"host": "a"}`) != first {
		t.Errorf("unchanged: got another dialer, or not the connection's containerId")
	}
	if d := host(`{"host": "b"}`); d.address.host != "b" {
		t.Errorf("changed: got %+v, want the host b", d.address)
	}
}

func TestCheckFile(t *testing.T) {
	for _, tt := range []struct {
		settings Connection
		want     []string
	}{
		{Connection{}, nil},
		{Connection{File: "f"}, nil},
		{Connection{File: "f", ContainerID: "c", IdleTimeout: DefaultIdleTimeout}, nil},
		{Connection{ContainerID: "c"}, []string{"url"}},
		{Connection{File: "f", URL: "amqp://a"}, []string{"url"}},
		{Connection{File: "f", URLs: []string{"amqp://a"}}, []string{"url"}},
		{Connection{File: "f", User: "u", Password: "p", SASL: SASL{Mechanisms: []string{plain}}, TLS: new(connections.TLS)}, []string{"user", "password", "sasl", "tls"}},
	} {
		_, err := tt.settings.check()
		if diff := cmp.Diff(tt.want, fields(err)); diff != "" {
			t.Errorf("%+v: wrong fields (-want +got):\n%s\nerror: %v", tt.settings, diff, err)
		}
	}
}

// PLAIN is not spoken in clear unless the file allows it, not even to this machine.
func TestConnectFileKeepsPassword(t *testing.T) {
	path := filepath.Join(t.TempDir(), "connect.json")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	got := make(chan string, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = (&saslBroker{offer: plain}).serve(conn)
		all, _ := io.ReadAll(conn)
		got <- string(all)
	}()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	if err := os.WriteFile(path, []byte(`{"scheme": "amqp", "host": "127.0.0.1", "port": `+port+`, "user": "u", "password": "s3cret"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	dial, err := Driver().Open("test", &Connection{File: path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t.Context()); !errors.Is(err, connections.ErrRefused) || !strings.Contains(err.Error(), "allow_insecure") {
		t.Errorf("got error %v, want one that names allow_insecure", err)
	}
	if sent := <-got; strings.Contains(sent, "s3cret") {
		t.Errorf("the broker got %q, want no password", sent)
	}
}

func FuzzConnectFile(f *testing.F) {
	for _, text := range []string{`{}`, `{"scheme": "amqp", "port": 1, "sasl": {"mechanisms": ["PLAIN"]}, "tls": {}}`, "// x\n{/* y */}"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, _, err := parseConnectFile(text)
		if err != nil && located("f", err).Error() == "" {
			t.Error("got an error that says nothing")
		}
		if err == nil && c.TLS.Check() != nil {
			t.Errorf("got %+v, want settings that can be used", c)
		}
	})
}
