package mq

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/connections"
)

// fields returns the fields of all SettingErrors in err.
func fields(err error) []string {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		var wrong *connections.SettingError
		if errors.As(err, &wrong) {
			return []string{wrong.Field}
		}
		return nil
	}
	var all []string
	for _, err := range joined.Unwrap() {
		all = append(all, fields(err)...)
	}
	return all
}

const name49 = "A.NAME.OF.49.CHARACTERS.WHICH.IS.ONE.TOO.MANY.FOR"

func TestConnectionSettings(t *testing.T) {
	for _, test := range []struct {
		name string
		c    Connection
		want []string
	}{
		{"all", Connection{Address: "a(1414),b.example.com(1415), 10.0.0.1", QueueManager: "*QM_1/A%.", Channel: "DEV.APP.SVRCONN", User: "u", Password: "p", ApplName: "orders"}, nil},
		{"least", Connection{Address: "a", Channel: "C"}, nil},
		{"IPv6", Connection{Address: "fe80::1(1414)", Channel: "C"}, nil},
		{"CCDT file", Connection{CCDT: "/etc/mq/ccdt.json"}, nil},
		{"CCDT URL", Connection{CCDT: "https://example.com/ccdt.json", QueueManager: "QM1"}, nil},
		{"TLS", Connection{Address: "a", Channel: "C", TLS: &TLS{KeyRepository: "key.p12"}}, nil},
		{"nothing", Connection{}, []string{"address", "channel"}},
		{"a port as elsewhere", Connection{Address: "a:1414", Channel: "C"}, []string{"address"}},
		{"no port", Connection{Address: "a(0)", Channel: "C"}, []string{"address"}},
		{"too high a port", Connection{Address: "a(1414),b(65536)", Channel: "C"}, []string{"address"}},
		{"a URL", Connection{Address: "mq://a(1414)", Channel: "C"}, []string{"address"}},
		{"a long list", Connection{Address: strings.Repeat("a(1414),", 33) + "a", Channel: "C"}, []string{"address"}},
		{"an empty one in a list", Connection{Address: "a(1414),,b", Channel: "C"}, []string{"address"}},
		{"a long channel", Connection{Address: "a", Channel: "A.CHANNEL.OF.21.CHARS"}, []string{"channel"}},
		{"a channel with a blank", Connection{Address: "a", Channel: "A CHANNEL"}, []string{"channel"}},
		{"a long queue manager", Connection{Address: "a", Channel: "C", QueueManager: name49}, []string{"queueManager"}},
		{"both ways", Connection{Address: "a", Channel: "C", CCDT: "/a"}, []string{"address", "channel"}},
		{"a CCDT somewhere", Connection{CCDT: "ccdt.json"}, []string{"ccdt"}},
		{"a CCDT nowhere", Connection{CCDT: "gopher://a"}, []string{"ccdt"}},
		{"a CCDT that is no URL", Connection{CCDT: "http://a b\x00"}, []string{"ccdt"}},
		{"a password alone", Connection{Address: "a", Channel: "C", Password: "p"}, []string{"password"}},
		{"a long password", Connection{Address: "a", Channel: "C", User: "u", Password: strings.Repeat("p", 257)}, []string{"password"}},
		{"a long application", Connection{Address: "a", Channel: "C", ApplName: strings.Repeat("a", 29)}, []string{"applName"}},
		{"TLS without keys", Connection{Address: "a", Channel: "C", TLS: &TLS{}}, []string{"tls.keyRepository"}},
		{"TLS too long", Connection{Address: "a", Channel: "C", TLS: &TLS{strings.Repeat("a", 257), "", strings.Repeat("a", 65), strings.Repeat("a", 33), strings.Repeat("a", 1025)}},
			[]string{"tls.keyRepository", "tls.certificateLabel", "tls.cipherSpec", "tls.peerName"}},
	} {
		err := test.c.check()
		if got := fields(err); !slices.Equal(got, test.want) || (err == nil) != (len(test.want) == 0) {
			t.Errorf("%s: got %v, want errors in %v", test.name, err, test.want)
		}
		if test.c.Password != "" && err != nil && strings.Contains(err.Error(), "\""+test.c.Password) {
			t.Errorf("%s: the error holds the password: %v", test.name, err)
		}
	}
}

