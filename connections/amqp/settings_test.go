package amqp

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections"
)

// fields returns the fields that err says are wrong.
func fields(err error) (names []string) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			names = append(names, fields(e)...)
		}
		return names
	}
	if e, ok := errors.AsType[*connections.SettingError](err); ok {
		names = append(names, e.Field)
	}
	return names
}

func TestCheckConnection(t *testing.T) {
	tls := &connections.TLS{Cert: "client.pem"}
	for _, tt := range []struct {
		name     string
		settings Connection
		want     []string // the fields that are wrong
	}{
		{"url", Connection{URL: "amqp://broker"}, nil},
		{"urls", Connection{URLs: []string{"amqp://a", "amqps://b:1/"}}, nil},
		{"IPv6", Connection{URL: "amqp://[::1]:5672"}, nil},
		{"neither: a connect.json is searched for", Connection{}, nil},
		{"neither, but something else", Connection{ContainerID: "c"}, []string{"url"}},
		{"both", Connection{URL: "amqp://a", URLs: []string{"amqp://b"}}, []string{"url"}},
		{"every url is looked at", Connection{URLs: []string{"http://a", "amqp://b", "amqp://"}}, []string{"urls[0]", "urls[2]"}},
		{"path", Connection{URL: "amqp://a/queue"}, []string{"url"}},
		{"query", Connection{URL: "amqp://a?x=y"}, []string{"url"}},
		{"idleTimeout", Connection{URL: "amqp://a", IdleTimeout: 2 * time.Second}, nil},
		{"short idleTimeout", Connection{URL: "amqp://a", IdleTimeout: time.Millisecond}, []string{"idleTimeout"}},
		{"negative idleTimeout", Connection{URL: "amqp://a", IdleTimeout: -1}, []string{"idleTimeout"}},

		{"user over TLS", Connection{URL: "amqps://a", User: "u", Password: "p"}, nil},
		{"user in clear", Connection{URL: "amqp://a", User: "u", Password: "p"}, []string{"sasl.allowInsecure"}},
		{"user in a URL in clear", Connection{URL: "amqp://u:p@a"}, []string{"sasl.allowInsecure"}},
		{"user in clear, allowed", Connection{URL: "amqp://a", User: "u", Password: "p", SASL: SASL{AllowInsecure: new(true)}}, nil},
		{"user in clear, SCRAM only", Connection{URL: "amqp://a", User: "u", Password: "p", SASL: SASL{Mechanisms: []string{scramSHA256}}}, nil},
		{"user in clear to localhost", Connection{URL: "amqp://u:p@localhost"}, nil},
		{"user in clear to 127.0.0.2", Connection{URL: "amqp://u:p@127.0.0.2"}, nil},
		{"user in clear to ::1", Connection{URL: "amqp://u:p@[::1]"}, nil},
		{"user in clear to localhost, forbidden", Connection{URL: "amqp://u:p@localhost", SASL: SASL{AllowInsecure: new(false)}}, []string{"sasl.allowInsecure"}},
		{"one of several in clear", Connection{URLs: []string{"amqps://a", "amqp://b"}, User: "u", Password: "p"}, []string{"sasl.allowInsecure"}},
		{"user twice", Connection{URL: "amqps://u:p@a", User: "v"}, []string{"user"}},

		{"unknown mechanism", Connection{URL: "amqp://a", SASL: SASL{Mechanisms: []string{"plain"}}}, []string{"sasl.mechanisms"}},
		{"ANONYMOUS with a user", Connection{URL: "amqps://u:p@a", SASL: SASL{Mechanisms: []string{anonymous}}}, []string{"sasl.mechanisms"}},
		{"PLAIN without a user", Connection{URL: "amqps://a", SASL: SASL{Mechanisms: []string{plain}}}, []string{"user"}},
		{"EXTERNAL", Connection{URL: "amqps://a", TLS: tls, SASL: SASL{Mechanisms: []string{external}}}, nil},
		{"EXTERNAL without TLS", Connection{URL: "amqp://a", TLS: tls, SASL: SASL{Mechanisms: []string{external}}}, []string{"tls.cert"}},
		{"EXTERNAL without a certificate", Connection{URL: "amqps://a", SASL: SASL{Mechanisms: []string{external}}}, []string{"tls.cert"}},
		{"GSSAPI", Connection{URL: "amqp://a", SASL: SASL{Mechanisms: []string{kerberos}}}, nil},
		{"keytab", Connection{URL: "amqp://a", SASL: SASL{Keytab: "k", Principal: "p"}}, nil},
		{"keytab of nobody", Connection{URL: "amqp://a", SASL: SASL{Keytab: "k"}}, []string{"sasl.principal"}},
		{"principal without a keytab", Connection{URL: "amqp://a", SASL: SASL{Mechanisms: []string{kerberos}, Principal: "p"}}, []string{"sasl.keytab"}},
		{"keytab for nothing", Connection{URL: "amqps://u:p@a", SASL: SASL{Mechanisms: []string{plain}, Keytab: "k", Principal: "p"}}, []string{"sasl.keytab"}},
		{"no SASL with a keytab", Connection{URL: "amqps://a", SASL: SASL{Enabled: new(false), Keytab: "k", Principal: "p"}}, []string{"sasl.enabled"}},
		{"XOAUTH2 in clear", Connection{URL: "amqp://u:t@a", SASL: SASL{Mechanisms: []string{xoauth2}}}, []string{"sasl.allowInsecure"}},
		{"XOAUTH2", Connection{URL: "amqps://u:t@a", SASL: SASL{Mechanisms: []string{xoauth2}}}, nil},
		{"SCRAM-SHA-1 without a user", Connection{URL: "amqps://a", SASL: SASL{Mechanisms: []string{scramSHA1}}}, []string{"user"}},
		{"no SASL", Connection{URL: "amqp://a", SASL: SASL{Enabled: new(false)}}, nil},
		{"no SASL with a user", Connection{URL: "amqps://u:p@a", SASL: SASL{Enabled: new(false)}}, []string{"sasl.enabled"}},
		{"no SASL with a mechanism", Connection{URL: "amqps://a", SASL: SASL{Enabled: new(false), Mechanisms: []string{anonymous}}}, []string{"sasl.enabled"}},

		{"TLS", Connection{URL: "amqps://a", TLS: &connections.TLS{Key: "k"}}, []string{"tls.key"}},
		{"everything at once", Connection{URL: "ftp://a", IdleTimeout: 1, TLS: &connections.TLS{Key: "k"}}, []string{"idleTimeout", "url", "tls.key"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addresses, err := tt.settings.check()
			if diff := cmp.Diff(tt.want, fields(err)); diff != "" {
				t.Errorf("wrong fields (-want +got):\n%s\nerror: %v", diff, err)
			}
			if err == nil && len(addresses) != len(tt.settings.urls()) {
				t.Errorf("got %d addresses, want %d", len(addresses), len(tt.settings.urls()))
			}
		})
	}
}

