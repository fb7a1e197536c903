package services_test

import (
	"context"
	"testing"
	"time"

	"github.com/Azure/go-amqp"
)

// amqpSend sends a durable message with the body text to queue.
func amqpSend(t *testing.T, conn *amqp.Conn, queue, text string) {
	t.Helper()
	ctx := withLimit(t)
	sender, err := amqpSession(t, conn).NewSender(ctx, queue, &amqp.SenderOptions{TargetCapabilities: []string{"queue"}})
	if err != nil {
		t.Fatalf("open a sender to %s: %v", queue, err)
	}
	message := amqp.NewMessage([]byte(text))
	message.Header = &amqp.MessageHeader{Durable: true, Priority: 4}
	if err := sender.Send(ctx, message, nil); err != nil {
		t.Fatalf("send to %s: %v", queue, err)
	}
}

// amqpReceive takes one message from queue and returns its body.
func amqpReceive(t *testing.T, conn *amqp.Conn, queue string) string {
	t.Helper()
	ctx := withLimit(t)
	receiver, err := amqpSession(t, conn).NewReceiver(ctx, queue, &amqp.ReceiverOptions{SourceCapabilities: []string{"queue"}})
	if err != nil {
		t.Fatalf("open a receiver from %s: %v", queue, err)
	}
	message, err := receiver.Receive(ctx, nil)
	if err != nil {
		t.Fatalf("receive from %s: %v", queue, err)
	}
	if err := receiver.AcceptMessage(ctx, message); err != nil {
		t.Fatalf("accept from %s: %v", queue, err)
	}
	return string(message.GetData())
}

func amqpDial(t *testing.T, url string, options *amqp.ConnOptions) *amqp.Conn {
	t.Helper()
	conn, err := amqp.Dial(withLimit(t), url, options)
	if err != nil {
		t.Fatalf("dial %s: %v", url, err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func amqpSession(t *testing.T, conn *amqp.Conn) *amqp.Session {
	t.Helper()
	session, err := conn.NewSession(withLimit(t), nil)
	if err != nil {
		t.Fatalf("open a session: %v", err)
	}
	return session
}

func withLimit(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}
