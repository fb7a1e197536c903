package amqp

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/Azure/go-amqp"
)

// What anybody may put into a queue is decoded by go-amqp before we see it. There
// it may end the link (a decimal number, which go-amqp does not know; the broker
// then delivers it again, for ever) or the process: an annotation with a binary
// key panics, and lists that claim to be longer than they are, nested in 93 kB,
// took 3 GB. So we look first.

// maxDepth is how deeply lists, maps and described values may be nested.
const maxDepth = 100

var (
	errShort = errors.New("a value is longer than what is there")
	errDeep  = errors.New("values are nested too deeply")
)

// decodable says why an encoded message is not to be decoded, nil if it may be.
func decodable(message []byte) (err error) {
	if plainSections(message) {
		return nil
	}
	for rest := message; len(rest) > 0; {
		n, err := walk(rest, 0)
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decoding panics: %v", p)
		}
	}()
	return new(amqp.Message).UnmarshalBinary(message)
}

// Sections of a message, by the codes that describe them.
const (
	headerSection        = 0x70
	deliveryAnnotations  = 0x71
	messageAnnotations   = 0x72
	propertiesSection    = 0x73
	applicationSection   = 0x74
	dataSection          = 0x75
	sequenceSection      = 0x76
	valueSection         = 0x77
	footerSection        = 0x78
	described, smallCode = 0x00, 0x53 // how each begins
)

// plainSections says that a message is as nearly all are, with no values nested
// beyond what its sections are made of. False means: look closer.
func plainSections(message []byte) bool {
	for len(message) > 0 {
		section, value, rest, ok := nextSection(message)
		if !ok {
			return false
		}
		switch section {
		case headerSection:
			ok = plainList(value, "buibi")
		case propertiesSection:
			ok = plainList(value, "*xsss*ssttsis")
		case deliveryAnnotations, messageAnnotations, applicationSection, footerSection:
			ok = plainMap(value)
		case dataSection:
			ok = kind(value[0]) == 'x'
		case valueSection:
			ok = kind(value[0]) != 0 && !isSymbol(value[0])
		default:
			ok = false
		}
		if !ok {
			return false
		}
		message = rest
	}
	return true
}

// nextSection takes the first section off a message. It wants the short form of
// the description, which is what everybody sends.
func nextSection(message []byte) (code byte, value, rest []byte, ok bool) {
	if len(message) < 4 || message[0] != described || message[1] != smallCode {
		return 0, nil, nil, false
	}
	n, err := size(message[3], message[4:])
	if err != nil {
		return 0, nil, nil, false
	}
	return message[2], message[3 : 4+n], message[4+n:], true
}

// kind tells the types of AMQP apart as far as go-amqp does: '0' null, 'b'
// boolean, 'u' ubyte, 'i' uint, 'n' other numbers, 't' timestamp, '#' uuid, 'x'
// binary, 's' string or symbol, and 0 for what has parts or is not known to it.
func kind(code byte) byte {
	switch code {
	case 0x40:
		return '0'
	case 0x41, 0x42, 0x56:
		return 'b'
	case 0x50:
		return 'u'
	case 0x43, 0x52, 0x70:
		return 'i'
	case 0x44, 0x51, 0x53, 0x54, 0x55, 0x60, 0x61, 0x71, 0x72, 0x80, 0x81, 0x82:
		return 'n'
	case 0x83:
		return 't'
	case 0x98:
		return '#'
	case 0xa0, 0xb0:
		return 'x'
	case 0xa1, 0xa3, 0xb1, 0xb3:
		return 's'
	}
	return 0
}

// plainList says that list is a list of values of these kinds, or null, or '*':
// any that has no parts.
func plainList(list []byte, kinds string) bool {
	count, body, err := compound(list[0], list[1:])
	if err != nil || !isList(list[0]) || count > len(kinds) {
		return false
	}
	for i := range count {
		if len(body) == 0 {
			return false
		}
		n, err := size(body[0], body[1:])
		k := kind(body[0])
		if err != nil || k == 0 || k != '0' && kinds[i] != '*' && k != kinds[i] {
			return false
		}
		body = body[1+n:]
	}
	return len(body) == 0
}

// plainMap says that m is a map from strings or symbols to values without parts
// that are no symbols.
func plainMap(m []byte) bool {
	count, body, err := compound(m[0], m[1:])
	if err != nil || !isMap(m[0]) || count%2 != 0 {
		return false
	}
	for i := range count {
		if len(body) == 0 {
			return false
		}
		n, err := size(body[0], body[1:])
		k := kind(body[0])
		if err != nil || k == 0 || i%2 == 0 && k != 's' || i%2 == 1 && isSymbol(body[0]) {
			return false
		}
		body = body[1+n:]
	}
	return len(body) == 0
}

func isSymbol(code byte) bool { return code == smallSymbol || code == longSymbol }