func TestSourceAndTargetSettings(t *testing.T) {
	queue := func(name string) connections.Destination { return connections.Destination{Queue: name} }
	for _, test := range []struct {
		name string
		s    Source
		want []string
	}{
		{"a queue", Source{Destination: queue("A.QUEUE/1_%"), Batch: 100}, nil},
		{"none", Source{}, []string{"queue"}},
		{"a topic", Source{Destination: connections.Destination{Topic: "a"}}, []string{"topic", "queue"}},
		{"a long name", Source{Destination: queue(name49)}, []string{"queue"}},
		{"a strange name", Source{Destination: queue("a-b")}, []string{"queue"}},
		{"a URI", Source{Destination: queue("queue://QM2/Q")}, []string{"queue"}},
		{"a batch of less than nothing", Source{Destination: queue("Q"), Batch: -1}, []string{"batch"}},
		{"a batch of too many", Source{Destination: queue("Q"), Batch: 1001}, []string{"batch"}},
	} {
		if got := fields(Driver().CheckSource(settings(), &test.s)); !slices.Equal(got, test.want) {
			t.Errorf("source, %s: got errors in %v, want %v", test.name, got, test.want)
		}
	}
	for _, test := range []struct {
		name string
		t    Target
		jms  bool
		want []string
	}{
		{"any queue", Target{}, false, nil},
		{"a queue", Target{Destination: queue("Q"), Headers: map[string]string{"a": "b"}, Atomic: true}, true, nil},
		{"a URI", Target{Destination: queue("queue://QM2/Q?targetClient=1")}, false, nil},
		{"a topic", Target{Destination: connections.Destination{Topic: "a"}}, true, []string{"topic"}},
		{"a long name", Target{Destination: queue(name49)}, true, []string{"queue"}},
		{"a wrong URI", Target{Destination: queue("queue://QM2/")}, true, []string{"queue"}},
		{"headers without JMS", Target{Headers: map[string]string{"a": "b"}}, false, []string{"headers"}},
	} {
		c := settings()
		c.JMS = test.jms
		if got := fields(Driver().CheckTarget(c, &test.t)); !slices.Equal(got, test.want) {
			t.Errorf("target, %s: got errors in %v, want %v", test.name, got, test.want)
		}
	}
}

func TestAddress(t *testing.T) {
	for words, want := range map[string]address{
		"Q1":                             {queue: "Q1"},
		"queue:///Q1":                    {queue: "Q1"},
		"queue://QM2/Q1":                 {queue: "Q1", manager: "QM2"},
		"queue:///A/B?persistence=2":     {queue: "A/B"},
		"queue:///Q1?targetClient=1&a=b": {queue: "Q1", plain: true},
		"queue://QM2/Q1?targetClient=0":  {queue: "Q1", manager: "QM2"},
	} {
		if got, err := parseAddress(words); err != nil || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", words, got, err, want)
		}
	}
	for _, words := range []string{"", "queue://", "queue://QM1", "queue:///", "topic://a", "a b", "queue://a b/Q", "queue:///Q?%zz", name49, "queue://" + name49 + "/Q"} {
		if got, err := parseAddress(words); err == nil {
			t.Errorf("%q: got %+v, want an error", words, got)
		}
	}
	if got := (address{queue: "Q", manager: "QM"}).uri(); got != "queue://QM/Q" {
		t.Errorf("got %s, want queue://QM/Q", got)
	}
}

func TestCCDTURL(t *testing.T) {
	c := Connection{CCDT: "/etc/mq/ccdt.json"}
	if got, err := c.ccdtURL(); got != "file:///etc/mq/ccdt.json" || err != nil {
		t.Errorf("got %s, %v; want a file URL", got, err)
	}
}
