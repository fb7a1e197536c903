package engine

import "github.com/fairlead/fairlead/connections/mq/mqi"

// A Fault makes verbs fail. 2009 and the other reasons that mean that a
// connection is gone break it, 2003 backs out.
type Fault struct {
	Verb   string // such as MQGET, "MQGET waiting" for one that waits, or "MQGET done" for a warning of one that has a message; empty: every one
	Queue  string // only verbs on that queue; empty: all
	Reason int32
	After  int  // let so many pass before
	Times  int  // how often; 0: once
	Done   bool // MQCMIT and MQPUT are done before the answer is lost
	Hang   bool // the verb does not answer before the connection is broken
}

// Inject adds a fault. The first one that fits a verb strikes.
func (m *Manager) Inject(f Fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f.Times == 0 {
		f.Times = 1
	}
	m.faults = append(m.faults, &f)
	m.changeAll()
}

// Faults returns how many faults have not struck yet.
func (m *Manager) Faults() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, f := range m.faults {
		n += f.Times
	}
	return n
}

// fault returns the fault that strikes a verb, or nil.
func (m *Manager) fault(verb, queue string) *Fault {
	for _, f := range m.faults {
		if f.Times == 0 || f.Verb != "" && f.Verb != verb || f.Queue != "" && f.Queue != queue {
			continue
		}
		if f.After > 0 {
			f.After--
			continue
		}
		f.Times--
		return f
	}
	return nil
}

// suffer does what the fault does besides its answer.
func (c *Conn) suffer(f *Fault) Result {
	if f.Done {
		c.commit()
	}
	if f.Hang {
		c.manager.mu.Unlock()
		<-c.lost
		c.manager.mu.Lock()
		return failed(mqi.MQRC_CONNECTION_BROKEN)
	}
	switch f.Reason {
	case mqi.MQRC_BACKED_OUT:
		c.backOut()
	case mqi.MQRC_CONNECTION_BROKEN, mqi.MQRC_Q_MGR_STOPPING, mqi.MQRC_CONNECTION_STOPPING, mqi.MQRC_Q_MGR_NOT_AVAILABLE:
		c.drop()
	}
	return failed(f.Reason)
}
