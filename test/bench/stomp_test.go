package bench

import (
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/go-stomp/stomp/v3"
	"github.com/go-stomp/stomp/v3/frame"

	fairleadstomp "github.com/fairlead/fairlead/connections/stomp"
	"github.com/fairlead/fairlead/test/services"
)

func stompSettings(b services.Broker) *fairleadstomp.Connection {
	return &fairleadstomp.Connection{URL: "stomp://" + b.STOMP, User: b.User, Password: b.Password}
}

func dialSTOMP(b *testing.B, broker services.Broker) *stomp.Conn {
	b.Helper()
	c, err := net.Dial("tcp", broker.STOMP)
	if err != nil {
		b.Fatal(err)
	}
	conn, err := stomp.Connect(c, stomp.ConnOpt.Login(broker.User, broker.Password), stomp.ConnOpt.Host("/"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	return conn
}

var (
	persistent = stomp.SendOpt.Header("persistent", "true")
	anycast    = stomp.SendOpt.Header("destination-type", "ANYCAST")
)

const octets = "application/octet-stream"

// fillSTOMP puts n persistent messages of 1 KiB into a queue.
func fillSTOMP(b *testing.B, broker services.Broker, queue string, n int) {
	b.Helper()
	conn := dialSTOMP(b, broker)
	body := make([]byte, 1024)
	for range n - 1 {
		if err := conn.Send(queue, octets, body, persistent, anycast); err != nil {
			b.Fatal(err)
		}
	}
	if err := conn.Send(queue, octets, body, persistent, anycast, stomp.SendOpt.Receipt); err != nil {
		b.Fatal(err)
	}
}

// rawSTOMPReceive receives and acknowledges n messages. Artemis counts its
// window in bytes; of messages of 1 KiB, 1.25 KiB each make the prefetch.
func rawSTOMPReceive(b *testing.B, broker services.Broker, queue string, n, prefetch int) {
	conn := dialSTOMP(b, broker)
	window := func(f *frame.Frame) error {
		f.Header.Add("consumer-window-size", fmt.Sprint(prefetch*1280))
		f.Header.Add("subscription-type", "ANYCAST")
		return nil
	}
	sub, err := conn.Subscribe(queue, stomp.AckClientIndividual, window)
	if err != nil {
		b.Fatal(err)
	}
	for range n {
		m := <-sub.C
		if m.Err == nil {
			m.Err = conn.Ack(m)
		}
		if m.Err != nil {
			b.Fatal(m.Err)
		}
	}
}

// rawSTOMPSend sends with a receipt each, on a connection for each sender, since
// one go-stomp connection sends one at a time.
func rawSTOMPSend(b *testing.B, broker services.Broker, queue string, n, concurrency int) {
	var wg sync.WaitGroup
	body := make([]byte, 1024)
	for range concurrency {
		conn := dialSTOMP(b, broker)
		wg.Go(func() {
			for range n / concurrency {
				if err := conn.Send(queue, octets, body, persistent, anycast, stomp.SendOpt.Receipt); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkReceiveSTOMP(b *testing.B) {
	broker := services.Artemis(b)
	compareReceive(b, receiveCase{
		driver: fairleadstomp.Driver(), settings: stompSettings(broker),
		fill: func(queue string, n int) { fillSTOMP(b, broker, queue, n) },
		raw:  func(queue string, n, prefetch int) { rawSTOMPReceive(b, broker, queue, n, prefetch) },
	})
}

func BenchmarkSendSTOMP(b *testing.B) {
	broker := services.Artemis(b)
	compareSend(b, sendCase{
		driver: fairleadstomp.Driver(), settings: stompSettings(broker),
		raw:   func(queue string, n, concurrency int) { rawSTOMPSend(b, broker, queue, n, concurrency) },
		drain: func(queue string, n int) { rawSTOMPReceive(b, broker, queue, n, 500) },
	})
}
