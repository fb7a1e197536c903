package amqp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"
)

// readConn is a net.Conn of which only Read works.
type readConn struct {
	net.Conn
	io.Reader
}

func (c readConn) Read(p []byte) (int, error) { return c.Reader.Read(p) }

// guarded returns all that comes through a guard, and the error at its end.
func guarded(stream io.Reader) ([]byte, error) {
	var out bytes.Buffer
	_, err := io.CopyBuffer(&out, struct{ io.Reader }{newGuard(readConn{Reader: stream})}, make([]byte, 100))
	return out.Bytes(), err
}

const protocol = "AMQP\x00\x01\x00\x00"

func frame(body ...any) []byte {
	b := raw(0, 0, 0, 0, 2, 0, 0, 7, raw(body...)) // channel 7
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}

// Transfers with handle 3, delivery-id 9, delivery-tag "tag".
var (
	whole  = []any{0, 0x53, transferFrame, short(0xc0, 6, 0x52, 3, 0x52, 9, 0xa0, 3, "tag", 0x43, 0x42, 0x42)}
	begins = []any{0, 0x53, transferFrame, short(0xc0, 6, 0x52, 3, 0x52, 9, 0xa0, 3, "tag", 0x43, 0x42, 0x41)}
	goesOn = []any{0, 0x53, transferFrame, short(0xc0, 6, 0x52, 3, 0x40, 0x40, 0x40, 0x40, 0x56, 1)}
	ends   = []any{0, 0x53, transferFrame, short(0xc0, 1, 0x52, 3)}
	aborts = []any{0, 0x53, transferFrame, short(0xc0, 10, 0x52, 3, 0x40, 0x40, 0x40, 0x40, 0x42, 0x40, 0x40, 0x40, 0x41)}
)

func transferOf(head []any, payload []byte) []byte {
	return frame(slices.Concat(head, []any{payload})...)
}

func TestGuardPassesWhatIsWell(t *testing.T) {
	good := encoded(amqp.NewMessage(bytes.Repeat([]byte("x"), 3000)))
	bad := section(0x77, 0x74, 0, 0, 0, 0)
	stream := raw(protocol,
		frame(0, 0x53, 0x10, 0x45), // open
		frame(),                    // heart-beat
		transferOf(whole, good),
		transferOf(begins, good[:1000]), transferOf(goesOn, good[1000:2000]), frame(), transferOf(ends, good[2000:]),
		transferOf(begins, bad), transferOf(aborts, nil),
		transferOf(begins, bad), frame(0, 0x53, endFrame, 0x45),
		transferOf(whole, good),
		transferOf([]any{0, 0x53, transferFrame, 0xc0, 9, 9}, nil), // malformed: go-amqp says so
		frame(1, 2, 3, 4),
	)
	for name, r := range map[string]io.Reader{
		"at once":     bytes.NewReader(stream),
		"byte by one": iotest.OneByteReader(bytes.NewReader(stream)),
		"halves":      iotest.HalfReader(bytes.NewReader(stream)),
		"with error":  iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		got, err := guarded(r)
		if err != nil || !bytes.Equal(got, stream) {
			t.Errorf("%s: got %d bytes and error %v, want the same %d bytes", name, len(got), err, len(stream))
		}
	}
}

// badMessage has a value in its body whose type nobody knows.
func badMessage() []byte {
	return raw(
		encoded(&amqp.Message{
			Header:                &amqp.MessageHeader{Durable: true, DeliveryCount: 2},
			Annotations:           amqp.Annotations{"x-opt-a": "a"},
			Properties:            &amqp.MessageProperties{MessageID: "ID:7", ReplyTo: new("r")},
			ApplicationProperties: map[string]any{"colour": "red"},
		}),
		section(0x77, short(0xc0, 1, 0x3f, 1, 2, 3, 4)),
	)
}

