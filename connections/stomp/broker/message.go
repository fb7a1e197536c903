package broker

import (
	"strconv"
	"strings"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
)

const (
	delayHeader     = "AMQ_SCHEDULED_DELAY" // milliseconds
	schedulePrefix  = "AMQ_SCHEDULED_"      // of other headers of that kind
	expiresHeader   = "expires"             // milliseconds since 1970; 0: never
	priorityHeader  = "priority"
	replyToHeader   = "reply-to"
	timestampHeader = "timestamp"

	defaultPriority = 4
	overhead        = 256 // bytes that a message, or its place in a queue, takes beside its text, about
)

// A message is what a SEND brought. It does not change, but for refs.
type message struct {
	id          string
	destination string
	header      *frame.Header // as it is delivered
	body        []byte
	sized       bool // it came with a content-length and is delivered with one
	priority    int
	expires     time.Time // zero: never
	delay       time.Duration
	size        int // what it takes of MaxMemory

	refs int // items that hold it, and who is about to route it; guarded by Broker.mu
}

func (m *message) expired(now time.Time) bool {
	return !m.expires.IsZero() && now.After(m.expires)
}

// newMessage makes a message of a SEND's body and headers.
func newMessage(f *frame.Frame, destination string) (*message, error) {
	m := &message{destination: destination, header: frame.NewHeader(), body: f.Body}
	_, m.sized = f.Header.Contains(frame.ContentLength)
	for i := range f.Header.Len() {
		if key, value := f.Header.GetAt(i); !describesDelivery(key) {
			m.header.Add(key, value)
			m.size += len(key) + len(value)
		}
	}
	if _, ok := m.header.Contains(timestampHeader); !ok {
		m.header.Add(timestampHeader, strconv.FormatInt(time.Now().UnixMilli(), 10))
	}
	m.size += cap(m.body) + overhead
	return m, m.schedule(f.Header)
}

// describesDelivery tells whether a header belongs to the frame and not to the
// message: the sender's are not kept, the broker writes its own.
func describesDelivery(key string) bool {
	switch key {
	case frame.Destination, frame.Receipt, frame.Transaction, frame.ContentLength, frame.MessageId,
		frame.Subscription, frame.Ack, redeliveredHeader, countHeader, jmsCountHeader, delayHeader:
		return true
	}
	return false
}

// schedule sets when and in which order m is delivered.
func (m *message) schedule(h *frame.Header) error {
	priority, err := number(h, priorityHeader, defaultPriority, 0, 9)
	if err != nil {
		return err
	}
	expires, err := number(h, expiresHeader, 0, 0, 1<<53)
	if err != nil {
		return err
	}
	delay, err := number(h, delayHeader, 0, 0, 1<<40)
	if err != nil {
		return err
	}
	for i := range h.Len() {
		if key, _ := h.GetAt(i); strings.HasPrefix(key, schedulePrefix) && key != delayHeader {
			return refuse("header %.40q: of the scheduling headers only %s is supported", key, delayHeader)
		}
	}
	m.priority = int(priority)
	m.delay = time.Duration(delay) * time.Millisecond
	if expires > 0 {
		m.expires = time.UnixMilli(expires)
	}
	return nil
}

// number returns a header that is a whole number in a range.
func number(h *frame.Header, key string, absent, lowest, highest int64) (int64, error) {
	text, ok := h.Contains(key)
	if !ok {
		return absent, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < lowest || n > highest {
		return 0, refuse("header %s is %.40q, expected a number from %d to %d", key, text, lowest, highest)
	}
	return n, nil
}

// reserve takes room for m, to be routed or released, or says that there is
// none. b.mu is held.
func (b *Broker) reserve(m *message) error {
	if b.used+m.size > b.MaxMemory {
		b.dropExpired()
	}
	if b.used+m.size > b.MaxMemory {
		return refuse("there is no room for the message: the messages that wait in this development broker take %d of at most %d bytes", b.used, b.MaxMemory)
	}
	b.used += m.size
	m.refs++
	m.id = b.nextID("")
	return nil
}

// release gives back the room of m when nothing else holds it. b.mu is held.
func (b *Broker) release(m *message) {
	if m.refs--; m.refs == 0 {
		b.used -= m.size
	}
}

// route puts m, which has its room, on its queue or on that of each subscriber
// to its topic. b.mu is held.
func (b *Broker) route(m *message) {
	for _, q := range b.takers(m) {
		q.add(m)
	}
	b.release(m)
}

// takers returns the queues that get a copy of m; none: m is dropped.
func (b *Broker) takers(m *message) []*queue {
	if !isTopic(m.destination) {
		if q := b.queue(m.destination); q != nil {
			return []*queue{q}
		}
		return nil
	}
	var takers []*queue
	for _, q := range b.topics[m.destination] {
		if q.filter.matches(m) {
			takers = append(takers, q)
		}
	}
	return takers
}

func (b *Broker) dropExpired() {
	for _, q := range b.queues {
		q.dropExpired()
	}
	for _, topic := range b.topics {
		for _, q := range topic {
			q.dropExpired()
		}
	}
}
