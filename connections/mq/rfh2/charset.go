package rfh2

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// UTF8 is the CCSID of UTF-8, in which this package writes.
const UTF8 int32 = 1208

// Text returns data, which is text in the character set ccsid, in UTF-8. The
// encoding tells the byte order of UTF-16. Text that is in UTF-8 or ASCII
// already is returned as it is, unchecked.
func Text(ccsid, encoding int32, data []byte) ([]byte, error) {
	switch ccsid {
	case UTF8, 367, ccsidOfQueueManager, ccsidInherited:
		return data, nil
	case 1200, 13488, 17584:
		return fromUTF16(order(encoding), data)
	}
	set, ok := charsets(ccsid)
	if !ok {
		return nil, fmt.Errorf("text is in CCSID %d, which is not supported", ccsid)
	}
	return set.decode(data), nil
}

func fromUTF16(o binary.ByteOrder, data []byte) ([]byte, error) {
	if len(data)%2 != 0 {
		return nil, fmt.Errorf("UTF-16 text of %d bytes, expected an even number", len(data))
	}
	if len(data) >= 2 {
		switch mark := binary.BigEndian.Uint16(data); mark {
		case 0xFEFF:
			o, data = binary.BigEndian, data[2:]
		case 0xFFFE:
			o, data = binary.LittleEndian, data[2:]
		}
	}
	out := make([]byte, 0, len(data)+len(data)/2)
	for ; len(data) > 0; data = data[2:] {
		r := rune(o.Uint16(data))
		if utf16.IsSurrogate(r) {
			if data = data[2:]; len(data) > 0 {
				r = utf16.DecodeRune(r, rune(o.Uint16(data)))
			}
			if r <= 0xffff {
				return nil, errors.New("UTF-16 text with half a surrogate pair")
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return out, nil
}

// A charset is one of those in which each byte is one character.
type charset struct {
	*charmap.Charmap
	ebcdic bool // byte 0x15 ends a line
	latin1 bool // as code page 500 differs from 37
}

func charsets(ccsid int32) (charset, bool) {
	switch ccsid {
	case 37:
		return charset{charmap.CodePage037, true, false}, true
	case 500:
		return charset{charmap.CodePage037, true, true}, true
	case 1047:
		return charset{charmap.CodePage1047, true, false}, true
	case 1140:
		return charset{charmap.CodePage1140, true, false}, true
	case 1148:
		return charset{charmap.CodePage1140, true, true}, true
	case 437:
		return charset{charmap.CodePage437, false, false}, true
	case 819:
		return charset{charmap.ISO8859_1, false, false}, true
	case 850:
		return charset{charmap.CodePage850, false, false}, true
	case 858:
		return charset{charmap.CodePage858, false, false}, true
	case 923:
		return charset{charmap.ISO8859_15, false, false}, true
	case 1252, 5348:
		return charset{charmap.Windows1252, false, false}, true
	}
	return charset{}, false
}

func (c charset) rune(b byte) rune {
	if c.ebcdic && b == 0x15 {
		return '\n'
	}
	if c.ebcdic && c.Charmap == charmap.CodePage1047 && b == 0x25 {
		return '\u0085'
	}
	if c.latin1 {
		if r, ok := page500(b); ok {
			return r
		}
	}
	return c.DecodeByte(b)
}

// page500 returns the characters that code page 500 has in other places than 37.
func page500(b byte) (rune, bool) {
	switch b {
	case 0x4a:
		return '[', true
	case 0x4f:
		return '!', true
	case 0x5a:
		return ']', true
	case 0x5f:
		return '^', true
	case 0xb0:
		return '¢', true
	case 0xba:
		return '¬', true
	case 0xbb:
		return '|', true
	}
	return 0, false
}

func (c charset) decode(data []byte) []byte {
	out := make([]byte, 0, len(data)+len(data)/8)
	for _, b := range data {
		out = utf8.AppendRune(out, c.rune(b))
	}
	return out
}

// ascii returns the text of a header's own field. It has only characters that
// are the same in all character sets of a family, so the family is enough.
func ascii(ebcdic bool, field []byte) string {
	if ebcdic {
		return string(charset{Charmap: charmap.CodePage037, ebcdic: true}.decode(field))
	}
	return string(field)
}

// isEBCDIC reports whether a header is in an EBCDIC character set, whatever its
// CCSID says: its first character is a letter, and those are above 0x80 there
// and below in ASCII.
func isEBCDIC(header []byte) bool { return header[0] >= 0x80 }
