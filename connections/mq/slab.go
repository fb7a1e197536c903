package mq

import "bytes"

// A slab is memory from which copies of short messages are cut, because to
// allocate each by itself costs more than to decode it. Whoever keeps one copy
// keeps its slab.
type slab struct{ free []byte }

const (
	slabSize = 32 << 10
	slabMost = 4 << 10 // longer copies are allocated by themselves
)

// clone returns a copy of b.
func (s *slab) clone(b []byte) []byte {
	n := len(b)
	if n > slabMost {
		return bytes.Clone(b)
	}
	if n > len(s.free) {
		s.free = make([]byte, slabSize)
	}
	c := s.free[:n:n]
	s.free = s.free[n:]
	copy(c, b)
	return c
}
