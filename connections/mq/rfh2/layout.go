package rfh2

import (
	"encoding/binary"
	"strings"
)

// Formats that this package knows, as they stand in a header, without the
// blanks that fill them up to eight characters.
const (
	FormatNone       = ""
	FormatString     = "MQSTR"
	FormatRFH2       = "MQHRF2"
	FormatDeadLetter = "MQDEAD"
)

// Encodings of numbers. Only the part for integers matters here.
const (
	BigEndian    int32 = 273 // what Java and z/OS write
	LittleEndian int32 = 546

	integerMask     = 0xf
	integerReversed = 2
)

// A Layout says how the bytes that follow are to be read. A message descriptor
// says it of the first bytes of a message, and each header of those behind it.
type Layout struct {
	Format   string // without the blanks at the end
	Encoding int32  // of numbers, such as BigEndian
	CCSID    int32  // of text
}

// order returns the byte order of integers.
func order(encoding int32) binary.ByteOrder {
	if encoding&integerMask == integerReversed {
		return binary.LittleEndian
	}
	return binary.BigEndian
}

// readLayout reads the three fields of which a header says what follows: the
// encoding, the character set and the format, 16 bytes together.
func readLayout(own Layout, ebcdic bool, b []byte) Layout {
	o := order(own.Encoding)
	return Layout{
		Encoding: int32(o.Uint32(b)),
		CCSID:    inherit(own.CCSID, int32(o.Uint32(b[4:]))),
		Format:   format(ebcdic, b[8:16]),
	}
}

// format reads the name of a format.
func format(ebcdic bool, field []byte) string {
	switch string(field) { // the usual ones need no memory
	case "MQSTR   ":
		return FormatString
	case "        ":
		return FormatNone
	}
	return trim(ascii(ebcdic, field))
}

// Character sets that stand for another one.
const (
	ccsidOfQueueManager = 0
	ccsidInherited      = -2
)

// inherit returns what ccsid stands for where the header that names it is in own.
func inherit(own, ccsid int32) int32 {
	if ccsid == ccsidOfQueueManager || ccsid == ccsidInherited {
		return own
	}
	return ccsid
}

func appendLayout(dst []byte, o binary.AppendByteOrder, l Layout) []byte {
	dst = o.AppendUint32(dst, uint32(l.Encoding))
	dst = o.AppendUint32(dst, uint32(l.CCSID))
	return appendPadded(dst, l.Format, 8)
}

// appendOrder returns the byte order of integers, for writing.
func appendOrder(encoding int32) binary.AppendByteOrder {
	if encoding&integerMask == integerReversed {
		return binary.LittleEndian
	}
	return binary.BigEndian
}

// appendPadded appends s, cut or filled up with blanks to n bytes.
func appendPadded(dst []byte, s string, n int) []byte {
	s = s[:min(len(s), n)]
	dst = append(dst, s...)
	for range n - len(s) {
		dst = append(dst, ' ')
	}
	return dst
}

// trim removes what fills up a field: blanks, or a NUL and all behind it.
func trim(s string) string {
	s, _, _ = strings.Cut(s, "\x00")
	return strings.TrimRight(s, " ")
}
