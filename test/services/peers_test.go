package services_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/fairlead/fairlead/test/services"
)

// scramLogin ends with status 0 if the AMQP port at argv[1] accepts the user by
// the mechanism argv[4].
const scramLogin = `
import sys, proton, proton.utils
url, user, password, mechanism = sys.argv[1:]
conn = proton.utils.BlockingConnection(url, user=user, password=password, allowed_mechs=mechanism, timeout=20)
conn.create_sender("q.scram")
conn.close()
`

// Qpid Proton logs in by the mechanisms that it has only if it was built well.
func TestPythonSCRAM(t *testing.T) {
	python := services.Python(t)
	for _, login := range []struct {
		broker    services.Broker
		mechanism string
	}{
		{services.Artemis(t), "SCRAM-SHA-256"},
		{services.Artemis(t), "SCRAM-SHA-512"},
		{services.BrokerJ(t), "SCRAM-SHA-256"},
		{services.BrokerJ(t), "SCRAM-SHA-1"},
	} {
		b := login.broker
		run(t, python, "-c", scramLogin, "amqp://"+b.AMQPSCRAM, b.User, b.Password, login.mechanism)
	}
}

const stompLogin = `
import sys, stomp
host, port, user, password = sys.argv[1:]
conn = stomp.Connection12([(host, int(port))], vhost="/")
conn.connect(user, password, wait=True)
conn.disconnect()
`

func TestPythonSTOMP(t *testing.T) {
	python := services.Python(t)
	for _, b := range []services.Broker{services.Artemis(t), services.Classic(t), services.RabbitMQ(t)} {
		host, port, err := net.SplitHostPort(b.STOMP)
		if err != nil {
			t.Fatal(err)
		}
		run(t, python, "-c", stompLogin, host, port, b.User, b.Password)
	}
}

// jmsLogin is a JMS peer: java Peer.java USER PASSWORD (FACTORY-CLASS URL)...
const jmsLogin = `
public class Peer {
  public static void main(String[] a) throws Exception {
    for (int i = 2; i < a.length; i += 2) {
      var factory = (javax.jms.ConnectionFactory) Class.forName(a[i]).getConstructor(String.class).newInstance(a[i + 1]);
      try (var connection = factory.createConnection(a[0], a[1])) { connection.start(); }
    }
  }
}
`

// The class path has the three JMS clients that it promises, and they log in.
func TestJMSClasspath(t *testing.T) {
	b, source := services.Artemis(t), filepath.Join(t.TempDir(), "Peer.java")
	if err := os.WriteFile(source, []byte(jmsLogin), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, "java", "-cp", services.JMSClasspath(t), source, b.User, b.Password,
		"org.apache.qpid.jms.JmsConnectionFactory", "amqp://"+b.AMQP,
		"org.apache.activemq.artemis.jms.client.ActiveMQConnectionFactory", "tcp://"+b.Core,
		"org.apache.activemq.ActiveMQConnectionFactory", "tcp://"+b.Core)
}

func run(t *testing.T, program string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(withLimit(t), program, args...).CombinedOutput(); err != nil {
		t.Errorf("%s %q: %v\n%s", program, args, err, out)
	}
}
