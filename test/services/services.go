// Package services gives tests real brokers, a database and the tools around
// them, all on loopback.
//
// The command "go run ./test/services/cmd/services up" installs what is missing,
// starts one shared service of each sort, and describes them in a file; the
// functions here read that file. A test that finds no services is skipped, so
// that plain "go test ./..." works anywhere, or fails where
// FAIRLEAD_REQUIRE_SERVICES=1 says that they must be there.
//
// The shared services outlive a test: every test uses queues, topics and
// databases of its own name. A test that stops or kills a broker takes one of
// its own from [Private].
package services

import (
	"os"
	"strings"
	"testing"
)

// Broker says how to reach one broker. An address is host:port, or empty if the
// broker has no such port.
type Broker struct {
	Name          string `json:"name"`                     // artemis, classic, rabbitmq or brokerj
	STOMP         string `json:"stomp,omitempty"`          // user and password
	STOMPS        string `json:"stomps,omitempty"`         // the same over TLS; a client certificate is welcome
	STOMPHost     string `json:"stomp_host,omitempty"`     // the host header that CONNECT must carry, if not the address
	AMQP          string `json:"amqp,omitempty"`           // SASL PLAIN
	AMQPS         string `json:"amqps,omitempty"`          // the same over TLS
	AMQPExternal  string `json:"amqp_external,omitempty"`  // TLS with a client certificate, SASL EXTERNAL
	AMQPSCRAM     string `json:"amqp_scram,omitempty"`     // SASL SCRAM-SHA-256, on Artemis also -512, on Broker-J also -1
	AMQPSSCRAM    string `json:"amqps_scram,omitempty"`    // the same over TLS
	AMQPGSSAPI    string `json:"amqp_gssapi,omitempty"`    // SASL GSSAPI for the realm of Kerberos, as the host localhost; on Broker-J also over TLS
	AMQPAnonymous string `json:"amqp_anonymous,omitempty"` // SASL ANONYMOUS
	AMQPToken     string `json:"amqp_token,omitempty"`     // SASL XOAUTH2; the broker asks Identity whose the token is
	Identity      string `json:"identity,omitempty"`       // where the test itself has to serve GET /user as GitHub does, with TLS as "server"
	AMQP091       string `json:"amqp091,omitempty"`        // RabbitMQ's own protocol
	Core          string `json:"core,omitempty"`           // Artemis' own protocol and OpenWire, for JMS peers
	OpenWire      string `json:"openwire,omitempty"`       // ActiveMQ Classic's own protocol, for JMS peers
	User          string `json:"user"`
	Password      string `json:"password"`
	// Certs is a folder: ca.pem signs the brokers' certificates (for localhost and
	// 127.0.0.1) and client.crt, client.key, whose owner the brokers know.
	// client2.* is from the same CA, but a stranger to them. NAME.pem has both the
	// certificate and the key.
	Certs string `json:"certs"`
}

// Artemis returns the shared ActiveMQ Artemis: STOMP and AMQP, each plain and with TLS.
// An address becomes a queue if its name starts with "q." or "retry." (three
// attempts, 200 ms apart and doubling, then DLQ.retry), a topic if with "topic.".
func Artemis(t testing.TB) Broker { t.Helper(); return shared(t, "artemis") }

// Classic returns the shared ActiveMQ Classic: STOMP and AMQP.
func Classic(t testing.TB) Broker { t.Helper(); return shared(t, "classic") }

// RabbitMQ returns the shared RabbitMQ: STOMP.
func RabbitMQ(t testing.TB) Broker { t.Helper(); return shared(t, "rabbitmq") }

// BrokerJ returns the shared Qpid Broker-J: AMQP.
func BrokerJ(t testing.TB) Broker { t.Helper(); return shared(t, "brokerj") }

func shared(t testing.TB, name string) Broker {
	t.Helper()
	b, ok := running(t).Brokers[name]
	if !ok {
		missing(t, name+" is not running")
	}
	return b
}

// skipReason starts the text of every skip for want of a service.
const skipReason = "service missing: "

// Missing reports whether a test that was skipped with this text was so for
// want of a service, be it one that did not ask this package for it.
func Missing(text string) bool {
	text = strings.ToLower(text)
	for _, s := range services() {
		if strings.Contains(text, s.name) {
			return true
		}
	}
	return strings.Contains(text, skipReason)
}

// missing ends a test that cannot run here.
func missing(t testing.TB, what string) {
	t.Helper()
	text := skipReason + what + " (start it: go run ./test/services/cmd/services up)"
	if os.Getenv("FAIRLEAD_REQUIRE_SERVICES") == "1" {
		t.Fatal(text)
	}
	t.Skip(text)
}
