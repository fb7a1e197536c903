package stomp

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections"
)

// problems returns the fields and texts of joined setting errors.
func problems(err error) []string {
	var all []string
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			all = append(all, problems(err)...)
		}
	} else if err != nil {
		all = append(all, err.Error())
	}
	slices.Sort(all)
	return all
}

func TestConnectionSettings(t *testing.T) {
	const s3cret = "s3cret"
	tests := []struct {
		name     string
		settings Connection
		want     []string // beginnings of the problems
	}{
		{"a URL", Connection{URL: "stomp://broker"}, nil},
		{"URLs, with everything", Connection{URLs: []string{"stomps://u:" + s3cret + "@a:1", "stomp://[::1]:2/"}, VHost: "v", ClientID: "c", Heartbeat: new(time.Duration),
			Headers: map[string]string{"accept-version": "1.1"}}, nil},
		{"embedded", Connection{URL: "embedded"}, nil},
		{"nothing", Connection{}, []string{"url: expected either"}},
		{"both", Connection{URL: "stomp://a", URLs: []string{"stomp://b"}}, []string{"url: expected either"}},
		{"everything wrong", Connection{
			URLs: []string{"amqp://a", "stomp://", "stomp://a/vhost", "stomp://a:b@c@" + s3cret + "%zz"}, Heartbeat: new(time.Second - 1),
			Headers: map[string]string{"login": "x", "": "y"}, TLS: &connections.TLS{MinVersion: "1.1"},
		}, []string{
			`headers: found "", expected`, `headers: found "login", expected`, "heartbeat: found 999.999999ms, expected",
			`tls.minVersion: found "1.1", expected`, "urls[0]: expected a URL that begins", "urls[1]: expected a URL with a host",
			"urls[2]: expected a URL that ends after the port", "urls[3]: expected a URL such as",
		}},
		{"two users", Connection{URL: "stomp://u:" + s3cret + "@a", User: "v"}, []string{"url: expected a URL without a user"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Driver().Open("test", &test.settings)
			got := problems(err)
			if !slices.EqualFunc(got, test.want, strings.HasPrefix) {
				t.Errorf("got problems %q, want %q", got, test.want)
			}
			if err != nil && strings.Contains(err.Error(), s3cret) {
				t.Errorf("the password is in %q", err)
			}
		})
	}
}

func TestSourceSettings(t *testing.T) {
	tests := []struct {
		name       string
		connection Connection
		source     Source
		want       []string
	}{
		{"a queue", Connection{}, Source{Destination: connections.Destination{Queue: "q"}, Headers: map[string]string{"prefetch-count": "1"}}, nil},
		{"a durable subscription", Connection{ClientID: "app"}, Source{Destination: connections.Destination{Topic: "t"}, Subscription: "s"}, nil},
		{"nothing", Connection{}, Source{}, []string{"queue: expected either"}},
		{"everything wrong", Connection{}, Source{Destination: connections.Destination{Queue: "q"}, Subscription: "s", Headers: map[string]string{"ack": "auto"}},
			[]string{`headers: found "ack"`, "subscription: expected a topic", "subscription: expected clientId"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := problems(Driver().CheckSource(&test.connection, &test.source))
			if !slices.EqualFunc(got, test.want, strings.HasPrefix) {
				t.Errorf("got problems %q, want %q", got, test.want)
			}
		})
	}
}

func TestTargetSettings(t *testing.T) {
	for _, test := range []struct {
		target Target
		want   []string
	}{
		{Target{}, nil},
		{Target{Destination: connections.Destination{Topic: "t"}, Headers: map[string]string{"persistent": "false"}}, nil},
		{Target{Destination: connections.Destination{Queue: "q", Topic: "t"}, Headers: map[string]string{"receipt": "1"}},
			[]string{`headers: found "receipt"`, "queue: expected at most one"}},
	} {
		got := problems(Driver().CheckTarget(nil, &test.target))
		if !slices.EqualFunc(got, test.want, strings.HasPrefix) {
			t.Errorf("%+v: got problems %q, want %q", test.target, got, test.want)
		}
	}
}

