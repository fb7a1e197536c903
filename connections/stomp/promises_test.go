package stomp_test

import (
	"crypto/rand"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/connectiontest"
	"github.com/fairlead/fairlead/connections/stomp"
	"github.com/fairlead/fairlead/test/services"
)

// subject describes a broker to the shared suite. Connections go through a proxy
// that can cut them.
func subject(t *testing.T, b services.Broker) connectiontest.Subject {
	proxy := services.Proxy(t, b.STOMP)
	driver := stomp.Driver()
	settings := func(change func(*stomp.Connection)) *stomp.Connection {
		c := &stomp.Connection{URL: "stomp://" + proxy.Addr, User: b.User, Password: b.Password}
		change(c)
		return c
	}
	durable := func(subscription string) (connection, source any) {
		return settings(func(c *stomp.Connection) { c.ClientID = "app" }), &stomp.Source{Subscription: subscription}
	}
	return connectiontest.Subject{
		Driver:     driver,
		Connection: settings(func(*stomp.Connection) {}),
		Queue:      func(testing.TB) string { return "q." + strings.ToLower(rand.Text()) },
		Topic:      func(testing.TB) string { return "topic." + strings.ToLower(rand.Text()) },
		Break:      func(testing.TB) { proxy.Cut(); proxy.Restore() },
		ReplyTo:    func(queue string) string { return "/queue/" + queue },
		Durable:    durable,
		Selector:   func(expression string) any { return &stomp.Source{Selector: expression} },

		WrongPassword: settings(func(c *stomp.Connection) { c.Password = "wr0ng-secret" }),
		Password:      "wr0ng-secret",
		Unreachable:   settings(func(c *stomp.Connection) { c.URL = "stomp://" + closedPort(t) }),
		WrongSettings: wrongSettings(),
		Cannot: connectiontest.Cannot{
			Count: true, CloseUncounted: true, ReleaseOne: true, TypeHeaders: true,
		},
	}
}

func wrongSettings() map[string]any {
	return map[string]any{
		"url":       &stomp.Connection{},
		"urls[1]":   &stomp.Connection{URLs: []string{"stomp://localhost", "amqp://localhost"}},
		"heartbeat": &stomp.Connection{URL: "stomp://localhost", Heartbeat: new(time.Millisecond)},
		"headers":   &stomp.Connection{URL: "stomp://localhost", Headers: map[string]string{"passcode": "x"}},
		"tls.key":   &stomp.Connection{URL: "stomps://localhost", TLS: &connections.TLS{Key: "key.pem"}},
	}
}

// closedPort returns an address that nobody listens on.
func closedPort(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func TestPromisesArtemis(t *testing.T) {
	s := subject(t, services.Artemis(t))
	s.Cannot.CountPrefetch = true
	connectiontest.Run(t, s)
}

func TestPromisesClassic(t *testing.T) {
	s := subject(t, services.Classic(t))
	s.Exclusive = s.Durable
	connectiontest.Run(t, s)
}

func TestPromisesRabbitMQ(t *testing.T) {
	s := subject(t, services.RabbitMQ(t))
	s.Selector = nil
	s.Cannot.TellText = true
	s.Cannot.KeepIdentity = true
	s.Cannot.KeepTime = true
	connectiontest.Run(t, s)
}

// TestPromisesEmbedded needs no services: the broker is in this process.
func TestPromisesEmbedded(t *testing.T) {
	driver := stomp.Driver()
	if _, err := driver.Embed(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := connectiontest.Subject{
		Driver:     driver,
		Connection: &stomp.Connection{URL: "embedded", ClientID: "app"},
		Queue:      func(testing.TB) string { return "q." + rand.Text() },
		Topic:      func(testing.TB) string { return "t." + rand.Text() },
		ReplyTo:    func(queue string) string { return "/queue/" + queue },
		Durable:    func(name string) (connection, source any) { return nil, &stomp.Source{Subscription: name} },
		Selector:   func(expression string) any { return &stomp.Source{Selector: expression} },
		Cannot:     connectiontest.Cannot{Count: true, CloseUncounted: true, ReleaseOne: true, TypeHeaders: true},
	}
	s.Exclusive = s.Durable
	connectiontest.Run(t, s)
}
