package broker

import (
	"bufio"
	"context"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
)

const (
	outBuffer  = 32 << 10
	maxReplies = 1 << 20 // bytes of replies that a client may leave unread before we stop reading from it
)

// An outgoing is one frame that waits to be written to a client.
type outgoing struct {
	frame    *frame.Frame // a reply
	delivery *delivery    // or the message that is delivered
}

// push adds to what is written next. broker.mu is held.
func (s *session) push(o outgoing) {
	s.out = append(s.out, o)
	notify(s.wake)
}

// withdraw takes back what sub's client was not yet sent. broker.mu is held.
func (s *session) withdraw(sub *subscription) {
	kept := s.out[:0]
	for _, o := range s.out {
		if o.delivery == nil || o.delivery.sub != sub {
			kept = append(kept, o)
		}
	}
	clear(s.out[len(kept):])
	s.out = kept
}

// awaitRoom waits while too many replies are unread. Deliveries do not count:
// they are bounded, and a client may have to send before it goes on reading.
func (s *session) awaitRoom(ctx context.Context) error {
	for {
		s.broker.mu.Lock()
		full := s.replies > maxReplies
		s.broker.mu.Unlock()
		if !full {
			return nil
		}
		select {
		case <-s.room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// write writes what is in s.out, and heart-beats while that is nothing, until
// the session is closing or the connection fails.
func (s *session) write() {
	w := bufio.NewWriterSize(s.conn, outBuffer)
	for {
		b := s.nextBatch()
		if err := b.write(w); err != nil {
			s.cancel(err)
			return
		}
		s.settleWritten()
		switch {
		case len(b.frames) > 0:
			continue
		case b.last:
			return
		}
		select {
		case <-s.wake:
		case <-b.silence():
			w.WriteByte('\n') // an error is kept until the next Flush
			if err := w.Flush(); err != nil {
				s.cancel(err)
				return
			}
		}
	}
}

// A batch is what is written at once.
type batch struct {
	frames  []outgoing
	version version
	beat    time.Duration
	last    bool
}

// nextBatch takes all that waits to be written.
func (s *session) nextBatch() batch {
	s.broker.mu.Lock()
	defer s.broker.mu.Unlock()
	b := batch{frames: s.out, version: s.version, beat: s.beat, last: s.closing}
	s.out, s.replies = nil, 0
	notify(s.room)
	for _, o := range b.frames {
		if o.delivery != nil {
			o.delivery.written = true
		}
		if o.delivery != nil && o.delivery.sub.ack == frame.AckAuto {
			s.writing = append(s.writing, o.delivery)
			o.delivery.sub.unacked = nil // they were all in s.out
		}
	}
	return b
}

func (b batch) write(w *bufio.Writer) error {
	for _, o := range b.frames {
		if o.delivery != nil {
			writeFrame(w, o.delivery.frame(b.version), b.version)
		} else {
			writeFrame(w, o.frame, b.version)
		}
	}
	return w.Flush()
}

// silence ends when it is time for a heart-beat: before we have to be heard.
func (b batch) silence() <-chan time.Time {
	if b.beat == 0 {
		return nil
	}
	return time.After(b.beat * 3 / 4)
}

// settleWritten ends the deliveries that need no acknowledgement.
func (s *session) settleWritten() {
	if len(s.writing) == 0 { // nobody else changes it meanwhile
		return
	}
	s.broker.mu.Lock()
	defer s.broker.mu.Unlock()
	for _, d := range s.writing {
		d.sub.free++
		d.item.queue.drop(d.item)
		d.item.queue.feed(d.sub)
	}
	s.writing = nil
}