func TestParseURL(t *testing.T) {
	for text, want := range map[string]string{
		"stomp://a": "a:61613", "stomps://a": "a:61614", "stomp://a:1": "a:1", "stomp://[::1]/": "[::1]:61613",
	} {
		if a, err := parseURL(text); err != nil || a.String() != want || a.tls != strings.HasPrefix(text, "stomps") {
			t.Errorf("%s: got %v, tls %t, error %v, want %s", text, a, a.tls, err, want)
		}
	}
	if a, err := parseURL("stomp://u%40x:p%2Fw@a"); err != nil || a.user != "u@x" || a.password != "p/w" {
		t.Errorf("got user %q, password %q, error %v, want u@x, p/w", a.user, a.password, err)
	}
}

func TestNamesOnABroker(t *testing.T) {
	type named struct{ Name, Routing string }
	queue := func(name string) connections.Destination { return connections.Destination{Queue: name} }
	native := func(name string) connections.Destination { return connections.Destination{Queue: name, Native: true} }
	tests := []struct {
		kind kind
		to   connections.Destination
		want named
	}{
		{artemis, queue("a"), named{"a", "ANYCAST"}},
		{artemis, connections.Destination{Topic: "a"}, named{"a", "MULTICAST"}},
		{artemis, queue("/queue/a"), named{"/queue/a", ""}},
		{artemis, native("a"), named{"a", ""}},
		{artemis, native("queue://a"), named{"a", "ANYCAST"}},
		{artemis, native("temp-topic://a"), named{"a", "MULTICAST"}},
		{artemis, native("a::b"), named{"a::b", ""}},
		{classic, queue("a"), named{"/queue/a", ""}},
		{classic, connections.Destination{Topic: "a"}, named{"/topic/a", ""}},
		{classic, native("/remote-temp-queue/ID:x"), named{"/remote-temp-queue/ID:x", ""}},
		{rabbit, queue("a"), named{"/queue/a", ""}},
		{rabbit, queue("a/b"), named{"/queue/a%2Fb", ""}},
		{rabbit, queue("/amq/queue/a"), named{"/amq/queue/a", ""}},
		{embedded, queue("a"), named{"/queue/a", ""}},
		{unknown, connections.Destination{Topic: "a"}, named{"/topic/a", ""}},
	}
	for _, test := range tests {
		name, routing := test.kind.name(test.to)
		if got := (named{name, routing}); got != test.want {
			t.Errorf("%+v on %d: got %v, want %v", test.to, test.kind, got, test.want)
		}
	}
}

func TestDeadLettersOf(t *testing.T) {
	for from, want := range map[connections.Destination]connections.Destination{
		{Queue: "a"}:                       {Queue: "a.DLQ"},
		{Topic: "a"}:                       {Queue: "a.DLQ"},
		{Queue: "/topic/a"}:                {Queue: "/queue/a.DLQ"},
		{Queue: "topic://a", Native: true}: {Queue: "queue://a.DLQ", Native: true},
	} {
		if diff := cmp.Diff(want, deadLetters(from)); diff != "" {
			t.Errorf("%+v, -want +got:\n%s", from, diff)
		}
	}
}

func TestPrefetch(t *testing.T) {
	for k, want := range map[kind]struct {
		room    int
		headers []string
	}{
		classic:  {10, []string{"activemq.prefetchSize", "10"}},
		rabbit:   {10, []string{"prefetch-count", "10"}},
		embedded: {10, []string{"prefetch-count", "10"}},
		artemis:  {65, []string{"consumer-window-size", "12800"}},
		unknown:  {65, []string{"consumer-window-size", "12800", "activemq.prefetchSize", "10", "prefetch-count", "10"}},
	} {
		headers, room := k.prefetch(10)
		if diff := cmp.Diff(want.headers, headersOf(&frame.Frame{Header: headers})); diff != "" || room != want.room {
			t.Errorf("%d: got room for %d, want %d; headers, -want +got:\n%s", k, room, want.room, diff)
		}
	}
}
