package services_test

import (
	"testing"

	"github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/test/services"
)

// A broker of a test's own keeps a persistent message through a crash, and
// comes back on the same ports.
func TestPrivateKeepsMessageWhenKilled(t *testing.T) {
	for _, name := range []string{"artemis", "classic", "brokerj"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broker := services.Private(t, name)
			login := &amqp.ConnOptions{SASLType: amqp.SASLTypePlain(broker.User, broker.Password)}

			amqpSend(t, amqpDial(t, "amqp://"+broker.AMQP, login), "q.kept", "still here")
			broker.Kill()
			if conn, err := amqp.Dial(withLimit(t), "amqp://"+broker.AMQP, login); err == nil {
				conn.Close()
				t.Fatal("the broker answers after Kill")
			}
			broker.Start()
			if got, want := amqpReceive(t, amqpDial(t, "amqp://"+broker.AMQP, login), "q.kept"), "still here"; got != want {
				t.Errorf("message after a crash: got %q, want %q", got, want)
			}
		})
	}
}

// The same of RabbitMQ, by the protocol that it is here for. The stop in good
// order comes first, because of what Kill says of young queues.
func TestPrivateRabbitMQKeepsMessage(t *testing.T) {
	t.Parallel()
	broker := services.Private(t, "rabbitmq")
	for _, end := range []func(){broker.Stop, broker.Kill} {
		stompSend(t, stompDial(t, broker.Broker, broker.STOMP, nil), "q.kept", "still here")
		end()
		broker.Start()
		if got, want := stompReceive(t, stompDial(t, broker.Broker, broker.STOMP, nil), "q.kept"), "still here"; got != want {
			t.Errorf("message after the end: got %q, want %q", got, want)
		}
	}
}
