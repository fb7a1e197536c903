package broker

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// fuzzFrames are what a byte of FuzzSession's steps stands for.
var fuzzFrames = []string{
	"SEND\ndestination:/queue/q\n\nx\x00",
	"SEND\ndestination:/queue/q\ntransaction:t\nreply-to:/temp-queue/t\n\nx\x00",
	"SEND\ndestination:/topic/t\npriority:9\n\nx\x00",
	"SEND\ndestination:/temp-queue/t\nexpires:1\n\nx\x00",
	"SEND\ndestination:/queue/q\nAMQ_SCHEDULED_DELAY:1\n\nx\x00",
	"SUBSCRIBE\nid:1\ndestination:/queue/q\nack:client\nreceipt:r\n\n\x00",
	"SUBSCRIBE\nid:2\ndestination:/queue/q\nack:client-individual\nprefetch-count:1\n\n\x00",
	"SUBSCRIBE\nid:3\ndestination:/topic/t\ndurable:true\nack:client\n\n\x00",
	"SUBSCRIBE\nid:4\ndestination:/topic/t\n\n\x00",
	"SUBSCRIBE\nid:5\ndestination:/temp-queue/t\n\n\x00",
	"UNSUBSCRIBE\nid:1\n\n\x00",
	"UNSUBSCRIBE\nid:2\n\n\x00",
	"UNSUBSCRIBE\nid:3\ndurable:true\n\n\x00",
	"UNSUBSCRIBE\nid:4\n\n\x00",
	"ACK\nid:1\n\n\x00",
	"ACK\nid:2\ntransaction:t\n\n\x00",
	"ACK\nid:3\n\n\x00",
	"NACK\nid:1\ntransaction:t\n\n\x00",
	"NACK\nid:2\n\n\x00",
	"BEGIN\ntransaction:t\n\n\x00",
	"COMMIT\ntransaction:t\n\n\x00",
	"ABORT\ntransaction:t\n\n\x00",
	"DISCONNECT\nreceipt:r\n\n\x00",
}

// FuzzSession sends known frames in any order, or any bytes, to one broker, and
// then checks that it still serves others and has lost count of nothing.
func FuzzSession(f *testing.F) {
	f.Add([]byte{0, 0, 5, 14, 19, 15, 1, 10, 20}, []byte("SEND\ndestination:q\n\nx\x00"))
	f.Add([]byte{5, 0, 0, 19, 17, 10, 21, 22}, []byte("\n\n"))
	f.Add([]byte{7, 2, 2, 14, 12, 8, 2, 13, 9, 3, 4, 18}, []byte("SEND\ncontent-length:9999\n\n"))
	f.Fuzz(func(t *testing.T, steps, raw []byte) {
		b := &Broker{NackDelay: time.Nanosecond}
		p := serve(t, b)
		in := []byte("CONNECT\naccept-version:1.2\n\n\x00")
		for _, step := range steps[:min(len(steps), 1000)] {
			in = append(in, fuzzFrames[int(step)%len(fuzzFrames)]...)
		}
		exchange(t, p.dial(t), append(in, raw...))
		exchange(t, p.dial(t), raw)
		c := p.connect(t, v12)
		c.put("/queue/fresh", "still here")
		c.subscribe("/queue/fresh", "client-individual")
		c.ack(c.wantMessage("still here"))
		c.conn.Close()
		p.stop()
		checkBooks(t, b)
	})
}

// exchange writes all of in, as far as the broker takes it, and reads to the end.
func exchange(t *testing.T, conn net.Conn, in []byte) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(io.Discard, conn) // it ends as it will: closed by either side
	}()
	if err := conn.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(in); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		t.Fatalf("the broker has stopped to read: %v", err)
	}
	conn.Close()
	<-done
}

// checkBooks checks what is counted in passing, on a broker without clients.
func checkBooks(t *testing.T, b *Broker) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	queues := map[*queue]bool{}
	for _, q := range b.queues {
		queues[q] = true
	}
	for _, topic := range b.topics {
		for _, q := range topic {
			queues[q] = true
		}
	}
	used, held := 0, map[*message]bool{}
	for q := range queues {
		parked := 0
		for e := range q.waitingItems {
			m := e.Value.(*item).message
			parked++
			used += overhead
			if !held[m] {
				held[m] = true
				used += m.size
			}
		}
		if len(q.consumers) != 0 || parked != q.parked || q.total != q.parked+q.delayed {
			t.Errorf("%s: got %d consumers, %d waiting of %d counted, %d delayed, %d in all", q.destination, len(q.consumers), parked, q.parked, q.delayed, q.total)
		}
		if q.delayed > 0 {
			return // what they take is not found here
		}
	}
	if used != b.used {
		t.Errorf("got %d bytes in use, want %d", b.used, used)
	}
}
