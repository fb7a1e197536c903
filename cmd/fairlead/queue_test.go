package main

import (
	"crypto/rand"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fairlead/fairlead/test/services"
)

// TestBrokerScripts runs the scripts in testdata/broker, each with a QUEUE of its own.
func TestBrokerScripts(t *testing.T) {
	artemis, classic, rabbitmq := services.Artemis(t), services.Classic(t), services.RabbitMQ(t)
	p := scripts(t, "testdata/broker")
	setup := p.Setup
	p.Setup = func(env *testscript.Env) error {
		env.Setenv("ARTEMIS", artemis.AMQP)
		env.Setenv("CLASSIC", classic.AMQP)
		env.Setenv("RABBITMQ", rabbitmq.STOMP)
		env.Setenv("QUEUE", "q."+rand.Text())
		return setup(env)
	}
	testscript.Run(t, p)
}
