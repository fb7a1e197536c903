package services_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/test/services"
)

type finder func(testing.TB) services.Broker

// Every AMQP address of every broker passes a message on, under the login that
// it is for.
func TestAMQPAddresses(t *testing.T) {
	artemis, classic, brokerj := services.Artemis(t), services.Classic(t), services.BrokerJ(t)
	external := amqp.SASLTypeExternal("")
	for name, login := range map[string]struct {
		url     string
		options amqp.ConnOptions
	}{
		"artemis":           {"amqp://" + artemis.AMQP, amqp.ConnOptions{SASLType: plain(artemis)}},
		"artemis/anonymous": {"amqp://" + artemis.AMQPAnonymous, amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous()}},
		"artemis/tls":       {"amqps://" + artemis.AMQPS, amqp.ConnOptions{SASLType: plain(artemis), TLSConfig: clientTLS(t, artemis, "")}},
		"artemis/external":  {"amqps://" + artemis.AMQPExternal, amqp.ConnOptions{SASLType: external, TLSConfig: clientTLS(t, artemis, "client")}},
		"classic":           {"amqp://" + classic.AMQP, amqp.ConnOptions{SASLType: plain(classic)}},
		"classic/tls":       {"amqps://" + classic.AMQPS, amqp.ConnOptions{SASLType: plain(classic), TLSConfig: clientTLS(t, classic, "")}},
		"brokerj":           {"amqp://" + brokerj.AMQP, amqp.ConnOptions{SASLType: plain(brokerj)}},
		"brokerj/anonymous": {"amqp://" + brokerj.AMQPAnonymous, amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous()}},
		"brokerj/tls":       {"amqps://" + brokerj.AMQPS, amqp.ConnOptions{SASLType: plain(brokerj), TLSConfig: clientTLS(t, brokerj, "")}},
		"brokerj/external":  {"amqps://" + brokerj.AMQPExternal, amqp.ConnOptions{SASLType: external, TLSConfig: clientTLS(t, brokerj, "client")}},
	} {
		t.Run(name, func(t *testing.T) {
			conn, queue := amqpDial(t, login.url, &login.options), queueOf(t)
			amqpSend(t, conn, queue, "hello")
			if got := amqpReceive(t, conn, queue); got != "hello" {
				t.Errorf("message through %s: got %q, want %q", login.url, got, "hello")
			}
		})
	}
}

// Every STOMP address of every broker passes a message on; a certificate does
// for a password where it can.
func TestSTOMPAddresses(t *testing.T) {
	artemis, classic, rabbitmq := services.Artemis(t), services.Classic(t), services.RabbitMQ(t)
	certified := artemis
	certified.User, certified.Password = "", ""
	for name, login := range map[string]struct {
		broker  services.Broker
		address string
		config  *tls.Config
	}{
		"artemis":             {artemis, artemis.STOMP, nil},
		"artemis/tls":         {artemis, artemis.STOMPS, clientTLS(t, artemis, "")},
		"artemis/certificate": {certified, artemis.STOMPS, clientTLS(t, artemis, "client")},
		"classic":             {classic, classic.STOMP, nil},
		"classic/tls":         {classic, classic.STOMPS, clientTLS(t, classic, "")},
		"rabbitmq":            {rabbitmq, rabbitmq.STOMP, nil},
	} {
		t.Run(name, func(t *testing.T) {
			conn, queue := stompDial(t, login.broker, login.address, login.config), queueOf(t)
			stompSend(t, conn, queue, "hello")
			if got := stompReceive(t, conn, queue); got != "hello" {
				t.Errorf("message through %s: got %q, want %q", login.address, got, "hello")
			}
		})
	}
}

// AMQP refuses a wrong password, also where a client without one is a guest.
func TestAMQPRefusesWrongPassword(t *testing.T) {
	for _, find := range []finder{services.Artemis, services.Classic, services.BrokerJ} {
		b := find(t)
		b.Password = "wrong"
		if conn, err := amqp.Dial(withLimit(t), "amqp://"+b.AMQP, &amqp.ConnOptions{SASLType: plain(b)}); err == nil {
			conn.Close()
			t.Errorf("%s: got a connection, want a refusal", b.Name)
		}
	}
}

// A certificate from the right CA is not enough: its owner must be known.
func TestAMQPRefusesStranger(t *testing.T) {
	b := services.Artemis(t)
	conn := amqpDial(t, "amqps://"+b.AMQPExternal, &amqp.ConnOptions{SASLType: amqp.SASLTypeExternal(""), TLSConfig: clientTLS(t, b, "client2")})
	if _, err := conn.NewSession(withLimit(t), nil); err == nil {
		t.Error("the owner of client2.crt: got a session, want a refusal")
	}
}

// STOMP refuses a wrong password, and none at all.
func TestSTOMPRefusesWrongPassword(t *testing.T) {
	for _, find := range []finder{services.Artemis, services.Classic, services.RabbitMQ} {
		for _, user := range []string{"app", ""} {
			b := find(t)
			b.User, b.Password = user, "wrong"
			if conn, err := stompConnect(t, b, b.STOMP, nil); err == nil {
				conn.MustDisconnect()
				t.Errorf("%s, user %q: got a connection, want a refusal", b.Name, user)
			}
		}
	}
}

func plain(b services.Broker) amqp.SASLType { return amqp.SASLTypePlain(b.User, b.Password) }

// clientTLS trusts the test CA, and shows the certificate of that name if there is one.
func clientTLS(t *testing.T, b services.Broker, name string) *tls.Config {
	t.Helper()
	ca, err := os.ReadFile(filepath.Join(b.Certs, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{ServerName: "localhost", RootCAs: x509.NewCertPool()}
	if !config.RootCAs.AppendCertsFromPEM(ca) {
		t.Fatal("ca.pem holds no certificate")
	}
	if name != "" {
		cert, err := tls.LoadX509KeyPair(filepath.Join(b.Certs, name+".crt"), filepath.Join(b.Certs, name+".key"))
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{cert}
	}
	return config
}

// queueOf names a queue of the test's own.
func queueOf(t *testing.T) string { return "q." + strings.ReplaceAll(t.Name(), "/", ".") }
