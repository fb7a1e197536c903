package broker

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3"
	"github.com/go-stomp/stomp/v3/frame"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A pipes is a listener for connections within the process, so that tests can
// run in a synctest bubble.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	close  sync.Once
	stop   func() // stops the broker and checks that it ends well
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.close.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (p *pipes) dial(t testing.TB) net.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close() })
	p.conns <- theirs
	return ours
}

// serve runs b until the test ends, and checks that it ends well.
func serve(t testing.TB, b *Broker) *pipes {
	t.Helper()
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- b.Serve(ctx, p) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: got %v, want nil", err)
		}
	})
	t.Cleanup(p.stop)
	return p
}

// A client speaks STOMP frame by frame.
type client struct {
	t    testing.TB
	conn net.Conn
	r    *frame.Reader
	w    *frame.Writer
	got  []*frame.Frame // messages that came while do waited for a RECEIPT
}

func newClient(t testing.TB, conn net.Conn) *client {
	return &client{t: t, conn: conn, r: frame.NewReader(conn), w: frame.NewWriter(conn)}
}

// connect returns a client that has been CONNECTED with the given version.
func (p *pipes) connect(t testing.TB, v version, headers ...string) *client {
	t.Helper()
	c := newClient(t, p.dial(t))
	c.send("CONNECT", append([]string{"accept-version", string(v), "host", "/"}, headers...)...)
	if f := c.next(); f.Command != "CONNECTED" || f.Header.Get("version") != string(v) {
		t.Fatalf("CONNECT: got %s %v, want CONNECTED with version %s", f.Command, f.Header, v)
	}
	return c
}

func (c *client) send(command string, headers ...string) {
	c.t.Helper()
	c.sendBody(nil, command, headers...)
}

func (c *client) sendBody(body []byte, command string, headers ...string) {
	c.t.Helper()
	f := frame.New(command, headers...)
	f.Body = body
	if err := c.w.Write(f); err != nil {
		c.t.Fatalf("write %s: %v", command, err)
	}
}

// put sends text to a destination and waits for the receipt.
func (c *client) put(destination, text string, headers ...string) {
	c.t.Helper()
	c.doBody([]byte(text), "SEND", append([]string{"destination", destination}, headers...)...)
}

// do sends a frame and waits until the broker has done what it says.
func (c *client) do(command string, headers ...string) {
	c.t.Helper()
	c.doBody(nil, command, headers...)
}

func (c *client) doBody(body []byte, command string, headers ...string) {
	c.t.Helper()
	c.sendBody(body, command, append(headers, "receipt", "r-1")...)
	for {
		switch f := c.read(); {
		case f.Command == "MESSAGE":
			c.got = append(c.got, f)
		case f.Command == "RECEIPT" && f.Header.Get("receipt-id") == "r-1":
			return
		default:
			c.t.Fatalf("%s: got %s %v, want its RECEIPT", command, f.Command, f.Header)
		}
	}
}

// next returns the next frame.
func (c *client) next() *frame.Frame {
	c.t.Helper()
	if len(c.got) > 0 {
		f := c.got[0]
		c.got = c.got[1:]
		return f
	}
	return c.read()
}

func (c *client) read() *frame.Frame {
	c.t.Helper()
	for {
		f, err := c.r.Read()
		if err != nil {
			c.t.Fatalf("read: %v", err)
		}
		if f != nil { // else a heart-beat
			return f
		}
	}
}

// wantMessage returns the next frame, which must be a MESSAGE with that text.
func (c *client) wantMessage(text string) *frame.Frame {
	c.t.Helper()
	f := c.next()
	if f.Command != "MESSAGE" || string(f.Body) != text {
		c.t.Fatalf("got %s %v %q, want MESSAGE %q", f.Command, f.Header, f.Body, text)
	}
	return f
}

func (c *client) wantMessages(texts ...string) {
	c.t.Helper()
	for _, text := range texts {
		c.wantMessage(text)
	}
}

// wantNothing checks that no frame comes for a while. It is for synctest, where
// that takes no time.
func (c *client) wantNothing(d time.Duration) {
	c.t.Helper()
	if len(c.got) > 0 {
		c.t.Fatalf("got %s %v %q, want nothing", c.got[0].Command, c.got[0].Header, c.got[0].Body)
	}
	if err := c.conn.SetReadDeadline(time.Now().Add(d)); err != nil {
		c.t.Fatal(err)
	}
	if f, err := c.r.Read(); !errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("got %v, %v, want nothing for %s", f, err, d)
	}
	if err := c.conn.SetReadDeadline(time.Time{}); err != nil {
		c.t.Fatal(err)
	}
}

// wantError checks that the broker answers with an ERROR that has text in its
// message, and then closes.
func (c *client) wantError(text string) *frame.Frame {
	c.t.Helper()
	f := c.next()
	if f.Command != "ERROR" || !strings.Contains(f.Header.Get("message"), text) {
		c.t.Fatalf("got %s %v, want ERROR with %q", f.Command, f.Header, text)
	}
	if f, err := c.r.Read(); err == nil {
		c.t.Fatalf("after ERROR: got %v, want the connection closed", f)
	}
	return f
}

// wantHeaders checks headers of a frame; want "" means that it must not be there.
func wantHeaders(t testing.TB, f *frame.Frame, wants ...string) {
	t.Helper()
	for i := 0; i < len(wants); i += 2 {
		if got, ok := f.Header.Contains(wants[i]); got != wants[i+1] || ok != (wants[i+1] != "") {
			t.Errorf("%s: header %s: got %q, want %q", f.Command, wants[i], got, wants[i+1])
		}
	}
}

// subscribe with id "1".
func (c *client) subscribe(destination, ack string, headers ...string) {
	c.t.Helper()
	c.do("SUBSCRIBE", append([]string{"destination", destination, "id", "1", "ack", ack}, headers...)...)
}

// ack acknowledges a message in the words of STOMP 1.2.
func (c *client) ack(f *frame.Frame, headers ...string) {
	c.t.Helper()
	c.do("ACK", append([]string{"id", f.Header.Get("ack")}, headers...)...)
}

func wantDepth(t testing.TB, b *Broker, queue string, waiting, unacknowledged int) {
	t.Helper()
	if w, u := b.Depth(queue); w != waiting || u != unacknowledged {
		t.Errorf("depth of %s: got %d waiting, %d unacknowledged, want %d, %d", queue, w, u, waiting, unacknowledged)
	}
}

// wantEmpty checks that b keeps no message and no name of anything.
func wantEmpty(t testing.TB, b *Broker) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used != 0 || len(b.queues)+len(b.topics)+len(b.named) != 0 {
		t.Errorf("got %d bytes in use, queues %v, topics %v, names %v, want none", b.used, b.queues, b.topics, b.named)
	}
}

// dialStomp connects go-stomp's client.
func dialStomp(t testing.TB, conn net.Conn, opts ...func(*stomp.Conn) error) *stomp.Conn {
	t.Helper()
	c, err := stomp.Connect(conn, append(opts, stomp.ConnOpt.Logger(quiet{}))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Disconnect(); err != nil {
			t.Errorf("disconnect: %v", err)
		}
	})
	return c
}

// quiet does not log that a connection was closed.
type quiet struct{ stomp.Logger }

func (quiet) Info(string)           {}
func (quiet) Infof(string, ...any)  {}
func (quiet) Error(string)          {}
func (quiet) Errorf(string, ...any) {}
