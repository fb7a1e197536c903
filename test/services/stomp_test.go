package services_test

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3"

	"github.com/fairlead/fairlead/test/services"
)

// stompDial opens a STOMP connection to address, over TLS if config is not nil.
func stompDial(t *testing.T, b services.Broker, address string, config *tls.Config) *stomp.Conn {
	t.Helper()
	conn, err := stompConnect(t, b, address, config)
	if err != nil {
		t.Fatalf("connect to %s: %v", address, err)
	}
	return conn
}

// stompConnect logs in as b's user, or without credentials if it names none.
func stompConnect(t *testing.T, b services.Broker, address string, config *tls.Config) (*stomp.Conn, error) {
	t.Helper()
	wire, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatalf("dial %s: %v", address, err)
	}
	if config != nil {
		wire = tls.Client(wire, config)
	}
	t.Cleanup(func() { wire.Close() })
	var options []func(*stomp.Conn) error
	if b.User != "" {
		options = append(options, stomp.ConnOpt.Login(b.User, b.Password))
	}
	if b.STOMPHost != "" {
		options = append(options, stomp.ConnOpt.Host(b.STOMPHost))
	}
	return stomp.Connect(wire, options...)
}

// stompSend sends a persistent message with the body text and waits until the
// broker has it.
func stompSend(t *testing.T, conn *stomp.Conn, queue, text string) {
	t.Helper()
	err := conn.Send("/queue/"+queue, "text/plain", []byte(text), stomp.SendOpt.Receipt, stomp.SendOpt.Header("persistent", "true"))
	if err != nil {
		t.Fatalf("send to %s: %v", queue, err)
	}
}

// stompReceive takes one message from queue and returns its body.
func stompReceive(t *testing.T, conn *stomp.Conn, queue string) string {
	t.Helper()
	subscription, err := conn.Subscribe("/queue/"+queue, stomp.AckClientIndividual)
	if err != nil {
		t.Fatalf("subscribe to %s: %v", queue, err)
	}
	defer subscription.Unsubscribe()
	select {
	case message := <-subscription.C:
		if message.Err != nil {
			t.Fatalf("receive from %s: %v", queue, message.Err)
		}
		if err := conn.Ack(message); err != nil {
			t.Fatalf("acknowledge from %s: %v", queue, err)
		}
		return string(message.Body)
	case <-time.After(30 * time.Second):
		t.Fatalf("no message from %s in 30 s", queue)
		return ""
	}
}
