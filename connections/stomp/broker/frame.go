package broker

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-stomp/stomp/v3/frame"
)

const (
	maxLine    = 32 << 10 // bytes of a header line
	maxHeader  = 64 << 10 // bytes of a command and its headers
	maxEntries = 1000     // headers of a frame
)

// A version is a STOMP version; "" before CONNECT.
type version string

const (
	v10 version = "1.0"
	v11 version = "1.1"
	v12 version = "1.2"
)

// A refusal is an error that the client is told, in an ERROR frame that ends
// its connection.
type refusal struct {
	text    string
	receipt string // of the frame that is refused
}

func (r *refusal) Error() string { return r.text }

func refuse(format string, args ...any) error {
	return &refusal{text: fmt.Sprintf(format, args...)}
}

// A frameReader reads frames. What it cannot accept is a [refusal]; other
// errors are the underlying reader's.
type frameReader struct {
	in      *bufio.Reader
	version version // of the header escapes
	maxBody int
}

func newFrameReader(r io.Reader, maxBody int) *frameReader {
	return &frameReader{in: bufio.NewReaderSize(r, maxLine), maxBody: maxBody}
}

// read returns the next frame, each header in it once: a repeated one does not
// count. Heart-beats, which are empty lines, are skipped.
func (r *frameReader) read() (*frame.Frame, error) {
	f, err := r.command()
	if err != nil {
		return nil, err
	}
	for left := maxHeader; ; {
		line, err := r.line()
		if err != nil {
			return nil, err
		}
		if len(line) == 0 {
			break
		}
		if left -= len(line) + 1; left < 0 || f.Header.Len() == maxEntries {
			return nil, refuse("the headers of a frame have more than %d bytes or %d entries", maxHeader, maxEntries)
		}
		if err := r.header(f.Header, line); err != nil {
			return nil, err
		}
	}
	f.Body, err = r.body(f.Header)
	return f, err
}

func (r *frameReader) command() (*frame.Frame, error) {
	for {
		line, err := r.line()
		if err != nil {
			return nil, err
		}
		if len(line) == 0 {
			continue
		}
		switch name := string(line); name {
		case frame.CONNECT, frame.STOMP, frame.SEND, frame.SUBSCRIBE, frame.UNSUBSCRIBE, frame.ACK,
			frame.NACK, frame.BEGIN, frame.COMMIT, frame.ABORT, frame.DISCONNECT:
			return frame.New(name), nil
		default:
			return nil, refuse("%.40q is not a command of a STOMP client", name)
		}
	}
}

// line returns a line without its end. A carriage return before it counts as
// part of the end in every version, so that a telnet will do as a client.
func (r *frameReader) line() ([]byte, error) {
	line, err := r.in.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		return nil, refuse("a command or header line has more than %d bytes", maxLine)
	}
	if err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte{'\r'}), nil
}

func (r *frameReader) header(h *frame.Header, line []byte) error {
	key, value, ok := strings.Cut(string(line), ":")
	if !ok || key == "" {
		return refuse("%.40q is not a header: expected name:value", line)
	}
	key, err := unescape(key, r.version)
	if err != nil {
		return err
	}
	if value, err = unescape(value, r.version); err != nil {
		return err
	}
	if _, repeated := h.Contains(key); !repeated {
		h.Add(key, value)
	}
	return nil
}

func (r *frameReader) body(h *frame.Header) ([]byte, error) {
	claim, ok := h.Contains(frame.ContentLength)
	if !ok {
		return r.unsized()
	}
	n, err := strconv.ParseUint(claim, 10, 63)
	if err != nil {
		return nil, refuse("content-length is %.40q, expected a number of bytes", claim)
	}
	if n > uint64(r.maxBody) {
		return nil, r.tooLong()
	}
	return r.sized(int64(n))
}

// sized reads a body of n bytes. Memory is taken as they arrive, since n is
// only what the frame claims.
func (r *frameReader) sized(n int64) ([]byte, error) {
	var body bytes.Buffer
	body.Grow(int(min(n+bytes.MinRead, maxHeader)))
	if _, err := io.CopyN(&body, r.in, n); err != nil {
		return nil, err
	}
	end, err := r.in.ReadByte()
	if err != nil {
		return nil, err
	}
	if end != 0 {
		return nil, refuse("a body of %d bytes, as content-length says, is not followed by a NUL", n)
	}
	return body.Bytes(), nil
}

func (r *frameReader) unsized() ([]byte, error) {
	var body []byte
	for {
		part, err := r.in.ReadSlice(0)
		if err != nil && err != bufio.ErrBufferFull {
			return nil, err
		}
		body = append(body, part...)
		if len(body) > r.maxBody+1 {
			return nil, r.tooLong()
		}
		if err == nil {
			return body[:len(body)-1], nil
		}
	}
}

func (r *frameReader) tooLong() error {
	return refuse("a body has more than %d bytes", r.maxBody)
}

// writeFrame writes f, whose body has a content-length only if the header says
// so. Errors are kept by out until it is flushed.
func writeFrame(out *bufio.Writer, f *frame.Frame, v version) {
	escapes := escapesFor(f.Command, v)
	out.WriteString(f.Command)
	out.WriteByte('\n')
	for i := range f.Header.Len() {
		key, value := f.Header.GetAt(i)
		escapes.WriteString(out, key)
		out.WriteByte(':')
		escapes.WriteString(out, value)
		out.WriteByte('\n')
	}
	out.WriteByte('\n')
	out.Write(f.Body)
	out.WriteByte(0)
}
