package services_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/services"
)

// echoServer returns the address of a server that sends everything back.
func echoServer(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // the test is over
			}
			go func() {
				defer conn.Close()
				io.Copy(conn, conn)
			}()
		}
	}()
	return listener.Addr().String()
}

// ask sends one byte and waits for it to come back, for at most patience.
func ask(conn net.Conn, patience time.Duration) error {
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte{1}); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, 1))
	return err
}

func proxied(t *testing.T, proxy *services.ToxiProxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", proxy.Addr)
	if err != nil {
		t.Fatalf("dial the proxy: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := ask(conn, 10*time.Second); err != nil {
		t.Fatalf("a healthy proxy: %v", err)
	}
	return conn
}

func TestProxyCut(t *testing.T) {
	proxy := services.Proxy(t, echoServer(t))
	conn := proxied(t, proxy)
	proxy.Cut()
	if err := ask(conn, 10*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a connection after Cut: got %v, want it to be dropped", err)
	}
	if conn, err := net.Dial("tcp", proxy.Addr); err == nil {
		conn.Close()
		t.Error("a new connection after Cut: got one, want a refusal")
	}
	proxy.Restore()
	proxied(t, proxy)
}

func TestProxyBlackHole(t *testing.T) {
	proxy := services.Proxy(t, echoServer(t))
	conn := proxied(t, proxy)
	proxy.BlackHole()
	if err := ask(conn, 200*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a connection in a black hole: got %v, want silence", err)
	}
	proxy.Restore()
	if err := ask(conn, 10*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a connection after the black hole: got %v, want it to be dropped", err)
	}
	proxied(t, proxy)
}

func TestProxySlow(t *testing.T) {
	proxy := services.Proxy(t, echoServer(t))
	conn := proxied(t, proxy)
	proxy.Slow(100 * time.Millisecond)
	began := time.Now()
	if err := ask(conn, 10*time.Second); err != nil {
		t.Fatalf("a slow connection: %v", err)
	}
	if took := time.Since(began); took < 200*time.Millisecond {
		t.Errorf("there and back with 100 ms each way: got %v, want 200 ms or more", took)
	}
}
