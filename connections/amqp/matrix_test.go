package amqp_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/connections/amqp"
	"github.com/fairlead/fairlead/test/services"
)

// A listener is a port of a broker.
type listener struct {
	broker  services.Broker
	address string
	tls     bool
}

// listeners returns the ports of each broker, with TLS or without.
func listeners(t *testing.T, tls bool) map[string][]listener {
	t.Helper()
	artemis, classic, brokerj := services.Artemis(t), services.Classic(t), services.BrokerJ(t)
	of := func(b services.Broker, addresses ...string) (all []listener) {
		for _, a := range addresses {
			all = append(all, listener{b, strings.Replace(a, "127.0.0.1", "localhost", 1), tls})
		}
		return all
	}
	if tls {
		return map[string][]listener{
			"ActiveMQ Artemis 2.44": of(artemis, artemis.AMQPS, artemis.AMQPSSCRAM, artemis.AMQPExternal),
			"ActiveMQ Classic 6.1":  of(classic, classic.AMQPS),
			"Qpid Broker-J 9.2":     of(brokerj, brokerj.AMQPS, brokerj.AMQPExternal, brokerj.AMQPGSSAPI, brokerj.AMQPToken),
		}
	}
	return map[string][]listener{
		"ActiveMQ Artemis 2.44": of(artemis, artemis.AMQP, artemis.AMQPSCRAM, artemis.AMQPGSSAPI),
		"ActiveMQ Classic 6.1":  of(classic, classic.AMQP),
		"Qpid Broker-J 9.2":     of(brokerj, brokerj.AMQP, brokerj.AMQPAnonymous, brokerj.AMQPGSSAPI, brokerj.AMQPToken),
	}
}

// with returns the settings that allow one mechanism, "" for no SASL layer.
func (l listener) with(t *testing.T, mechanism string) *amqp.Connection {
	realm := services.Kerberos(t)
	c := &amqp.Connection{URL: "amqp://" + l.address}
	if l.tls {
		c.URL, c.TLS = "amqps://"+l.address, certificate(l.broker, "client")
	}
	switch c.SASL.Mechanisms = []string{mechanism}; mechanism {
	case "":
		c.SASL = amqp.SASL{Enabled: new(false)}
	case "GSSAPI":
		c.SASL.Keytab, c.SASL.Principal = realm.Keytab, realm.Principal
	case "EXTERNAL", "ANONYMOUS":
	default:
		c.User, c.Password = l.broker.User, l.broker.Password
	}
	return c
}

// result tries a mechanism with the ports of a broker until one lets us in.
func result(t *testing.T, ports []listener, mechanism string) string {
	t.Helper()
	for _, port := range ports {
		if mechanism == "EXTERNAL" && !port.tls {
			return "–"
		}
		conn, err := tryDial(t, port.with(t, mechanism))
		switch {
		case err == nil:
			queue := newQueue()
			send(t, conn, queueTarget(queue), text(mechanism))
			take(t, receiver(t, conn, queueSource(queue), 1), mechanism)
			return "yes"
		case strings.Contains(err.Error(), "the broker says that nobody may come in without a name"):
			return "refused"
		case mechanism != "" && !strings.Contains(err.Error(), "no SASL mechanism in common"):
			t.Errorf("%s at %s: %v", mechanism, port.address, err)
		}
	}
	return "–"
}

// TestMatrix passes a message over each broker by each mechanism, and compares
// what works with the table in docs/amqp.md.
func TestMatrix(t *testing.T) {
	t.Setenv("KRB5_CONFIG", services.Kerberos(t).Config)
	brokerj := services.BrokerJ(t)
	identify(t, brokerj, brokerj.Password) // here the password is a token, too
	mechanisms := []string{"EXTERNAL", "GSSAPI", "SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "XOAUTH2", "PLAIN", "ANONYMOUS", ""}
	var table strings.Builder
	row := func(cells ...string) { fmt.Fprintf(&table, "| %s |\n", strings.Join(cells, " | ")) }
	row(append([]string{"broker", "TLS"}, append(mechanisms[:len(mechanisms)-1:len(mechanisms)-1], "no SASL")...)...)
	table.WriteString(strings.Repeat("| --- ", 2+len(mechanisms)) + "|\n")
	for _, broker := range []string{"ActiveMQ Artemis 2.44", "ActiveMQ Classic 6.1", "Qpid Broker-J 9.2"} {
		for _, tls := range []bool{false, true} {
			cells := []string{broker, map[bool]string{false: "no", true: "yes"}[tls]}
			for _, mechanism := range mechanisms {
				cells = append(cells, result(t, listeners(t, tls)[broker], mechanism))
			}
			row(cells...)
		}
	}
	t.Logf("\n%s", &table)
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "amqp.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), table.String()) {
		t.Errorf("docs/amqp.md has another table, want\n%s", &table)
	}
}
