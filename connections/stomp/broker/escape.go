package broker

import (
	"strings"

	"github.com/go-stomp/stomp/v3/frame"
)

var (
	// STOMP 1.0 has no escapes. A line end in a header, which a 1.2 client may
	// have sent, is made visible: as it is it would begin another header.
	escapes10 = strings.NewReplacer("\n", `\n`, "\r", `\r`)
	escapes11 = strings.NewReplacer(`\`, `\\`, "\n", `\n`, ":", `\c`)
	escapes12 = strings.NewReplacer(`\`, `\\`, "\n", `\n`, ":", `\c`, "\r", `\r`)
)

func escapesFor(command string, v version) *strings.Replacer {
	switch {
	case command == frame.CONNECTED || v < v11:
		return escapes10
	case v == v11:
		return escapes11
	default:
		return escapes12
	}
}

// unescape decodes a header's name or value. CONNECT and STOMP 1.0 have no
// escapes. \r came with 1.2; clients write it in 1.1, too.
func unescape(s string, v version) (string, error) {
	if v < v11 || !strings.Contains(s, `\`) {
		return s, nil
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out.WriteByte(s[i])
			continue
		}
		i++
		code := strings.IndexByte(`\ncr`, (s + " ")[i])
		if code < 0 {
			return "", refuse(`header %.40q has a \ that begins no escape: expected \\, \n, \c or \r`, s)
		}
		out.WriteByte("\\\n:\r"[code])
	}
	return out.String(), nil
}
