package mq

import (
	"crypto/rand"
	"time"

	"github.com/fairlead/fairlead/connections"
)

// fake is the driver's Fake, with a message as JMS programs write it.
func fake(m connections.Message, redelivered int) (connections.Delivery, error) {
	e := newEncoder(&Connection{JMS: true}, address{queue: "FAKE"}, new(Target))
	md, data, err := e.encode(m, time.Now())
	if err != nil {
		return connections.Delivery{}, err
	}
	if md.MsgID.IsZero() { // a queue manager makes one
		if _, err := rand.Read(md.MsgID[:]); err != nil {
			return connections.Delivery{}, err
		}
	}
	md.BackoutCount = int32(redelivered)
	n := &Message{MD: md, Data: data}
	received, err := n.decode()
	return connections.Delivery{Message: received, Count: redelivered, Bad: err}, nil
}
