package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxFrame is the longest request: the longest message of MQ, and room.
const maxFrame = 101 << 20

// readFrame reads one request. What it allocates grows with what arrives, not
// with what the length claims.
func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > maxFrame {
		return nil, fmt.Errorf("a request of %d bytes, expected at most %d", n, maxFrame)
	}
	data := make([]byte, 0, min(n, 64<<10))
	for uint32(len(data)) < n {
		from := len(data)
		more := min(int(n)-from, max(from, 64<<10))
		data = append(data, make([]byte, more)...)
		if _, err := io.ReadFull(r, data[from:]); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// A request is what is left of one. Reading beyond its end sets err.
type request struct {
	data []byte
	err  error
}

var errShort = errors.New("the request is too short")

func (r *request) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.data) {
		r.err = errShort
		return nil
	}
	p := r.data[:n]
	r.data = r.data[n:]
	return p
}

func (r *request) int() int32 {
	if p := r.take(4); p != nil {
		return int32(binary.LittleEndian.Uint32(p))
	}
	return 0
}

func (r *request) long() int64 {
	if p := r.take(8); p != nil {
		return int64(binary.LittleEndian.Uint64(p))
	}
	return 0
}

func (r *request) bytes() []byte { return r.take(int(r.int())) }

func (r *request) ints() []int32 {
	p := r.bytes()
	v := make([]int32, len(p)/4)
	for i := range v {
		v[i] = int32(binary.LittleEndian.Uint32(p[4*i:]))
	}
	return v
}

// structure reads one whose identifier is id into v.
func (r *request) structure(id string, v any) {
	p := r.bytes()
	if r.err == nil {
		r.err = decode(p, id, v)
	}
}

// An answer is built from its beginning: its length, the completion code, the
// reason code, and what the verb returns.
type answer []byte

func (a *answer) int(n int32)  { *a = binary.LittleEndian.AppendUint32(*a, uint32(n)) }
func (a *answer) long(n int64) { *a = binary.LittleEndian.AppendUint64(*a, uint64(n)) }

func (a *answer) bytes(p []byte) {
	a.int(int32(len(p)))
	*a = append(*a, p...)
}
