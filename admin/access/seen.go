package access

import (
	"sync"
	"time"
)

// How long who was recognised is remembered.
const (
	seenFresh  = time.Second      // before the store is asked again
	seenUsable = 10 * time.Minute // while the store is out of reach: that is when operators look
)

// maxSeen is how many are remembered.
const maxSeen = 1000

// seen remembers who was recognised by which secret, so that not every request
// asks the store. The zero value is ready to use.
type seen struct {
	mu    sync.Mutex
	known map[digest]sighting
}

type sighting struct {
	id Identity
	at time.Time
}

// get returns who was recognised, and how long ago.
func (s *seen) get(d digest) (id Identity, age time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.known[d]
	return k.id, time.Since(k.at), ok
}

func (s *seen) put(d digest, id Identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil || len(s.known) >= maxSeen {
		s.known = make(map[digest]sighting)
	}
	s.known[d] = sighting{id, time.Now()}
}

func (s *seen) drop(d digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, d)
}

// clear forgets everybody: something was revoked.
func (s *seen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = nil
}
