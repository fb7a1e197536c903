package stomp

import (
	"fmt"
	"strings"

	"github.com/go-stomp/stomp/v3/frame"
)

// A version is one of STOMP; "" before it was agreed on.
type version string

const (
	v10 version = "1.0"
	v11 version = "1.1"
	v12 version = "1.2"
)

// appendFrame adds f to dst as version v writes it. A header that v cannot write
// is an error.
func appendFrame(dst []byte, f *frame.Frame, v version) ([]byte, error) {
	if f.Command == frame.CONNECT {
		v = v10 // no escapes: brokers that follow the standard would not remove them
	}
	dst = append(append(dst, f.Command...), '\n')
	for i := range f.Header.Len() {
		name, value := f.Header.GetAt(i)
		if !writable(name, value, v) {
			return nil, fmt.Errorf("header %.100q: STOMP %s cannot carry its name or its value", name, v)
		}
		dst = append(appendEscaped(dst, name, v), ':')
		dst = append(appendEscaped(dst, value, v), '\n')
	}
	dst = append(dst, '\n')
	dst = append(dst, f.Body...)
	return append(dst, 0), nil
}

// writable says that a header can be read again as what it is, and as one header.
func writable(name, value string, v version) bool {
	if name == "" || strings.Contains(name, "\x00") || strings.Contains(value, "\x00") {
		return false
	}
	return v >= v11 || !strings.ContainsAny(name, ":\n") && !strings.Contains(value, "\n")
}

// What versions from 1.1 on escape, and how. 1.1 knows no \r.
const (
	escapable = "\\\n:\r"
	escapes   = `\ncr`
)

func appendEscaped(dst []byte, s string, v version) []byte {
	if v < v11 || !strings.ContainsAny(s, escapable) {
		return append(dst, s...)
	}
	for i := range len(s) {
		n := strings.IndexByte(escapable, s[i])
		if n < 0 || s[i] == '\r' && v == v11 {
			dst = append(dst, s[i])
		} else {
			dst = append(dst, '\\', escapes[n])
		}
	}
	return dst
}

// unescape undoes appendEscaped. A backslash that begins no escape stays: it is
// no reason to lose a message.
func unescape(s string, v version) string {
	if v < v11 || strings.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if n := strings.IndexByte(escapes, s[i+1]); n >= 0 && (n < 3 || v != v11) {
				out = append(out, escapable[n])
				i++
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}
