package mq

import (
	"fmt"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/mq/mqi"
)

// A Correlation is what the answer to a request must have, where the request's
// report options ask for more than a correlation id.
type Correlation struct {
	CorrelationID string
	MsgID         string // the answer's own id; empty: a new one
	Expiry        int32  // in tenths of a second, what is left of the request's; 0: none
}

// String returns the correlation id, for a broker that knows no more.
func (c Correlation) String() string { return c.CorrelationID }

// correlate returns what an answer has as its correlation id: the request's
// message id, unless the report options say otherwise.
func (n *Message) correlate(m *connections.Message) any {
	const passed = mqi.MQRO_PASS_CORREL_ID | mqi.MQRO_PASS_MSG_ID | mqi.MQRO_PASS_DISCARD_AND_EXPIRY
	if n.MD.Report&passed == 0 {
		return m.ID
	}
	c := Correlation{CorrelationID: m.Identity}
	if n.MD.Report&mqi.MQRO_PASS_CORREL_ID != 0 {
		c.CorrelationID = fmt.Sprint(m.CorrelationID)
		if m.CorrelationID == nil {
			c.CorrelationID = ""
		}
	}
	if n.MD.Report&mqi.MQRO_PASS_MSG_ID != 0 {
		c.MsgID = m.Identity
	}
	if n.MD.Report&mqi.MQRO_PASS_DISCARD_AND_EXPIRY != 0 && n.MD.Expiry > 0 {
		c.Expiry = n.MD.Expiry
	}
	if c == (Correlation{CorrelationID: c.CorrelationID}) {
		if c.CorrelationID == "" {
			return nil
		}
		return c.CorrelationID
	}
	return c
}
