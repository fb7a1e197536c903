package amqp_test

import (
	"io"
	"net"
	"regexp"
	"testing"

	"github.com/fairlead/fairlead/connections/amqp"
)

// Each connection has a container id of its own, a random UUID.
func TestContainerID(t *testing.T) {
	listener := check(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer listener.Close()
	heard := make(chan string, 1)
	go func() {
		defer close(heard)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, "AMQP\x00\x01\x00\x00")
			header, frame := make([]byte, 8), make([]byte, 128)
			io.ReadFull(conn, header)
			n, _ := conn.Read(frame) // go-amqp writes a frame at once
			conn.Close()
			heard <- string(frame[:n])
		}
	}()
	uuid := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
	seen := make(map[string]bool)
	for range 2 {
		if _, err := tryDial(t, &amqp.Connection{URL: "amqp://" + listener.Addr().String(), SASL: amqp.SASL{Enabled: new(false)}}); err == nil {
			t.Error("got a connection, want an error")
		}
		frame := <-heard
		id := uuid.FindString(frame)
		if id == "" || seen[id] {
			t.Errorf("got the open frame %q after ids %v, want another UUID", frame, seen)
		}
		seen[id] = true
	}
}
