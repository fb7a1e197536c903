package stomp

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/go-stomp/stomp/v3/frame"

	"github.com/fairlead/fairlead/connections"
)

// A session is a broker's end of one connection, as a test plays it.
type session struct {
	conn   net.Conn
	in     *frame.Reader
	out    *frame.Writer
	greets []string // headers of CONNECTED
}

func newSession(conn net.Conn, greets ...string) *session {
	return &session{conn, frame.NewReader(conn), frame.NewWriter(conn), greets}
}

// greet answers CONNECT, and returns it.
func (s *session) greet() *frame.Frame {
	f := s.read()
	if f != nil {
		s.write(frame.CONNECTED, s.greets...)
	}
	return f
}

// read returns the next frame, without heart-beats; nil when the client is gone.
func (s *session) read() *frame.Frame {
	for {
		f, err := s.in.Read()
		if f != nil || err != nil {
			return f
		}
	}
}

// write sends a frame. What a client does not take is not the test's business.
func (s *session) write(command string, headers ...string) {
	_ = s.out.Write(frame.New(command, headers...))
}

func (s *session) receipt(f *frame.Frame) {
	s.write(frame.RECEIPT, frame.ReceiptId, f.Header.Get(frame.Receipt))
}

// obey answers every receipt until the client is gone.
func (s *session) obey() {
	for f := s.read(); f != nil; f = s.read() {
		if _, ok := f.Header.Contains(frame.Receipt); ok {
			s.receipt(f)
		}
	}
}

// piped returns a conn to a session, over a pipe so that it works in a bubble of
// synctest. CONNECT is answered with greets.
func piped(t *testing.T, settings *Connection, greets ...string) (*conn, *session) {
	t.Helper()
	client, server := net.Pipe()
	s := newSession(server, greets...)
	greeted := make(chan *frame.Frame)
	go func() { greeted <- s.greet() }()
	c := &conn{dialer: &dialer{settings: settings}, done: make(chan struct{}), links: make(map[*link]struct{})}
	l := newLink(client, c.lost)
	if err := c.dialer.introduce(l, ""); err != nil {
		t.Fatal(err)
	}
	<-greeted
	l.start()
	c.links[l], c.spare = struct{}{}, l
	t.Cleanup(func() {
		s.conn.Close()
		c.Close()
	})
	return c, s
}

// listening returns settings of a connection to a broker that plays every
// session with play.
func listening(t *testing.T, play func(s *session), greets ...string) *Connection {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				play(newSession(conn, greets...))
			}()
		}
	}()
	return &Connection{URL: "stomp://" + ln.Addr().String()}
}

// dialed returns a conn to where settings say.
func dialed(t *testing.T, settings *Connection) (connections.Conn, error) {
	t.Helper()
	dial, err := Driver().Open("test", settings)
	if err != nil {
		t.Fatal(err)
	}
	c, err := dial(t.Context())
	if err == nil {
		t.Cleanup(func() { c.Close() })
	}
	return c, err
}

func wantLost(t *testing.T, doing string, err error) {
	t.Helper()
	if !errors.Is(err, connections.ErrConnLost) {
		t.Errorf("%s: got error %v, want ErrConnLost", doing, err)
	}
}

func receiverOf(t *testing.T, c *conn, prefetch int) connections.Receiver {
	t.Helper()
	r, err := c.Receiver(context.Background(), &Source{Destination: connections.Destination{Queue: "q"}}, prefetch)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
