package broker

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3"
)

func TestStartTakesFreePort(t *testing.T) {
	var found []string
	for range 2 {
		address, err := Start(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(address, "127.0.0.1:61") {
			t.Errorf("got %s, want 127.0.0.1 and a port from 61613 on", address)
		}
		found = append(found, address)
	}
	if found[0] == found[1] {
		t.Errorf("got %s twice", found[0])
	}
}

func TestStartEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	address, err := Start(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cancel()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want the connection closed", err)
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		t.Error("after the connection was closed: got another one")
	}
}

func TestStartRefuses(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for address, want := range map[string]string{
		"0.0.0.0:61613":     "loopback",
		":61613":            "loopback",
		"192.0.2.1:61613":   "loopback",
		"example.com:61613": "loopback",
		"127.0.0.1":         "missing port",
		ln.Addr().String():  "address already in use",
	} {
		if addr, err := Start(t.Context(), address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %s, %v, want an error with %q", address, addr, err, want)
		}
	}
}

// TestErrorReachesClient sends more after what is refused: the ERROR must not
// be lost because the broker closes while there is something to read.
func TestErrorReachesClient(t *testing.T) {
	addr, err := Start(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\n" + strings.Repeat("x", 1<<20))); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(got), "ERROR\n") {
		t.Errorf("got %q, %v, want an ERROR frame", got, err)
	}
}

func TestServeFailsWithoutListener(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := new(Broker).Serve(t.Context(), ln); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want net.ErrClosed", err)
	}
}

func ExampleStart() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	address, err := Start(ctx, "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	conn, err := stomp.Dial("tcp", address)
	if err != nil {
		panic(err)
	}
	if err := conn.Send("/queue/hello", "text/plain", []byte("world"), stomp.SendOpt.Receipt); err != nil {
		panic(err)
	}
	if err := conn.Disconnect(); err != nil {
		panic(err)
	}
	// Output:
}
