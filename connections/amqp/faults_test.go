package amqp_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// A peer that ends what a delivery came by, before it is settled: whoever uses it
// learns that it is gone, in the peer's words.
func TestEndedMidDelivery(t *testing.T) {
	for _, tt := range []struct{ address, want string }{
		{"detach", "amqp:link:detach-forced: the peer is tired of it"},
		{"end", "amqp:session:window-violation: the peer ends it"},
		{"forced", "amqp:connection:forced: the peer has enough"},
	} {
		t.Run(tt.address, func(t *testing.T) {
			conn := dial(t, startPeer(t))
			r := receiver(t, conn, queueSource(tt.address), 5)
			err := receiveError(t, r)
			wantError(t, err, connections.ErrConnLost)
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want %q", err, tt.want)
			}
			if err := r.Close(); err != nil {
				t.Errorf("close: got error %v, want none", err)
			}
		})
	}
}

// A peer that hangs up in place of an answer leaves it open what became of the
// message.
func TestHangUpInPlaceOfAnswer(t *testing.T) {
	conn := dial(t, startPeer(t))
	s := check(conn.Sender(within(t), queueTarget("hang up")))(t)
	for _, err := range s.Send(within(t), []connections.Message{text("a"), text("b")}) {
		wantError(t, err, connections.ErrConnLost)
	}
	send(t, conn, queueTarget("outcomes"), text("accepted"))
}

// A peer that gives little credit, and answers late, is waited for: each message
// gets its answer, but the last to come, for which the peer waits for another.
func TestLateAnswers(t *testing.T) {
	conn := dial(t, startPeer(t))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	answers := make(chan []error, 2)
	for _, batch := range [][]connections.Message{{text("1"), text("2"), text("3")}, {text("4")}} {
		s := check(conn.Sender(within(t), queueTarget("late")))(t)
		go func() { answers <- s.Send(ctx, batch) }()
	}
	failed := 0
	for _, err := range append(<-answers, <-answers...) {
		if err != nil {
			failed++
		}
	}
	if failed != 1 {
		t.Errorf("got %d messages without an answer, want 1", failed)
	}
}

// A garbler passes on what a broker and a client say, until it is told to say
// something else to the client.
type garbler struct {
	addr string

	mu    sync.Mutex
	conns []net.Conn
}

func newGarbler(t *testing.T, broker string) *garbler {
	t.Helper()
	listener := check(net.Listen("tcp", "127.0.0.1:0"))(t)
	g := &garbler{addr: listener.Addr().String()}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		listener.Close()
		g.say(nil, true)
		wg.Wait()
	})
	wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", broker)
			if err != nil {
				client.Close()
				return
			}
			g.mu.Lock()
			g.conns = append(g.conns, client, server)
			g.mu.Unlock()
			wg.Go(func() { io.Copy(server, client); server.Close() })
			wg.Go(func() { io.Copy(client, server); client.Close() })
		}
	})
	return g
}

// say writes something to the client, and may hang up then.
func (g *garbler) say(something []byte, hangUp bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, conn := range g.conns {
		if i%2 == 0 && something != nil {
			conn.Write(something)
		}
		if hangUp {
			conn.Close()
		}
	}
}

// rawFrame is an AMQP frame on channel 0 with that body.
func rawFrame(body ...byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(8+len(body))), append([]byte{2, 0, 0, 0}, body...)...)
}

// Frames that make no sense end the connection with a clear error; nothing hangs,
// and what was not settled is delivered again.
func TestGarbledFrames(t *testing.T) {
	for name, garbage := range map[string][]byte{
		"a frame that is too long":   {0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0},
		"a frame that is too short":  {0, 0, 0, 1, 2, 0, 0, 0},
		"an unknown frame":           rawFrame(0, 0x53, 0x7f, 0x45),
		"a transfer without fields":  rawFrame(0, 0x53, 0x14, 0x45),
		"a transfer of nobody":       rawFrame(0, 0x53, 0x14, 0xc0, 6, 3, 0x52, 99, 0x52, 1, 0x40),
		"a frame of another channel": {0, 0, 0, 12, 2, 0, 0x7f, 0xff, 0, 0x53, 0x17, 0x45},
		"random bytes":               bytes.Repeat([]byte("garbage!"), 100),
		"HTTP":                       []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broker := services.Artemis(t)
			g := newGarbler(t, broker.AMQP)
			through := settings(broker)
			through.URL = "amqp://" + g.addr
			queue := newQueue()
			send(t, dial(t, settings(broker)), queueTarget(queue), text("1"), text("2"))
			conn := dial(t, through)
			r := receiver(t, conn, queueSource(queue), 5)
			d := receive(t, r)
			g.say(garbage, false)
			err := receiveError(t, r)
			wantError(t, err, connections.ErrConnLost)
			t.Log(err)
			wantError(t, d.Settle(within(t), framework.Accept), connections.ErrConnLost)
			if err := conn.Close(); err != nil {
				t.Errorf("close: got error %v, want none", err)
			}
			again := receiver(t, dial(t, settings(broker)), queueSource(queue), 5)
			take(t, again, "1")
			take(t, again, "2")
		})
	}
}

// A connection that breaks in the middle of a message has not delivered it.
func TestCutMidMessage(t *testing.T) {
	broker := services.Artemis(t)
	g := newGarbler(t, broker.AMQP)
	through := settings(broker)
	through.URL = "amqp://" + g.addr
	conn := dial(t, through)
	queue := newQueue()
	r := receiver(t, conn, queueSource(queue), 5)
	// A first frame of a delivery that goes on, from a broker that then hangs up. The
	// link's handle is 0, its session's channel 1: the first that a receiver has.
	body := []byte{0, 0x53, 0x14, 0xc0, 13, 6, 0x52, 0, 0x52, 0, 0xa0, 1, 't', 0x43, 0x42, 0x41, 0, 0x53, 0x75, 0xa0, 9, 'p', 'a', 'r', 't'}
	body[4] = 11
	frame := rawFrame(body...)
	g.say(frame, true)
	wantError(t, receiveError(t, r), connections.ErrConnLost)
}
