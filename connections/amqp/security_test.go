package amqp_test

import (
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/amqp"
	"github.com/fairlead/fairlead/test/services"
)

// certificate returns the settings that trust the brokers' CA and, unless name is
// empty, prove to be its client of that name.
func certificate(broker services.Broker, name string) *connections.TLS {
	c := &connections.TLS{CA: filepath.Join(broker.Certs, "ca.pem")}
	if name != "" {
		c.Cert, c.Key = filepath.Join(broker.Certs, name+".crt"), filepath.Join(broker.Certs, name+".key")
	}
	return c
}

// works fails unless a message makes its way over a connection.
func works(t *testing.T, c *amqp.Connection) {
	t.Helper()
	conn, queue := dial(t, c), newQueue()
	send(t, conn, queueTarget(queue), text("hello"))
	take(t, receiver(t, conn, queueSource(queue), 1), "hello")
}

// refused fails unless the broker does not let us in, or we do not trust it.
func refused(t *testing.T, c *amqp.Connection) error {
	t.Helper()
	_, err := tryDial(t, c)
	wantError(t, err, connections.ErrRefused)
	return err
}

func TestWrongPassword(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		c := settings(broker)
		c.Password = "s3cret-" + rand.Text()
		for _, mechanisms := range [][]string{nil, {"PLAIN"}} {
			c.SASL.Mechanisms = mechanisms
			err := refused(t, c)
			if strings.Contains(err.Error(), c.Password) || !strings.Contains(err.Error(), `user or password of "app" is wrong`) {
				t.Errorf("got error %v, want it said plainly, without the password", err)
			}
		}
	})
}

func TestUserInURL(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		works(t, &amqp.Connection{URL: "amqp://" + broker.User + ":" + broker.Password + "@" + broker.AMQP})
	})
}

func TestMechanisms(t *testing.T) {
	for _, tt := range []struct {
		find      func(testing.TB) services.Broker
		mechanism string
	}{
		{services.Artemis, "SCRAM-SHA-256"}, {services.Artemis, "SCRAM-SHA-512"}, {services.BrokerJ, "SCRAM-SHA-256"},
	} {
		t.Run(tt.mechanism, func(t *testing.T) {
			broker := tt.find(t)
			c := settings(broker)
			c.URL, c.SASL.Mechanisms = "amqp://"+broker.AMQPSCRAM, []string{tt.mechanism}
			works(t, c)
			c.Password = "wrong"
			refused(t, c)
		})
	}
	t.Run("strongest", func(t *testing.T) { // Broker-J offers SCRAM and PLAIN on one port
		works(t, settings(services.BrokerJ(t)))
	})
	t.Run("not offered", func(t *testing.T) {
		broker := services.Artemis(t)
		c := settings(broker)
		c.SASL.Mechanisms = []string{"SCRAM-SHA-256"}
		if err := refused(t, c); !strings.Contains(err.Error(), "PLAIN, ANONYMOUS, we may use SCRAM-SHA-256") {
			t.Errorf("got error %v, want it to name what is offered", err)
		}
	})
}

func TestAnonymous(t *testing.T) {
	for _, find := range []func(testing.TB) services.Broker{services.Artemis, services.BrokerJ} {
		works(t, &amqp.Connection{URL: "amqp://" + find(t).AMQPAnonymous})
	}
	classic := services.Classic(t)
	refused(t, &amqp.Connection{URL: "amqp://" + classic.AMQP})
}

func TestWithoutSASL(t *testing.T) {
	peer := startPeer(t)
	peer.SASL.Enabled = new(false)
	send(t, dial(t, peer), queueTarget("outcomes"), text("accepted"))
	if _, err := tryDial(t, &amqp.Connection{URL: "amqp://" + services.BrokerJ(t).AMQP, SASL: amqp.SASL{Enabled: new(false)}}); err == nil {
		t.Error("got no error from a broker that wants SASL, want one")
	}
}

func TestTLS(t *testing.T) {
	broker := services.Artemis(t)
	c := settings(broker)
	c.URL, c.TLS = "amqps://"+broker.AMQPS, certificate(broker, "")
	t.Run("trusted", func(t *testing.T) { works(t, c) })
	t.Run("name", func(t *testing.T) {
		named := *c
		named.URL = strings.Replace(c.URL, "127.0.0.1", "localhost", 1)
		works(t, &named)
	})
	t.Run("untrusted", func(t *testing.T) {
		untrusted := *c
		untrusted.TLS = nil
		refused(t, &untrusted)
	})
	t.Run("wrong name", func(t *testing.T) {
		named := *c
		named.TLS = certificate(broker, "")
		named.TLS.ServerName = "broker.example.com"
		refused(t, &named)
	})
	t.Run("not verified", func(t *testing.T) {
		blind := *c
		blind.TLS = &connections.TLS{Verify: new(false)}
		works(t, &blind)
	})
	for name, url := range map[string]string{"no TLS there": "amqps://" + broker.AMQP, "no TLS here": "amqp://" + broker.AMQPS} {
		t.Run(name, func(t *testing.T) { // both sides may wait for the other to begin
			other := *c
			other.URL = url
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := check(amqp.Driver().Open("test", &other))(t)(ctx); err == nil {
				t.Error("got no error, want one")
			}
		})
	}
	t.Run("missing file", func(t *testing.T) {
		missing := *c
		missing.TLS = &connections.TLS{CA: "/does/not/exist.pem"}
		if _, err := tryDial(t, &missing); err == nil || !strings.Contains(err.Error(), "tls.ca") {
			t.Errorf("got error %v, want one that names the setting", err)
		}
	})
}

func TestExternal(t *testing.T) {
	for _, find := range []func(testing.TB) services.Broker{services.Artemis, services.BrokerJ} {
		broker := find(t)
		t.Run(broker.Name, func(t *testing.T) {
			c := &amqp.Connection{URL: "amqps://" + broker.AMQPExternal, TLS: certificate(broker, "client")}
			works(t, c)
			c.SASL.Mechanisms = []string{"EXTERNAL"}
			works(t, c)
			c = &amqp.Connection{URL: c.URL, TLS: certificate(broker, "")}
			if _, err := tryDial(t, c); err == nil {
				t.Error("without a certificate: got no error, want one")
			}
		})
	}
	t.Run("stranger", func(t *testing.T) { // Broker-J knows everybody whom the CA knows
		broker := services.Artemis(t)
		refused(t, &amqp.Connection{URL: "amqps://" + broker.AMQPExternal, TLS: certificate(broker, "client2")})
	})
}

// A permission that is missing concerns one receiver, not the connection.
func TestNotAllowed(t *testing.T) {
	c := settings(services.Artemis(t))
	c.User, c.Password = "sender", "senderpw"
	conn := dial(t, c)
	_, err := conn.Receiver(within(t), queueSource("DLQ"), 1)
	wantError(t, err, connections.ErrRefused)
	if errors.Is(err, connections.ErrConnLost) {
		t.Errorf("got error %v, want one that leaves the connection alone", err)
	}
	if err := conn.(connections.Pinger).Ping(within(t)); err != nil {
		t.Errorf("ping: %v", err)
	}
}

func TestFailover(t *testing.T) {
	broker := services.Artemis(t)
	c := settings(broker)
	c.URL, c.URLs = "", []string{"amqp://127.0.0.1:1", "amqp://" + broker.AMQP}
	works(t, c)
	c.URLs = c.URLs[:1]
	if _, err := tryDial(t, c); err == nil || errors.Is(err, connections.ErrRefused) {
		t.Errorf("got error %v, want one that is not ErrRefused", err)
	}
}
