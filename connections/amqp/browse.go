package amqp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
)

// browseQuiet is how long nothing comes until browsing takes it that the queue
// has no more: brokers do not say so.
const browseQuiet = 500 * time.Millisecond

// browseCredit is how many copies may be on their way: what is skipped is not to
// fill the memory.
const browseCredit = 100

// Browse implements [connections.Browser], by a link that asks for copies. What
// was browsed has no delivery counted and may be received by others meanwhile.
func (c *conn) Browse(ctx context.Context, source any, skip, limit int) ([]connections.Message, error) {
	s := source.(*Source)
	messages, err := c.browse(ctx, s, skip, limit)
	if err != nil {
		name, _ := s.Address()
		return nil, fmt.Errorf("browse %s over %s: %w", name, c.dialer.name, err)
	}
	return messages, nil
}

func (c *conn) browse(ctx context.Context, s *Source, skip, limit int) ([]connections.Message, error) {
	if s.Queue == "" || s.Dynamic {
		return nil, &connections.SettingError{Field: "queue", Want: "the name of a queue: nothing else holds messages"}
	}
	if limit <= 0 {
		return nil, nil
	}
	session, err := c.client.NewSession(ctx, nil)
	if err != nil {
		return nil, opening(err)
	}
	defer closeSession(session)
	n := nodeOf(c.client, &s.Destination, s.Capabilities)
	if s.Native {
		n = node{address: s.Queue}
	}
	o := s.options(n)
	o.SourceDistributionMode = amqp.SourceDistributionModeCopy
	o.Credit = -1
	link, err := session.NewReceiver(ctx, n.address, o)
	if err != nil {
		return nil, opening(err)
	}
	if s.Selector != "" && link.LinkSourceFilterValue(selectorFilter) == nil {
		return nil, errNoSelectors
	}
	messages, err := copies(ctx, link, skip, limit)
	closing, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = link.Close(closing) // or the session ends it
	return messages, err
}

// copies takes what comes, unsettled: a copy needs no outcome.
func copies(ctx context.Context, link *amqp.Receiver, skip, limit int) ([]connections.Message, error) {
	var messages []connections.Message
	for n := range skip + limit {
		if n%browseCredit == 0 {
			if err := link.IssueCredit(uint32(min(browseCredit, skip+limit-n))); err != nil {
				return nil, using(err)
			}
		}
		wait, cancel := context.WithTimeout(ctx, browseQuiet)
		m, err := link.Receive(wait, nil)
		cancel()
		switch {
		case err == nil && n >= skip:
			messages = append(messages, decode(m).Message)
		case err == nil:
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, context.DeadlineExceeded):
			return messages, nil
		default:
			return nil, using(err)
		}
	}
	return messages, nil
}

var _ connections.Browser = (*conn)(nil)