func TestParseURL(t *testing.T) {
	for text, want := range map[string]address{
		"amqp://a":                  {host: "a", port: "5672"},
		"amqps://a":                 {host: "a", port: "5671", tls: true},
		"amqps://a:1":               {host: "a", port: "1", tls: true},
		"amqp://[fe80::1]":          {host: "fe80::1", port: "5672"},
		"amqp://u@a":                {host: "a", port: "5672", user: "u"},
		"amqp://u:p%2F%40%25@a:9/":  {host: "a", port: "9", user: "u", password: "p/@%"},
		"amqp://broker.example.com": {host: "broker.example.com", port: "5672"},
	} {
		if got, err := parseURL(text); err != nil || got != want {
			t.Errorf("%s: got %+v and error %v, want %+v", text, got, err, want)
		}
	}
}

// A password is in no error, however the URL is broken.
func TestNoSecretInErrors(t *testing.T) {
	for _, text := range []string{
		"amqp://u:s3cret/x@a", "amqp://u:s3cret@a:port", "amqp://u:s3cr%et@a", "http://u:s3cret@a", "amqp://u:s3cret@", "u:s3cret@a", "amqp://u:p?s3cret@a",
	} {
		c := Connection{URL: text}
		if _, err := c.check(); err == nil || strings.Contains(err.Error(), "s3cr") {
			t.Errorf("%s: got error %v, want one without the password", text, err)
		}
	}
}

