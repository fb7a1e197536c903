package amqp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
)

// The SASL layer of AMQP 1.0 (part 5, section 3) is spoken on the bare
// connection, before go-amqp gets it: go-amqp takes no mechanisms but its own,
// and does not tell a refusal from a failure.

// Codes of the frames.
const (
	saslMechanisms = 0x40
	saslInit       = 0x41
	saslChallenge  = 0x42
	saslResponse   = 0x43
	saslOutcome    = 0x44
)

// maxSASLFrame is the longest frame that is read. The standard says 512 bytes,
// but tickets and tokens are longer.
const maxSASLFrame = 1 << 16

// authenticate speaks the SASL layer to a broker known as host, with the first
// of the mechanisms named that it offers.
func authenticate(ctx context.Context, conn net.Conn, host string, names []string, who login) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err := saslExchange{conn, host, who}.run(names)
	if !stop() {
		return ctx.Err()
	}
	return err
}

type saslExchange struct {
	conn net.Conn
	host string
	who  login
}

func (x saslExchange) run(names []string) error {
	if err := x.header(); err != nil {
		return err
	}
	offer, err := x.read()
	if err != nil {
		return err
	}
	if offer.code != saslMechanisms {
		return fmt.Errorf("found SASL frame %#x, expected the mechanisms offered", offer.code)
	}
	offered := offer.symbols()
	for _, name := range names {
		if slices.Contains(offered, name) {
			return x.with(name)
		}
	}
	return fmt.Errorf("%w: the broker offers %s, we may use %s", connections.ErrRefused, list(offered), list(names))
}

func list(names []string) string {
	if len(names) == 0 {
		return "no SASL mechanism"
	}
	return strings.Join(names, ", ")
}

// header exchanges the protocol headers.
func (x saslExchange) header() error {
	const want = "AMQP\x03\x01\x00\x00"
	if _, err := io.WriteString(x.conn, want); err != nil {
		return err
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(x.conn, got); err != nil {
		return err
	}
	switch string(got) {
	case want:
		return nil
	case "AMQP\x00\x01\x00\x00":
		return errors.New("the broker wants no SASL layer (sasl: {enabled: false} leaves it out)")
	}
	return fmt.Errorf("found protocol header %q, expected AMQP 1.0 with SASL", got)
}

// with authenticates with one mechanism.
func (x saslExchange) with(name string) error {
	m := x.who.mechanism(name)
	first, err := m.start()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	out := saslFrame{saslInit, []any{amqp.Symbol(name), first, x.host}}
	for {
		if err := x.write(out); err != nil {
			return err
		}
		in, err := x.read()
		switch {
		case err != nil:
			return err
		case in.code == saslOutcome:
			return x.end(name, m, in)
		case in.code != saslChallenge:
			return fmt.Errorf("%s: unexpected SASL frame %#x", name, in.code)
		}
		answer, err := m.next(in.bytes(0))
		if err != nil {
			return fmt.Errorf("%w: %s: %w", connections.ErrRefused, name, err)
		}
		out = saslFrame{saslResponse, []any{answer}}
	}
}

// end looks at the outcome.
func (x saslExchange) end(name string, m mechanism, in saslFrame) error {
	code, ok := in.field(0).(uint8)
	switch {
	case !ok:
		return fmt.Errorf("%s: outcome without a code", name)
	case code == 0:
		if err := m.end(in.bytes(1)); err != nil {
			return fmt.Errorf("%w: %s: %w", connections.ErrRefused, name, err)
		}
		return nil
	case code == 2 || code == 4: // sys, sys-temp: the broker's own trouble
		return fmt.Errorf("%s: the broker cannot authenticate anybody now (SASL code %d)", name, code)
	case x.who.user == "":
		return fmt.Errorf("%w: the broker does not let us in with %s", connections.ErrRefused, name)
	}
	return fmt.Errorf("%w: user or password of %q is wrong (%s)", connections.ErrRefused, x.who.user, name)
}

// A saslFrame is the body of a frame: a list of fields, described by code.
type saslFrame struct {
	code   byte
	fields []any
}

func (f saslFrame) field(i int) any {
	if i >= len(f.fields) {
		return nil
	}
	return f.fields[i]
}

func (f saslFrame) bytes(i int) []byte {
	b, _ := f.field(i).([]byte)
	return b
}

// symbols returns the first field, which is a symbol or an array of them.
func (f saslFrame) symbols() []string {
	switch v := f.field(0).(type) {
	case string:
		return []string{v}
	case []amqp.Symbol:
		names := make([]string, len(v))
		for i, s := range v {
			names[i] = string(s)
		}
		return names
	}
	return nil
}

// write sends a frame. A list described as a SASL body differs from a list in a
// message's value section by one byte, so go-amqp can encode it.
func (x saslExchange) write(f saslFrame) error {
	body, err := (&amqp.Message{Value: f.fields}).MarshalBinary()
	if err != nil {
		return err
	}
	body[2] = f.code
	frame := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	frame = append(frame, 2, 1, 0, 0) // no extended header, SASL, no channel
	_, err = x.conn.Write(append(frame, body...))
	return err
}

// read waits for a frame. It reads not a byte more, because what follows the
// last one is not SASL's.
func (x saslExchange) read() (saslFrame, error) {
	header := make([]byte, 8)
	if _, err := io.ReadFull(x.conn, header); err != nil {
		return saslFrame{}, err
	}
	size, skip := binary.BigEndian.Uint32(header), 4*int(header[4])-8
	if size > maxSASLFrame || skip < 0 || int(size) < 8+skip+3 || header[5] != 1 {
		return saslFrame{}, fmt.Errorf("found frame header %x, expected one of SASL", header)
	}
	body := make([]byte, size-8)
	if _, err := io.ReadFull(x.conn, body); err != nil {
		return saslFrame{}, err
	}
	return parseSASL(body[skip:])
}

func parseSASL(body []byte) (saslFrame, error) {
	if len(body) < 3 || body[0] != described || body[1] != smallCode {
		return saslFrame{}, errors.New("SASL frame without a description")
	}
	f := saslFrame{code: body[2]}
	var m amqp.Message
	body[2] = valueSection
	if err := decodable(body); err != nil {
		return f, fmt.Errorf("SASL frame: %w", err)
	}
	if err := m.UnmarshalBinary(body); err != nil {
		return f, fmt.Errorf("SASL frame: %w", err)
	}
	f.fields, _ = m.Value.([]any)
	return f, nil
}
