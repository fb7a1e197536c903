package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/test/mqdouble/engine"
)

// A Server lets shims talk to a queue manager.
type Server struct {
	manager  *engine.Manager
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// Listen begins to serve on address, which must be on loopback; port 0 means any.
func Listen(address string, m *engine.Manager) (*Server, error) {
	listener, err := net.Listen("tcp4", address)
	if err != nil {
		return nil, err
	}
	if a, ok := listener.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("listen on %s: the double serves loopback addresses alone", address), listener.Close())
	}
	s := &Server{manager: m, listener: listener, conns: make(map[net.Conn]struct{})}
	s.running.Go(s.accept)
	return s, nil
}

// Address returns where it listens, as MQ writes it: host(port).
func (s *Server) Address() string {
	a := s.listener.Addr().(*net.TCPAddr)
	return fmt.Sprintf("%s(%d)", a.IP, a.Port)
}

// Close cuts all connections and waits until they are gone.
func (s *Server) Close() error {
	err := s.listener.Close()
	s.mu.Lock()
	for c := range s.conns {
		c.Close() // its goroutine notices
	}
	s.mu.Unlock()
	s.running.Wait()
	return err
}

func (s *Server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		s.running.Go(func() { s.serve(c) })
	}
}

func (s *Server) serve(c net.Conn) {
	session := &session{server: s, socket: c, requests: make(chan []byte), gone: make(chan struct{})}
	s.running.Go(session.read)
	session.run()
	c.Close()
	for range session.requests { // until the reader has noticed
	}
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
}

// A session is one socket, which is one connection handle.
type session struct {
	server   *Server
	socket   net.Conn
	conn     *engine.Conn // nil before MQCONNX; owned by run
	requests chan []byte
	gone     chan struct{} // closed when the application is
	done     bool          // MQDISC was answered
}

// read hands over requests, and notices when the application dies even while a
// request of it waits.
func (s *session) read() {
	defer close(s.requests)
	defer close(s.gone)
	in := bufio.NewReaderSize(s.socket, 64<<10)
	for {
		frame, err := readFrame(in)
		if err != nil {
			return
		}
		s.requests <- frame
	}
}

func (s *session) run() {
	var lost <-chan struct{}
	for !s.done {
		if s.conn != nil {
			lost = s.conn.Lost()
		}
		select {
		case frame, more := <-s.requests:
			if !more || s.answer(frame) != nil {
				return
			}
		case <-lost:
			return
		}
	}
}

// connected remembers the connection, which dies with the application.
func (s *session) connected(c *engine.Conn) {
	s.conn = c
	s.server.running.Go(func() {
		<-s.gone
		c.Drop()
	})
}

// head is the length of what every answer begins with: its own length, the
// completion code and the reason code.
const head = 12

// answer runs one request.
func (s *session) answer(frame []byte) error {
	in := &request{data: frame}
	verb := in.int()
	if s.conn == nil && verb != connx {
		return fmt.Errorf("verb %d before MQCONNX", verb)
	}
	out := make(answer, head, 512)
	r := s.perform(verb, in, &out)
	if in.err != nil {
		r, out = engine.Result{Code: mqi.MQCC_FAILED, Reason: mqi.MQRC_UNEXPECTED_ERROR}, out[:head]
	}
	binary.LittleEndian.PutUint32(out, uint32(len(out)-4))
	binary.LittleEndian.PutUint32(out[4:], uint32(r.Code))
	binary.LittleEndian.PutUint32(out[8:], uint32(r.Reason))
	_, err := s.socket.Write(out)
	return err
}
