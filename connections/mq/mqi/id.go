package mqi

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// An ID identifies a message, what it answers, or its group: 24 bytes, of which
// all zero means none.
type ID [24]byte

// IsZero reports whether there is none.
func (id ID) IsZero() bool { return id == ID{} }

// String returns id as people and JMS write it: text if it was made of text that
// left room, else "ID:" and 48 hexadecimal digits, or "" for none. [ParseID] has
// the same id for it again.
func (id ID) String() string {
	if id.IsZero() {
		return ""
	}
	if text, ok := id.text(); ok {
		return text
	}
	var b [len(idPrefix) + 2*len(id)]byte
	hex.Encode(b[copy(b[:], idPrefix):], id[:])
	return string(b[:])
}

const idPrefix = "ID:"

// text returns the printable ASCII that an application filled up with zeros.
func (id ID) text() (string, bool) {
	if id[len(id)-1] != 0 {
		return "", false
	}
	text := bytes.TrimRight(id[:], "\x00")
	if len(text) < 2 {
		return "", false
	}
	for _, c := range text {
		if c <= ' ' || c > '~' {
			return "", false
		}
	}
	return string(text), true
}

// ParseID returns the id that JMS makes of s: the bytes of "ID:" and 48
// hexadecimal digits, else the first 24 bytes of the text.
func ParseID(s string) ID {
	var id ID
	if digits, ok := strings.CutPrefix(s, idPrefix); ok && len(digits) == hex.EncodedLen(len(id)) {
		if b, err := hex.DecodeString(digits); err == nil {
			return ID(b)
		}
	}
	copy(id[:], s)
	return id
}

// HashID is ParseID for what must stay different: text that is too long is
// replaced by the first 24 bytes of its SHA-256.
func HashID(s string) ID {
	if len(s) <= len(ID{}) || strings.HasPrefix(s, idPrefix) {
		return ParseID(s)
	}
	sum := sha256.Sum256([]byte(s))
	return ID(sum[:24])
}
