package bench

import (
	"context"
	"sync"
	"testing"

	"github.com/Azure/go-amqp"

	fairleadamqp "github.com/fairlead/fairlead/connections/amqp"
	"github.com/fairlead/fairlead/test/services"
)

func amqpSettings(b services.Broker) *fairleadamqp.Connection {
	return &fairleadamqp.Connection{URL: "amqp://" + b.AMQP, User: b.User, Password: b.Password}
}

// dialAMQP opens a raw session.
func dialAMQP(b *testing.B, broker services.Broker) *amqp.Session {
	b.Helper()
	conn, err := amqp.Dial(b.Context(), "amqp://"+broker.AMQP, &amqp.ConnOptions{SASLType: amqp.SASLTypePlain(broker.User, broker.Password)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	s, err := conn.NewSession(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

var capabilities = []string{"queue"}

func rawMessage() *amqp.Message {
	m := amqp.NewMessage(make([]byte, 1024))
	m.Header = &amqp.MessageHeader{Durable: true, Priority: 4}
	return m
}

// fillAMQP puts n persistent messages of 1 KiB into a queue.
func fillAMQP(b *testing.B, broker services.Broker, queue string, n int) {
	b.Helper()
	s := dialAMQP(b, broker)
	snd, err := s.NewSender(b.Context(), queue, &amqp.SenderOptions{TargetCapabilities: capabilities})
	if err != nil {
		b.Fatal(err)
	}
	receipts := make(chan amqp.SendReceipt, 500)
	done := make(chan error, 1)
	go func() {
		var failed error
		for r := range receipts {
			if _, err := r.Wait(context.Background()); err != nil {
				failed = err
			}
		}
		done <- failed
	}()
	for range n {
		r, err := snd.SendWithReceipt(b.Context(), rawMessage(), nil)
		if err != nil {
			b.Fatal(err)
		}
		receipts <- r
	}
	close(receipts)
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

func rawAMQPReceive(b *testing.B, broker services.Broker, queue string, n, prefetch int) {
	s := dialAMQP(b, broker)
	r, err := s.NewReceiver(b.Context(), queue, &amqp.ReceiverOptions{Credit: int32(prefetch), SourceCapabilities: capabilities})
	if err != nil {
		b.Fatal(err)
	}
	for range n {
		m, err := r.Receive(b.Context(), nil)
		if err == nil {
			err = r.AcceptMessage(b.Context(), m)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func rawAMQPSend(b *testing.B, broker services.Broker, queue string, n, concurrency int) {
	var wg sync.WaitGroup
	s := dialAMQP(b, broker)
	for range concurrency {
		snd, err := s.NewSender(b.Context(), queue, &amqp.SenderOptions{TargetCapabilities: capabilities})
		if err != nil {
			b.Fatal(err)
		}
		wg.Go(func() {
			for range n / concurrency {
				if err := snd.Send(b.Context(), rawMessage(), nil); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkReceiveAMQP(b *testing.B) {
	broker := services.Artemis(b)
	compareReceive(b, receiveCase{
		driver: fairleadamqp.Driver(), settings: amqpSettings(broker),
		fill: func(queue string, n int) { fillAMQP(b, broker, queue, n) },
		raw:  func(queue string, n, prefetch int) { rawAMQPReceive(b, broker, queue, n, prefetch) },
	})
}

func BenchmarkSendAMQP(b *testing.B) {
	broker := services.Artemis(b)
	compareSend(b, sendCase{
		driver: fairleadamqp.Driver(), settings: amqpSettings(broker),
		raw:   func(queue string, n, concurrency int) { rawAMQPSend(b, broker, queue, n, concurrency) },
		drain: func(queue string, n int) { rawAMQPReceive(b, broker, queue, n, 500) },
	})
}
