package broker

import "strings"

// ownReplyQueues makes this connection's temporary queues that m names, and
// rewrites its reply-to so that it means the same to everyone.
func (s *session) ownReplyQueues(m *message) error {
	if reply := m.header.Get(replyToHeader); strings.HasPrefix(reply, tempPrefix) {
		destination, err := parseDestination(reply, s.id)
		if err != nil {
			return err
		}
		if _, err := s.replyQueue(destination); err != nil {
			return err
		}
		m.header.Set(replyToHeader, destination)
	}
	if strings.HasPrefix(m.destination, replyPrefix+s.id+"/") {
		_, err := s.replyQueue(m.destination)
		return err
	}
	return nil
}

// replyQueue returns a temporary queue of this connection. broker.mu is held.
func (s *session) replyQueue(destination string) (*queue, error) {
	if q := s.temps[destination]; q != nil {
		return q, nil
	}
	if !strings.HasPrefix(destination, replyPrefix+s.id+"/") {
		return nil, refuse("%.100q belongs to another connection", destination)
	}
	if len(s.temps) == maxPerSession {
		return nil, refuse("there are %d temporary queues already", maxPerSession)
	}
	q := &queue{broker: s.broker, destination: destination}
	s.temps[destination], s.broker.queues[destination] = q, q
	return q, nil
}
