package amqp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/Azure/go-amqp"
)

// maxFrame is the longest frame that we accept, as the broker is told.
const maxFrame = 1 << 16

// undecodable is the delivery annotation of a message that the guard replaced;
// it says why.
const undecodable = "x-opt-fairlead-undecodable"

// A guard is a connection on which no message arrives that go-amqp could not
// decode. Values of types that it does not know are replaced (see presentable). In
// the place of a message that breaks the standard comes one that says so, with the
// whole of the original as its Data, and with the sections that are well.
type guard struct {
	net.Conn

	buf     []byte
	read    int  // buf[:read] was read by go-amqp
	checked int  // buf[read:checked] may be
	begun   bool // the protocol header has been seen
	err     error

	partial map[linkID]partial // deliveries of which not all frames have come
}

// A linkID is the channel and the broker's handle of a link.
type linkID struct {
	channel uint16
	handle  uint32
}

// A partial is what has come of a delivery.
type partial struct {
	head    []byte // of its first transfer
	fields  int
	message []byte
}

func newGuard(c net.Conn) *guard {
	return &guard{Conn: c, buf: make([]byte, 0, maxFrame), partial: make(map[linkID]partial)}
}

// Read implements net.Conn.
func (g *guard) Read(p []byte) (int, error) {
	for g.read == g.checked {
		if g.err != nil {
			return 0, g.err
		}
		g.fill()
	}
	n := copy(p, g.buf[g.read:g.checked])
	g.read += n
	return n, nil
}

// fill reads more and checks what is complete. All that was checked has been read.
func (g *guard) fill() {
	rest := g.buf[g.checked:]  // less than a frame
	if cap(g.buf) > maxFrame { // a replacement made it longer
		g.buf = make([]byte, 0, maxFrame)
	}
	g.buf = append(g.buf[:0], rest...)
	g.read, g.checked = 0, 0
	n, err := g.Conn.Read(g.buf[len(g.buf):cap(g.buf)])
	g.buf = g.buf[:len(g.buf)+n]
	g.err = err
	if !g.begun && len(g.buf) >= protocolHeader {
		g.begun, g.checked = true, protocolHeader
	}
	if g.begun {
		g.check()
	}
}

// protocolHeader is how long the header is that comes before the first frame.
const protocolHeader = 8

// check looks at each frame that is complete.
func (g *guard) check() {
	for {
		rest := g.buf[g.checked:]
		if len(rest) < frameHeader {
			return
		}
		size := binary.BigEndian.Uint32(rest)
		if size < frameHeader || size > maxFrame {
			g.err = fmt.Errorf("found a frame of %d bytes, expected %d to %d", size, frameHeader, maxFrame)
			return
		}
		if len(rest) < int(size) {
			return
		}
		frame := rest[:size]
		if instead := g.inspect(frame); instead != nil {
			g.buf = slices.Concat(g.buf[:g.checked], instead, rest[size:], make([]byte, maxFrame))
			g.buf = g.buf[:len(g.buf)-maxFrame] // room for the next frame
			frame = instead
		}
		g.checked += len(frame)
	}
}

const frameHeader = 8

// Codes of the frames that matter here.
const (
	transferFrame = 0x14
	detachFrame   = 0x16
	endFrame      = 0x17
)

// inspect returns what is to take the place of a frame; nil if it is well.
func (g *guard) inspect(frame []byte) []byte {
	body := frame[min(4*int(frame[4]), len(frame)):]
	if len(body) < 4 || body[0] != described || body[1] != smallCode {
		return nil
	}
	channel := binary.BigEndian.Uint16(frame[6:])
	switch body[2] {
	case transferFrame:
		if t, ok := parseTransfer(body[3:]); ok {
			return g.transfer(linkID{channel, t.handle}, t)
		}
	case detachFrame, endFrame: // there is one link in a session
		maps.DeleteFunc(g.partial, func(l linkID, _ partial) bool { return l.channel == channel })
	}
	return nil
}

func (g *guard) transfer(l linkID, t transfer) []byte {
	p, continued := g.partial[l]
	switch {
	case t.aborted:
		delete(g.partial, l)
		return nil
	case t.more && !continued:
		g.partial[l] = partial{bytes.Clone(t.head), t.fields, bytes.Clone(t.payload)}
		return nil
	case t.more:
		p.message = append(p.message, t.payload...)
		g.partial[l] = p
		return nil
	case !continued:
		p = partial{t.head, t.fields, t.payload}
	default:
		p.message = append(p.message, t.payload...)
		delete(g.partial, l)
	}
	message, _ := presentable(p.message) // the envelope says why
	if message == nil {
		return nil
	}
	var instead []byte
	if continued {
		instead = abortFrame(l)
	}
	return append(instead, p.substitute(l, message)...)
}

// envelope returns what is delivered instead of a message: the sections of it
// that are well but the body, why the rest is not, and all of it as Data.
func envelope(message []byte, why error) []byte {
	var header, others []byte
	for b := message; ; {
		code, _, rest, ok := nextSection(b)
		if !ok {
			break
		}
		section := b[:len(b)-len(rest)]
		switch {
		case decodable(section) != nil:
		case code == headerSection:
			header = section
		case code == messageAnnotations, code == propertiesSection, code == applicationSection:
			others = append(others, section...)
		}
		b = rest
	}
	reason := encoded(&amqp.Message{DeliveryAnnotations: amqp.Annotations{undecodable: strings.ToValidUTF8(why.Error(), "?")}})
	return slices.Concat(header, reason, others, encoded(amqp.NewMessage(message)))
}

// encoded is for messages made here, which can be encoded.
func encoded(m *amqp.Message) []byte {
	b, err := m.MarshalBinary()
	if err != nil {
		panic(err)
	}
	return b
}
