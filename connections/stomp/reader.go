package stomp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-stomp/stomp/v3/frame"
)

// Limits of what is received. Nothing is allocated because a frame claims it:
// memory grows with the bytes that have come.
const (
	// MaxBody is the longest body in bytes. A message with a longer one is
	// received without it, and its Delivery is Bad: it goes to the dead letters
	// with its headers and the reason, instead of ending every connection that
	// it is delivered to.
	MaxBody = 64 << 20

	// MaxHeaders is how many headers one frame may have, MaxHeaderBytes how many
	// bytes they may have together, and MaxHeader how many one of them may have.
	// Of a message with more, those that fit are received, and its Delivery is
	// Bad.
	MaxHeaders     = 500
	MaxHeaderBytes = 64 << 10
	MaxHeader      = 32 << 10

	maxVital   = 5        // further headers that are needed to go on
	vitalBytes = 1 << 10  // of one of them
	maxDropped = 16 << 20 // bytes of headers that are thrown away before giving up
)

// received is a frame as it came. bad says why it is not all there.
type received struct {
	*frame.Frame
	bad error
}

// A frameReader reads frames. It is not go-stomp's frame.Reader because that one
// allocates what a content-length claims, has no limit on headers, and removes
// escapes where there are none: in CONNECTED and in STOMP 1.0.
type frameReader struct {
	in      *bufio.Reader // its size is MaxHeader
	version version

	// The command and headers of the frame being read.
	head    []byte   // as lines that end in a line feed
	lines   int      // in head
	dropped int      // bytes that found no room in it
	entries []string // name, value, name, value …
}

func newFrameReader(r io.Reader) *frameReader {
	return &frameReader{in: bufio.NewReaderSize(r, MaxHeader)}
}

// next returns the next frame. Heart-beats, which are empty lines, are skipped.
func (r *frameReader) next() (received, error) {
	if err := r.readHead(); err != nil {
		return received{}, err
	}
	f, err := r.parseHead()
	if err != nil {
		return received{}, err
	}
	tooLong, err := r.readBody(f)
	if r.dropped > 0 {
		tooLong = errors.Join(fmt.Errorf("the message has too many or too long headers (limits: %d headers, %d bytes, %d for one): %d bytes are missing here",
			MaxHeaders, MaxHeaderBytes, MaxHeader, r.dropped), tooLong)
	}
	return received{f, tooLong}, err
}

// readHead reads the command and the headers into r.head.
func (r *frameReader) readHead() error {
	r.head, r.lines, r.dropped = r.head[:0], 0, 0
	for r.dropped <= maxDropped {
		line, whole, err := r.line()
		switch {
		case err != nil && len(r.head) > 0:
			return unexpected(err)
		case err != nil:
			return err
		case whole && len(line) == 0 && len(r.head) > 0:
			return nil
		case whole && len(line) == 0: // a heart-beat
		case whole && r.hasRoom(line):
			r.head = append(append(r.head, line...), '\n')
			r.lines++
		default:
			r.dropped += len(line)
		}
	}
	return fmt.Errorf("protocol error: a frame has headers of more than %d bytes", maxDropped)
}

// line returns the next line without its end. Of one that is longer than
// MaxHeader it returns the last part, which is not whole.
func (r *frameReader) line() (line []byte, whole bool, err error) {
	line, err = r.in.ReadSlice('\n')
	for whole = true; err == bufio.ErrBufferFull; whole = false {
		if r.dropped += len(line); r.dropped > maxDropped {
			return nil, false, nil
		}
		line, err = r.in.ReadSlice('\n')
	}
	if err != nil {
		return nil, false, err
	}
	line = line[:len(line)-1]
	if n := len(line); n > 0 && line[n-1] == '\r' && r.version != v10 && r.version != v11 {
		line = line[:n-1]
	}
	return line, whole, nil
}

func (r *frameReader) hasRoom(line []byte) bool {
	n := len(r.head) + len(line)
	if r.lines <= MaxHeaders && n <= MaxHeaderBytes {
		return true
	}
	return r.lines <= MaxHeaders+maxVital && n <= MaxHeaderBytes+maxVital*vitalBytes && len(line) <= vitalBytes && vital(line)
}

// vital says that without this header the connection could not go on after the
// frame. Artemis writes the last two at the end.
func vital(line []byte) bool {
	name, _, _ := strings.Cut(string(line), ":")
	return name == frame.MessageId || name == frame.Ack || name == frame.ContentLength
}

func (r *frameReader) parseHead() (*frame.Frame, error) {
	command, rest, _ := strings.Cut(string(r.head), "\n")
	switch command {
	case frame.MESSAGE, frame.RECEIPT, frame.ERROR, frame.CONNECTED:
	default:
		return nil, fmt.Errorf("protocol error: %.40q is not what a STOMP broker says", command)
	}
	escaped := r.version
	if escaped == "" && command == frame.ERROR {
		escaped = v12 // it answers a CONNECT that offers 1.2
	}
	r.entries = slices.Grow(r.entries[:0], 2*r.lines)
	for rest != "" {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("protocol error: %.40q is not a header", line)
		}
		r.entries = append(r.entries, unescape(name, escaped), unescape(value, escaped))
	}
	f := &frame.Frame{Command: command, Header: frame.NewHeader(r.entries...)}
	clear(r.entries) // so that they keep nothing alive
	return f, nil
}

// readBody fills f.Body. tooLong says why it is missing.
func (r *frameReader) readBody(f *frame.Frame) (tooLong, err error) {
	claim, ok := f.Header.Contains(frame.ContentLength)
	if !ok {
		return r.readUnsized(f)
	}
	n, err := strconv.ParseUint(claim, 10, 31)
	if err != nil {
		return nil, fmt.Errorf("protocol error: content-length is %.40q", claim)
	}
	if n > MaxBody {
		tooLong = errTooLong(int(n))
		_, err = r.in.Discard(int(n))
	} else {
		f.Body, err = r.readSized(int(n))
	}
	if err != nil {
		return nil, unexpected(err)
	}
	return tooLong, r.readEnd()
}

func errTooLong(n int) error {
	return fmt.Errorf("the message has a body of %d bytes, the limit is %d; it is missing here", n, MaxBody)
}

// readSized takes memory as the bytes come, since n is only what the frame claims.
func (r *frameReader) readSized(n int) ([]byte, error) {
	body := make([]byte, min(n, MaxHeader))
	for at := 0; ; {
		if _, err := io.ReadFull(r.in, body[at:]); err != nil {
			return nil, err
		}
		if at = len(body); at == n {
			return body, nil
		}
		body = slices.Grow(body, min(n-at, at))[:min(n, 2*at)]
	}
}

// readEnd reads the NUL after a body of known length.
func (r *frameReader) readEnd() error {
	b, err := r.in.ReadByte()
	if err != nil {
		return unexpected(err)
	}
	if b != 0 {
		return errors.New("protocol error: no NUL after a body as long as content-length says")
	}
	return nil
}

// readUnsized reads a body that ends at the first NUL.
func (r *frameReader) readUnsized(f *frame.Frame) (tooLong, err error) {
	var body []byte
	skipped := 0
	for {
		part, err := r.in.ReadSlice(0)
		if err != nil && err != bufio.ErrBufferFull {
			return nil, unexpected(err)
		}
		if skipped > 0 || len(body)+len(part) > MaxBody+1 {
			skipped += len(part)
		} else {
			body = append(body, part...)
		}
		switch {
		case err != nil: // there is more
		case skipped > 0:
			return errTooLong(len(body) + skipped - 1), nil
		default:
			f.Body = body[:len(body)-1]
			return nil, nil
		}
	}
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