func TestMechanisms(t *testing.T) {
	secure, clear := address{host: "a", tls: true}, address{host: "a"}
	tls := &connections.TLS{Cert: "client.pem"}
	for _, tt := range []struct {
		name     string
		settings Connection
		address  address
		want     []string
	}{
		{"nobody", Connection{}, clear, []string{anonymous}},
		{"certificate", Connection{TLS: tls}, secure, []string{external, anonymous}},
		{"certificate, no TLS", Connection{TLS: tls}, clear, []string{anonymous}},
		{"user", Connection{User: "u"}, secure, []string{scramSHA512, scramSHA256, scramSHA1, plain}},
		{"user in clear", Connection{User: "u"}, clear, []string{scramSHA512, scramSHA256, scramSHA1}},
		{"user in clear, allowed", Connection{User: "u", SASL: SASL{AllowInsecure: new(true)}}, clear, []string{scramSHA512, scramSHA256, scramSHA1, plain}},
		{"user of the URL", Connection{}, address{user: "u", tls: true}, []string{scramSHA512, scramSHA256, scramSHA1, plain}},
		{"user and certificate", Connection{User: "u", TLS: tls}, secure, []string{scramSHA512, scramSHA256, scramSHA1, plain}},
		{"keytab", Connection{SASL: SASL{Keytab: "k", Principal: "p"}}, clear, []string{kerberos}},
		{"keytab and user", Connection{User: "u", SASL: SASL{Keytab: "k", Principal: "p"}}, secure, []string{kerberos, scramSHA512, scramSHA256, scramSHA1, plain}},
		{"keytab and certificate", Connection{TLS: tls, SASL: SASL{Keytab: "k", Principal: "p"}}, secure, []string{kerberos}},
		{"everything listed", Connection{User: "u", TLS: tls, SASL: SASL{Mechanisms: []string{anonymous, plain, xoauth2, scramSHA1, scramSHA256, scramSHA512, kerberos, external}}}, secure, strongestFirst()},
		{"listed", Connection{User: "u", TLS: tls, SASL: SASL{Mechanisms: []string{plain, external}}}, secure, []string{external, plain}},
	} {
		if got := tt.settings.mechanisms(tt.address); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestCheckSource(t *testing.T) {
	queue, topic := connections.Destination{Queue: "q"}, connections.Destination{Topic: "t"}
	named := Connection{ContainerID: "c"}
	for _, tt := range []struct {
		name       string
		connection Connection
		source     Source
		want       []string
	}{
		{"queue", Connection{}, Source{Destination: queue, Selector: "a = 1"}, nil},
		{"topic", Connection{}, Source{Destination: topic}, nil},
		{"nothing", Connection{}, Source{}, []string{"queue"}},
		{"both", Connection{}, Source{Destination: connections.Destination{Queue: "q", Topic: "t"}}, []string{"queue"}},
		{"durable", named, Source{Destination: topic, Subscription: "s"}, nil},
		{"durable without containerId", Connection{}, Source{Destination: topic, Subscription: "s"}, []string{"subscription"}},
		{"shared", Connection{}, Source{Destination: topic, Subscription: "s", Shared: true}, nil},
		{"shared, not named", Connection{}, Source{Destination: topic, Shared: true}, []string{"shared"}},
		{"dynamic", Connection{}, Source{Destination: queue, Dynamic: true}, nil},
		{"dynamic topic", Connection{}, Source{Destination: topic, Dynamic: true}, []string{"dynamic"}},
		{"subscription to a queue", named, Source{Destination: queue, Subscription: "s"}, []string{"subscription"}},
	} {
		err := Driver().CheckSource(&tt.connection, &tt.source)
		if diff := cmp.Diff(tt.want, fields(err)); diff != "" {
			t.Errorf("%s: wrong fields (-want +got):\n%s\nerror: %v", tt.name, diff, err)
		}
	}
}

func TestCheckTarget(t *testing.T) {
	for name, tt := range map[string]struct {
		target Target
		want   []string
	}{
		"open":  {Target{}, nil},
		"queue": {Target{Destination: connections.Destination{Queue: "q"}}, nil},
		"both":  {Target{Destination: connections.Destination{Queue: "q", Topic: "t"}}, []string{"queue"}},
		"map":   {Target{JMS: "map", Presettled: true, ReplyTo: "dynamic:a"}, nil},
		"text":  {Target{JMS: "text"}, []string{"jms"}},
	} {
		if diff := cmp.Diff(tt.want, fields(Driver().CheckTarget(&Connection{}, &tt.target))); diff != "" {
			t.Errorf("%s: wrong fields (-want +got):\n%s", name, diff)
		}
	}
}

// Without a password nobody is asked: it would only count as a failed try.
func TestNoPasswordNoDialing(t *testing.T) {
	dial, err := Driver().Open("orders", &Connection{URL: "amqp://user@127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = dial(t.Context()); !errors.Is(err, connections.ErrRefused) || !strings.Contains(err.Error(), `no password is set for user "user"`) {
		t.Fatalf("got error %v, want one that is ErrRefused", err)
	}
}

func TestDeadLetters(t *testing.T) {
	for _, tt := range []struct {
		source connections.Destination
		want   string
	}{
		{connections.Destination{Queue: "orders"}, "orders.DLQ"},
		{connections.Destination{Queue: "orders/eu"}, "orders/eu.DLQ"},
		{connections.Destination{Topic: "prices"}, "prices.DLQ"},
		{connections.Destination{Topic: "amq.topic/prices"}, "amq.topic.prices.DLQ"},
	} {
		got := Driver().DeadLetters(&Source{Destination: tt.source, Subscription: "s"}).(*Target)
		if want := (connections.Destination{Queue: tt.want}); got.Destination != want {
			t.Errorf("%+v: got %+v, want %+v", tt.source, got.Destination, want)
		}
	}
}

// A broker that repeats the password does not get it into our logs.
func TestHide(t *testing.T) {
	d := dialer{settings: &Connection{User: "u", Password: "s3cret"}}
	for _, class := range []error{connections.ErrRefused, connections.ErrStandby, connections.ErrConnLost} {
		got := d.hide(fmt.Errorf("%w: no such user u with s3cret", class))
		if !errors.Is(got, class) || strings.Contains(got.Error(), "s3cret") {
			t.Errorf("got error %v, want one that is %v, without the password", got, class)
		}
	}
	if got := d.hide(errors.New("s3cret")); strings.Contains(got.Error(), "s3cret") {
		t.Errorf("got error %v, want one without the password", got)
	}
	if err := errors.New("other"); d.hide(err) != err {
		t.Errorf("got error %v, want it as it was", d.hide(err))
	}
	from := dialer{settings: new(Connection), address: address{user: "u", password: "s3cret"}}
	if got := from.hide(errors.New("s3cret")); strings.Contains(got.Error(), "s3cret") {
		t.Errorf("password of the URL: got error %v, want one without it", got)
	}
}