func TestGuardReplacesWhatCannotBeDecoded(t *testing.T) {
	bad, good := badMessage(), encoded(amqp.NewMessage([]byte("next")))
	for name, stream := range map[string][]byte{
		"one frame":      raw(protocol, transferOf(whole, bad), transferOf(whole, good)),
		"several frames": raw(protocol, transferOf(begins, bad[:9]), transferOf(goesOn, bad[9:40]), transferOf(ends, bad[40:]), transferOf(whole, good)),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := guarded(iotest.OneByteReader(bytes.NewReader(stream)))
			if err != nil {
				t.Fatal(err)
			}
			deliveries := received(t, got[len(protocol):])
			if len(deliveries) != 2 {
				t.Fatalf("got %d messages, want 2", len(deliveries))
			}
			d := decode(deliveries[0])
			if d.Bad == nil || !strings.Contains(d.Bad.Error(), "unknown type 0x3f") {
				t.Errorf("got Bad %v, want one about the type", d.Bad)
			}
			if diff := cmp.Diff(string(bad), string(d.Body)); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if d.Identity != "ID:7" || d.Count != 2 || d.ReplyTo != "r" || d.Header["colour"] != "red" || deliveries[0].Annotations["x-opt-a"] != "a" {
				t.Errorf("got %+v, want the sections that are well", d)
			}
			if d := decode(deliveries[1]); d.Bad != nil || string(d.Body) != "next" {
				t.Errorf("got %q, %v after it, want the next message", d.Body, d.Bad)
			}
		})
	}
}

// received does with transfer frames what go-amqp does.
func received(t *testing.T, stream []byte) (messages []*amqp.Message) {
	t.Helper()
	var payload []byte
	for len(stream) > 0 {
		n := binary.BigEndian.Uint32(stream)
		tr, ok := parseTransfer(stream[8+3 : n])
		if !ok || tr.handle != 3 || binary.BigEndian.Uint16(stream[6:]) != 7 {
			t.Fatalf("got frame %x, want a transfer on channel 7, handle 3", stream[:n])
		}
		payload = append(payload, tr.payload...)
		switch {
		case tr.aborted:
			payload = nil
		case !tr.more:
			m := new(amqp.Message)
			if err := m.UnmarshalBinary(payload); err != nil {
				t.Fatal(err)
			}
			messages, payload = append(messages, m), nil
		}
		stream = stream[n:]
	}
	return messages
}

func TestGuardKeepsTheHead(t *testing.T) {
	got, _ := guarded(bytes.NewReader(raw(protocol, transferOf(whole, badMessage()))))
	tr, ok := parseTransfer(got[len(protocol)+8+3:])
	if want := raw(0x52, 3, 0x52, 9, 0xa0, 3, "tag", 0x43, 0x42); !ok || !bytes.Equal(tr.head, want) {
		t.Fatalf("got head %x, want %x", tr.head, want)
	}
}

func TestGuardRefusesFramesThatAreTooLong(t *testing.T) {
	for _, size := range []uint32{0, 7, maxFrame + 1, 1 << 31} {
		header := binary.BigEndian.AppendUint32(nil, size)
		got, err := guarded(bytes.NewReader(raw(protocol, frame(), header, make([]byte, 100))))
		if want := raw(protocol, frame()); !bytes.Equal(got, want) || err == nil || !strings.Contains(err.Error(), "frame of") {
			t.Errorf("size %d: got %x and error %v, want %x and one about the frame", size, got, err, want)
		}
	}
}

func TestGuardPassesOnErrors(t *testing.T) {
	boom := errors.New("boom")
	got, err := guarded(io.MultiReader(strings.NewReader(protocol), bytes.NewReader(frame()), iotest.ErrReader(boom)))
	if want := raw(protocol, frame()); !bytes.Equal(got, want) || !errors.Is(err, boom) {
		t.Fatalf("got %x and error %v, want %x and %v", got, err, want, boom)
	}
}

// BenchmarkGuard reads usual messages of 1 KiB.
func BenchmarkGuard(b *testing.B) {
	m := samples()[8]
	m.Value, m.DeliveryAnnotations, m.Footer, m.Data = nil, nil, nil, [][]byte{make([]byte, 1024)}
	one := transferOf(whole, encoded(m))
	stream := raw(protocol, bytes.Repeat(one, 1000))
	p := make([]byte, 4096)
	for b.Loop() {
		g := newGuard(readConn{Reader: bytes.NewReader(stream)})
		for err := error(nil); err == nil; {
			_, err = g.Read(p)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/message")
}
