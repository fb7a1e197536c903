package stomp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// A picky broker refuses messages with the body "bad", in the way of refuse, and
// remembers the others.
type picky struct {
	refuse func(s *session, f *frame.Frame)

	mu    sync.Mutex
	taken []string
}

func (p *picky) play(s *session) {
	s.greet()
	for f := s.read(); f != nil; f = s.read() {
		switch {
		case f.Command != frame.SEND:
			s.receipt(f)
		case string(f.Body) == "bad":
			p.refuse(s, f)
			return
		default:
			p.mu.Lock()
			p.taken = append(p.taken, string(f.Body))
			p.mu.Unlock()
			s.receipt(f)
		}
	}
}

func senderTo(t *testing.T, settings *Connection) (*conn, connections.Sender) {
	t.Helper()
	c, err := dialed(t, settings)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Sender(t.Context(), &Target{Destination: connections.Destination{Queue: "q"}})
	if err != nil {
		t.Fatal(err)
	}
	return c.(*conn), s
}

func bodies(words ...string) []connections.Message {
	batch := make([]connections.Message, len(words))
	for i, word := range words {
		batch[i].Body = []byte(word)
	}
	return batch
}

// A refused message is a SendError in its place, whether the broker says which
// one it means or not, and no end of the conn.
func TestRefusedMessage(t *testing.T) {
	for name, refuse := range map[string]func(s *session, f *frame.Frame){
		"with a receipt-id": func(s *session, f *frame.Frame) {
			s.write(frame.ERROR, frame.Message, "no permission", frame.ReceiptId, f.Header.Get(frame.Receipt))
		},
		"without": func(s *session, _ *frame.Frame) { s.write(frame.ERROR, frame.Message, "no permission") },
	} {
		for _, batch := range [][]string{{"bad"}, {"1", "bad", "2", "bad", "3"}} {
			t.Run(fmt.Sprint(name, batch), func(t *testing.T) {
				broker := &picky{refuse: refuse}
				c, s := senderTo(t, listening(t, broker.play, "version", "1.2"))
				for i, err := range s.Send(t.Context(), bodies(batch...)) {
					if batch[i] != "bad" {
						if err != nil {
							t.Errorf("message %s: %v", batch[i], err)
						}
						continue
					}
					var refused *framework.SendError
					if !errors.As(err, &refused) || refused.Condition != "no permission" {
						t.Errorf("message %d: got error %v, want a SendError with the broker's words", i, err)
					}
				}
				if errs := s.Send(t.Context(), bodies("next")); errs[0] != nil {
					t.Errorf("the next message: %v", errs[0])
				}
				select {
				case <-c.Done():
					t.Errorf("the conn is lost: %v", c.err)
				default:
				}
				broker.wantTaken(t, append(batch, "next"))
			})
		}
	}
}

// wantTaken fails unless every good message was taken; those that were sent
// together with a bad one may be twice.
func (p *picky) wantTaken(t *testing.T, batch []string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, word := range batch {
		if word != "bad" && !strings.Contains(strings.Join(p.taken, " "), word) {
			t.Errorf("the broker took %v, want %s among them", p.taken, word)
		}
	}
}

// When the broker ends all connections, no message is to blame.
func TestBrokerGoesDown(t *testing.T) {
	broker := &picky{refuse: func(s *session, _ *frame.Frame) {
		_ = s.out.Write(&frame.Frame{Command: frame.ERROR, Header: frame.NewHeader("message", "connection_forced"),
			Body: []byte("CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'")})
	}}
	_, s := senderTo(t, listening(t, broker.play, "version", "1.2"))
	errs := s.Send(t.Context(), bodies("1", "bad", "2"))
	if errs[0] != nil && !errors.Is(errs[0], connections.ErrConnLost) {
		t.Errorf("got error %v for the first message, want none or ErrConnLost", errs[0])
	}
	wantLost(t, "send", errs[1])
	wantLost(t, "send", errs[2])
}

func TestLostWhileSending(t *testing.T) {
	broker := &picky{refuse: func(s *session, _ *frame.Frame) { s.conn.Close() }}
	c, s := senderTo(t, listening(t, broker.play, "version", "1.2"))
	errs := s.Send(t.Context(), bodies("bad"))
	wantLost(t, "send", errs[0])
	<-c.Done()
	wantLost(t, "the next send", s.Send(t.Context(), bodies("1"))[0])
	_, err := c.Sender(t.Context(), new(Target))
	wantLost(t, "another sender", err)
}

// A broker that does not answer is given up for this Sender alone, when ctx ends.
func TestNoReceipt(t *testing.T) {
	slow := make(chan bool)
	broker := &picky{refuse: func(*session, *frame.Frame) { <-slow }}
	c, s := senderTo(t, listening(t, broker.play, "version", "1.2"))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	defer close(slow)
	if errs := s.Send(ctx, bodies("1", "bad", "2")); errs[0] != nil || !errors.Is(errs[1], context.DeadlineExceeded) || !errors.Is(errs[2], context.DeadlineExceeded) {
		t.Errorf("got errors %v, want none for the message with a receipt, then ctx's", errs)
	}
	if errs := s.Send(t.Context(), bodies("3")); errs[0] != nil {
		t.Errorf("the next send: %v", errs[0])
	}
	if err := c.reason(); err != nil {
		t.Errorf("the conn is lost: %v", err)
	}
}

func (c *conn) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// What STOMP cannot carry is the message's fault.
func TestUnwritableMessage(t *testing.T) {
	broker := new(picky)
	_, s := senderTo(t, listening(t, broker.play, "version", "1.2"))
	batch := bodies("1", "x", "2")
	batch[1].Header = map[string]any{"a": "b\x00c"}
	errs := s.Send(t.Context(), batch)
	if errs[0] != nil || !framework.IsTerminal(errs[1]) || errs[2] != nil {
		t.Errorf("got errors %v, want a terminal one for the second message alone", errs)
	}
	if diff := cmp.Diff([]string{"1", "2"}, broker.taken); diff != "" {
		t.Errorf("the broker took, -want +got:\n%s", diff)
	}
}

// An ERROR that comes while nothing is sent is not blamed on the next message.
func TestErrorBetweenSends(t *testing.T) {
	broker, first, idle := new(picky), make(chan bool, 1), make(chan bool)
	first <- true
	c, s := senderTo(t, listening(t, func(s *session) {
		select {
		case <-first:
			s.greet()
			<-idle
			s.write(frame.ERROR, frame.Message, "go away")
		default:
			broker.play(s)
		}
	}, "version", "1.2"))
	close(idle)
	<-s.(*sender).link.done
	if errs := s.Send(t.Context(), bodies("1")); errs[0] != nil {
		t.Errorf("got error %v, want none: the Sender has a new connection", errs[0])
	}
	if err := c.reason(); err != nil {
		t.Errorf("the conn is lost: %v", err)
	}
}
