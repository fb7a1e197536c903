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

// An exchange is the SASL layer of one connection.
type exchange struct {
	conn   net.Conn
	host   string   // of the broker
	who    login    // whom it is to let in
	names  []string // of the mechanisms that may be used, strongest first
	unsafe []string // of those that may not, because somebody could listen
}

// run authenticates with the first of the mechanisms that the broker offers.
func (x exchange) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = x.conn.SetDeadline(time.Unix(1, 0)) })
	err := x.negotiate(ctx)
	if !stop() {
		return ctx.Err()
	}
	return err
}

func (x exchange) negotiate(ctx context.Context) error {
	if err := x.header(); err != nil {
		return fmt.Errorf("exchange SASL headers: %w", err)
	}
	offer, err := x.read()
	if err != nil {
		return fmt.Errorf("wait for the SASL mechanisms: %w", err)
	}
	if offer.code != saslMechanisms {
		return fmt.Errorf("found SASL frame %#x, expected the mechanisms offered", offer.code)
	}
	offered := offer.symbols()
	for _, name := range x.names {
		if slices.Contains(offered, name) {
			return x.with(ctx, name)
		}
	}
	return x.nothingInCommon(offered)
}

// nothingInCommon says that both sides refuse what the other can do.
func (x exchange) nothingInCommon(offered []string) error {
	hint := ""
	for _, name := range x.unsafe {
		if slices.Contains(offered, name) {
			hint = fmt.Sprintf("; %s without TLS would tell others the password (sasl.allowInsecure, in connect.json allow_insecure)", name)
		}
	}
	return fmt.Errorf("%w: no SASL mechanism in common: the broker offers %s, we may use %s%s", connections.ErrRefused, list(offered), list(x.names), hint)
}

// list names mechanisms, of which a broker may offer strange ones, and many.
func list(names []string) string {
	if len(names) == 0 {
		return "no SASL mechanism"
	}
	const most = 16
	var shown []string
	for _, name := range names[:min(len(names), most)] {
		if !mechanismName(name) {
			name = fmt.Sprintf("%.20q", name)
		}
		shown = append(shown, name)
	}
	if len(names) > most {
		shown = append(shown, fmt.Sprintf("%d more", len(names)-most))
	}
	return strings.Join(shown, ", ")
}

// mechanismName says that a name is one as RFC 4422 wants it.
func mechanismName(name string) bool {
	return len(name) > 0 && len(name) <= 20 && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// header exchanges the protocol headers.
func (x exchange) header() error {
	const want = "AMQP\x03\x01\x00\x00"
	if _, err := io.WriteString(x.conn, want); err != nil {
		return err
	}
	got := make([]byte, len(want))
	switch _, err := io.ReadFull(x.conn, got); {
	case err == io.EOF:
		return fmt.Errorf("the broker hung up; perhaps it speaks no AMQP there, or only with TLS (amqps://): %w", err)
	case err != nil:
		return err
	}
	switch {
	case string(got) == want:
		return nil
	case string(got) == "AMQP\x00\x01\x00\x00":
		return errors.New("the broker wants no SASL layer (sasl: {enabled: false} leaves it out)")
	case got[0] == tlsAlert && got[1] == tlsMajor:
		return errors.New("the broker wants TLS there (amqps://)")
	}
	return fmt.Errorf("found protocol header %q, expected AMQP 1.0 with SASL", got)
}

// What the answer of one who expects TLS begins with.
const (
	tlsAlert = 0x15
	tlsMajor = 0x03
)

// with authenticates with one mechanism.
func (x exchange) with(ctx context.Context, name string) error {
	m := x.who.mechanism(name, x.host)
	first, err := m.Start(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	out := saslFrame{saslInit, []any{amqp.Symbol(name), first, x.host}}
	for {
		if err := x.write(out); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		in, err := x.read()
		switch {
		case err != nil:
			return fmt.Errorf("%s: wait for the broker's answer: %w", name, err)
		case in.code == saslOutcome:
			return x.end(name, m, in)
		case in.code != saslChallenge:
			return fmt.Errorf("%s: unexpected SASL frame %#x", name, in.code)
		}
		answer, err := m.Next(in.bytes(0))
		if err != nil {
			return distrusted(name, err)
		}
		out = saslFrame{saslResponse, []any{answer}}
	}
}

// distrusted says that it is we who refuse the broker.
func distrusted(name string, err error) error {
	return fmt.Errorf("%w: we do not trust the broker: %s: %w", connections.ErrRefused, name, err)
}

// end looks at the outcome.
func (x exchange) end(name string, m mechanism, in saslFrame) error {
	code, ok := in.field(0).(uint8)
	switch {
	case !ok:
		return fmt.Errorf("%s: outcome without a code", name)
	case code == 0:
		if err := m.End(in.bytes(1)); err != nil {
			return distrusted(name, err)
		}
		return nil
	case code == 2 || code == 4: // sys, sys-temp: the broker's own trouble
		return fmt.Errorf("%s: the broker cannot authenticate anybody now (SASL code %d)", name, code)
	}
	return fmt.Errorf("%w: the broker says that %s", connections.ErrRefused, x.complaint(name))
}

// complaint says what a broker means that does not let us in.
func (x exchange) complaint(name string) string {
	switch name {
	case external:
		return "it does not know the owner of our certificate (EXTERNAL)"
	case anonymous:
		return "nobody may come in without a name (ANONYMOUS)"
	case kerberos:
		return "our ticket does not let us in (GSSAPI)"
	case xoauth2:
		return fmt.Sprintf("the token of %q is not valid (XOAUTH2)", x.who.user)
	}
	return fmt.Sprintf("user or password of %q is wrong (%s)", x.who.user, name)
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
func (x exchange) write(f saslFrame) error {
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
func (x exchange) read() (saslFrame, error) {
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
