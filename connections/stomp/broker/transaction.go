package broker

import "github.com/go-stomp/stomp/v3/frame"

// A transaction is what a client sent and settled since BEGIN. It belongs to
// the session's reading goroutine; its methods are called with Broker.mu held,
// so that others see all of it or nothing.
type transaction struct {
	broker      *Broker
	sent        []*message // which have their room
	settlements []settlement
}

func (s *session) begin(f *frame.Frame) error {
	id := f.Header.Get(frame.Transaction)
	switch {
	case id == "":
		return refuse("BEGIN has no transaction header")
	case s.transactions[id] != nil:
		return refuse("transaction %.100q has begun already", id)
	case len(s.transactions) == maxPerSession:
		return refuse("there are %d transactions already", maxPerSession)
	}
	s.transactions[id] = &transaction{broker: s.broker}
	return nil
}

// transaction returns the one that a frame is part of; nil if it is not part of any.
func (s *session) transaction(f *frame.Frame) (*transaction, error) {
	id, ok := f.Header.Contains(frame.Transaction)
	if tx := s.transactions[id]; !ok || tx != nil {
		return tx, nil
	}
	return nil, refuse("%s: transaction %.100q has not begun", f.Command, id)
}

// finish commits or aborts.
func (s *session) finish(f *frame.Frame) error {
	tx, err := s.transaction(f)
	if err != nil {
		return err
	}
	if tx == nil {
		return refuse("%s has no transaction header", f.Command)
	}
	delete(s.transactions, f.Header.Get(frame.Transaction))
	s.broker.mu.Lock()
	defer s.broker.mu.Unlock()
	if f.Command == frame.COMMIT {
		tx.commit()
	} else {
		tx.abort()
	}
	return nil
}

func (tx *transaction) commit() {
	for _, st := range tx.settlements {
		tx.broker.settle(st)
	}
	for _, m := range tx.sent {
		tx.broker.route(m)
	}
}

// abort leaves what was settled with the client, as unacknowledged as before.
func (tx *transaction) abort() {
	for _, m := range tx.sent {
		tx.broker.release(m)
	}
	for _, st := range tx.settlements {
		for _, d := range st.deliveries {
			d.claimed = false
		}
		if st.deliveries[0].sub.ended {
			giveBack(st.deliveries, false)
		}
	}
}
