package broker

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
)

const (
	connectTime = 10 * time.Second // until a connection has to say CONNECT
	partingTime = 2 * time.Second  // for the last frames to reach a client
)

// A session is one client's connection. One goroutine reads from it (read and
// all that handle calls), another writes to it (write).
type session struct {
	broker *Broker
	id     string
	conn   net.Conn
	cancel context.CancelCauseFunc // ends the session

	// These belong to the reading goroutine.
	clientID     string
	patience     time.Duration // how long the client may be silent; 0: for ever
	transactions map[string]*transaction

	// These are guarded by broker.mu. The reading goroutine alone sets version.
	version    version
	beat       time.Duration // how long we may be silent; 0: for ever
	subs       map[string]*subscription
	temps      map[string]*queue // this connection's temporary queues, by destination
	deliveries uint64            // how many there were
	out        []outgoing        // what is to be written
	replies    int               // bytes in out of frames that the client caused
	writing    []*delivery       // of subscriptions with ack:auto, which writing settles
	closing    bool              // nothing is added to out any more

	wake chan struct{} // there is something to write
	room chan struct{} // there is room for replies
}

// serve talks to one client until either side or ctx ends it, and gives back
// what the client had not acknowledged.
func (b *Broker) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })()
	s := b.newSession(conn, cancel)
	var writer sync.WaitGroup
	writer.Go(s.write)
	err := s.read(ctx)
	s.hangUp(err)
	writer.Wait()
	s.end(err)
	if err != errStopping {
		linger(conn)
	}
}

func (b *Broker) newSession(conn net.Conn, cancel context.CancelCauseFunc) *session {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &session{
		broker: b, id: b.nextID("s"), conn: conn, cancel: cancel, patience: connectTime,
		transactions: map[string]*transaction{},
		subs:         map[string]*subscription{},
		temps:        map[string]*queue{},
		wake:         make(chan struct{}, 1),
		room:         make(chan struct{}, 1),
	}
}

// read handles the client's frames. It returns nil after DISCONNECT, a refusal
// to tell the client, or why nothing can be read any more.
func (s *session) read(ctx context.Context) error {
	r := newFrameReader(patientReader{s, func() error { return context.Cause(ctx) }}, s.broker.MaxBody)
	for {
		if err := s.awaitRoom(ctx); err != nil {
			return err
		}
		r.version = s.version
		f, err := r.read()
		if err != nil {
			return err
		}
		if err := s.handle(f); err != nil || f.Command == frame.DISCONNECT {
			return err
		}
	}
}

// A patientReader reads from a session's connection while the session lasts and
// its client is not silent for too long.
type patientReader struct {
	session *session
	stopped func() error
}

// Read sets the deadline before it looks at stopped: what stops the session
// does so first and then sets a deadline in the past, so one of us sees the other.
func (r patientReader) Read(p []byte) (int, error) {
	conn, patience := r.session.conn, r.session.patience
	var deadline time.Time
	if patience > 0 {
		deadline = time.Now().Add(patience)
	}
	if err := conn.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	if err := r.stopped(); err != nil {
		return 0, err
	}
	n, err := conn.Read(p)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	if err := r.stopped(); err != nil {
		return n, err
	}
	return n, refuse("nothing came from the client for %s: neither what it promised (heart-beat) nor CONNECT", patience)
}

// hangUp lets the writing goroutine end once the client was told why.
func (s *session) hangUp(reason error) {
	s.broker.mu.Lock()
	defer s.broker.mu.Unlock()
	s.abortAll()
	for _, sub := range s.subs {
		sub.detach()
		s.withdraw(sub)
	}
	var refused *refusal
	if errors.As(reason, &refused) {
		s.push(outgoing{frame: refused.frame()})
	}
	s.closing = true
	notify(s.wake)
	s.conn.SetWriteDeadline(time.Now().Add(partingTime))
}

// end gives back what the client has not acknowledged. Nothing is being written.
func (s *session) end(reason error) {
	failed := reason != errStopping
	s.broker.mu.Lock()
	defer s.broker.mu.Unlock()
	for _, sub := range s.subs {
		sub.end(failed)
	}
	for _, d := range s.writing {
		giveBack([]*delivery{d}, failed)
	}
	for _, q := range s.temps {
		q.close()
	}
}

// abortAll ends all transactions. broker.mu is held.
func (s *session) abortAll() {
	for _, tx := range s.transactions {
		tx.abort()
	}
	clear(s.transactions)
}

// linger waits a moment for the client to close, because to close first would
// throw away what it has not read if it is still sending.
func linger(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		conn.SetReadDeadline(time.Now().Add(partingTime))
		_, _ = io.Copy(io.Discard, conn) // it ends with the client or in time; either will do
	}
}

func (r *refusal) frame() *frame.Frame {
	f := frame.New(frame.ERROR, frame.Message, r.text, frame.ContentType, "text/plain")
	if r.receipt != "" {
		f.Header.Add(frame.ReceiptId, r.receipt)
	}
	f.Header.Add(frame.ContentLength, strconv.Itoa(len(r.text)))
	f.Body = []byte(r.text)
	return f
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
