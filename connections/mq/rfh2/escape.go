package rfh2

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// unescape replaces references to characters.
func unescape(s string) (string, error) {
	i := strings.IndexByte(s, '&')
	if i < 0 {
		return s, nil
	}
	var b strings.Builder
	b.Grow(len(s))
	for ; i >= 0; i = strings.IndexByte(s, '&') {
		b.WriteString(s[:i])
		r, n, err := reference(s[i:])
		if err != nil {
			return "", err
		}
		s = s[i+n:]
		if utf16.IsSurrogate(r) { // Java writes some characters as two halves
			low, n, err := reference(s)
			if err != nil {
				return "", err
			}
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				return "", errors.New("half a surrogate pair")
			}
			s = s[n:]
		}
		b.WriteRune(r)
	}
	b.WriteString(s)
	return b.String(), nil
}

// maxReference is the length of the longest sensible reference, as in &#x10FFFF;
const maxReference = 12

// reference reads the reference at the beginning of s and returns the character
// and how long the reference is.
func reference(s string) (rune, int, error) {
	end := strings.IndexByte(s[:min(len(s), maxReference)], ';')
	if end < 0 || s[0] != '&' {
		return 0, 0, fmt.Errorf("found %q, expected a reference to a character", brief(s))
	}
	r, err := referred(s[1:end])
	return r, end + 1, err
}

func referred(name string) (rune, error) {
	switch name {
	case "lt":
		return '<', nil
	case "gt":
		return '>', nil
	case "amp":
		return '&', nil
	case "quot":
		return '"', nil
	case "apos":
		return '\'', nil
	}
	digits, ok := strings.CutPrefix(name, "#")
	base := 10
	if hex, isHex := strings.CutPrefix(digits, "x"); isHex {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if !ok || err != nil || n > utf8.MaxRune {
		return 0, fmt.Errorf("found &%s;, expected a reference to a character", name)
	}
	return rune(n), nil
}

// appendText appends the text of an element: markup is escaped, and so is what
// readers of XML would change, and, as JMS clients do, what is beyond the Basic
// Multilingual Plane.
func appendText(dst []byte, s string) []byte {
	if isPlain(s) {
		return append(dst, s...)
	}
	for _, r := range s {
		switch {
		case r == '&':
			dst = append(dst, "&amp;"...)
		case r == '<':
			dst = append(dst, "&lt;"...)
		case r == '>':
			dst = append(dst, "&gt;"...)
		case r > 0xffff, r == '\r':
			dst = append(dst, "&#"...)
			dst = strconv.AppendInt(dst, int64(r), 10)
			dst = append(dst, ';')
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

// isPlain reports whether nothing in s is to be escaped.
func isPlain(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '&', c == '<', c == '>', c == '\r', c >= 0xf0: // which begins what is beyond the Basic Multilingual Plane
			return false
		}
	}
	return true
}

// appendAttribute appends the value of an attribute, without the quotes.
func appendAttribute(dst []byte, s string) []byte {
	for part := range strings.SplitAfterSeq(s, `"`) {
		text, quoted := strings.CutSuffix(part, `"`)
		dst = appendText(dst, text)
		if quoted {
			dst = append(dst, "&quot;"...)
		}
	}
	return dst
}
