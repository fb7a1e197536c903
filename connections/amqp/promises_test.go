package amqp_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/amqp"
	"github.com/fairlead/fairlead/connections/connectiontest"
	"github.com/fairlead/fairlead/test/services"
)

func TestArtemis(t *testing.T) { connectiontest.Run(t, subject(t, services.Artemis(t))) }

func TestClassic(t *testing.T) {
	connectiontest.Run(t, subject(t, services.Classic(t)))
}

func TestBrokerJ(t *testing.T) {
	s := subject(t, services.BrokerJ(t))
	s.Cannot.CloseUncounted = true
	s.Cannot.Reject = true
	s.Topic = func(testing.TB) string { return "amq.topic/" + rand.Text() } // a routing key of an exchange
	s.Exclusive = nil                                                       // a second receiver takes the subscription over
	connectiontest.Run(t, s)
}

// subject returns the suite's view of the driver on a broker, through a proxy
// that can break connections.
func subject(t *testing.T, broker services.Broker) connectiontest.Subject {
	proxy := services.Proxy(t, broker.AMQP)
	settings := amqp.Connection{URL: "amqp://" + proxy.Addr, User: broker.User, Password: broker.Password, ContainerID: "c-" + rand.Text()}
	wrong := settings
	wrong.Password = "wr0ng-secret"
	return connectiontest.Subject{
		Driver:     amqp.Driver(),
		Connection: &settings,
		Queue:      func(testing.TB) string { return "q." + rand.Text() },
		Topic:      func(testing.TB) string { return "topic." + rand.Text() },
		Break:      func(testing.TB) { proxy.Cut(); proxy.Restore() },
		Durable: func(subscription string) (any, any) {
			return &settings, &amqp.Source{Subscription: subscription}
		},
		Exclusive: func(subscription string) (any, any) {
			return &settings, &amqp.Source{Subscription: subscription}
		},
		Malformed:     func(t testing.TB, queue string) { sendMalformed(t, broker, queue) },
		Selector:      func(expression string) any { return &amqp.Source{Selector: expression} },
		WrongPassword: &wrong,
		Password:      wrong.Password,
		Unreachable:   &amqp.Connection{URL: "amqp://127.0.0.1:1"},
		WrongSettings: map[string]any{
			"url":                &amqp.Connection{URL: "localhost"},
			"urls[1]":            &amqp.Connection{URLs: []string{"amqp://a", "http://b"}},
			"idleTimeout":        &amqp.Connection{URL: "amqp://localhost", IdleTimeout: time.Millisecond},
			"user":               &amqp.Connection{URL: "amqp://localhost", SASL: amqp.SASL{Mechanisms: []string{"PLAIN"}}},
			"sasl.mechanisms":    &amqp.Connection{URL: "amqp://localhost", SASL: amqp.SASL{Mechanisms: []string{"KERBEROS"}}},
			"sasl.enabled":       &amqp.Connection{URL: "amqp://u:p@localhost", SASL: amqp.SASL{Enabled: new(false)}},
			"sasl.allowInsecure": &amqp.Connection{URL: "amqp://u:p@broker.example.com"},
			"tls.cert":           &amqp.Connection{URL: "amqps://localhost", SASL: amqp.SASL{Mechanisms: []string{"EXTERNAL"}}},
			"tls.minVersion":     &amqp.Connection{URL: "amqps://localhost", TLS: &connections.TLS{MinVersion: "1.0"}},
		},
	}
}