func isList(code byte) bool  { return code == 0x45 || code == 0xc0 || code == 0xd0 }
func isMap(code byte) bool   { return code == 0xc1 || code == 0xd1 }
func isArray(code byte) bool { return code == 0xe0 || code == 0xf0 }

// size returns how many bytes the value with that constructor has in b, which
// begins after the constructor.
func size(code byte, b []byte) (int, error) {
	var n int
	switch code >> 4 {
	case 0x4:
		n = 0
	case 0x5:
		n = 1
	case 0x6:
		n = 2
	case 0x7:
		n = 4
	case 0x8:
		n = 8
	case 0x9:
		n = 16
	case 0xa, 0xc, 0xe:
		if len(b) < 1 {
			return 0, errShort
		}
		n = 1 + int(b[0])
	case 0xb, 0xd, 0xf:
		if len(b) < 4 {
			return 0, errShort
		}
		n = 4 + int(binary.BigEndian.Uint32(b))
	default:
		return 0, fmt.Errorf("found a value of the unknown type %#02x", code)
	}
	if n > len(b) {
		return 0, errShort
	}
	return n, nil
}

// length returns how many bytes the first value in b has, which span has found to
// be well.
func length(b []byte) int {
	if b[0] == described {
		n := 1 + length(b[1:])
		return n + length(b[n:])
	}
	n, _ := size(b[0], b[1:])
	return 1 + n
}

// compound returns how many values a list, map or array says it has, and the
// bytes that they are in.
func compound(code byte, b []byte) (count int, body []byte, err error) {
	n, err := size(code, b)
	if err != nil || code == 0x45 {
		return 0, nil, err
	}
	switch code >> 4 {
	case 0xc, 0xe:
		if n < 2 {
			return 0, nil, errShort
		}
		count, body = int(b[1]), b[2:n]
	case 0xd, 0xf:
		if n < 8 {
			return 0, nil, errShort
		}
		count, body = int(binary.BigEndian.Uint32(b[4:])), b[8:n]
	}
	if count > len(body) { // even those without bytes of their own: go-amqp makes room for as many
		return 0, nil, errShort
	}
	return count, body, nil
}

// walk is span for what is decoded afterwards: no map has keys that Go cannot have.
func walk(b []byte, depth int) (int, error) { return walkValue(b, depth, isKey) }

// span returns how many bytes the first value in b has. It looks at every part
// of it, so that there are no more parts than bytes, and they are not nested too
// deeply.
func span(b []byte, depth int) (int, error) {
	return walkValue(b, depth, func([]byte) bool { return true })
}

func walkValue(b []byte, depth int, isKey func([]byte) bool) (int, error) {
	if len(b) == 0 {
		return 0, errShort
	}
	if depth > maxDepth {
		return 0, errDeep
	}
	if b[0] == described {
		d, err := walkValue(b[1:], depth+1, isKey)
		if err != nil {
			return 0, err
		}
		v, err := walkValue(b[1+d:], depth+1, isKey)
		return 1 + d + v, err
	}
	n, err := walkBytes(b[0], b[1:], depth, isKey)
	return 1 + n, err
}

// walkBytes is walkValue for a value whose constructor is known.
func walkBytes(code byte, b []byte, depth int, isKey func([]byte) bool) (int, error) {
	if depth > maxDepth {
		return 0, errDeep
	}
	n, err := size(code, b)
	if err != nil {
		return 0, err
	}
	switch {
	case isArray(code):
		return n, walkArray(code, b, depth, isKey)
	case isList(code), isMap(code):
		return n, walkParts(code, b, depth, isKey)
	case code >= 0xc0:
		return 0, fmt.Errorf("found a value of the unknown type %#02x", code)
	}
	return n, nil
}

func walkParts(code byte, b []byte, depth int, isKey func([]byte) bool) error {
	count, body, err := compound(code, b)
	if err != nil {
		return err
	}
	for i := range count {
		if isMap(code) && i%2 == 0 && !isKey(body) {
			return errors.New("found a map key that is binary or has parts")
		}
		n, err := walkValue(body, depth+1, isKey)
		if err != nil {
			return err
		}
		body = body[n:]
	}
	if len(body) > 0 || isMap(code) && count%2 != 0 {
		return errors.New("found a list or map whose size is wrong")
	}
	return nil
}

func walkArray(code byte, b []byte, depth int, isKey func([]byte) bool) error {
	count, body, err := compound(code, b)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return errShort
	}
	each := body[0]
	body = body[1:]
	for range count {
		n, err := walkBytes(each, body, depth+1, isKey)
		if err != nil {
			return err
		}
		body = body[n:]
	}
	if len(body) > 0 {
		return errors.New("found an array whose size is wrong")
	}
	return nil
}

// isKey says that b begins with a value that can be a key of a Go map.
func isKey(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	k := kind(b[0])
	return k != 0 && k != 'x'
}
