package mq

import (
	"context"
	"slices"

	"github.com/fairlead/fairlead/connections"
)

// An answerer puts answers on the queue of one requester. It opens that for each
// Send and closes it again: many requesters have a queue for one answer alone,
// which must neither cost a connection handle of its own nor be kept from going
// away with its requester.
type answerer struct {
	conn *conn
	to   *Target
}

// Send implements [connections.Sender].
func (a answerer) Send(ctx context.Context, batch []connections.Message) []error {
	s, err := a.conn.sender(ctx, a.to)
	if err != nil {
		return slices.Repeat([]error{err}, len(batch))
	}
	defer s.Close() // that it fails changes nothing for what was sent
	return s.Send(ctx, batch)
}

// Close implements [connections.Sender].
func (answerer) Close() error { return nil }
