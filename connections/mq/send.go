package mq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/framework"
)

// maxPuts is how many messages of a batch share a unit of work. Queue managers
// have a limit (MAXUMSGS).
const maxPuts = 500

// Sender implements [connections.Conn].
func (c *conn) Sender(ctx context.Context, target any) (connections.Sender, error) {
	t := target.(*Target)
	if t.Native {
		return answerer{c, t}, nil
	}
	s, err := c.sender(ctx, t)
	if err != nil {
		return nil, err // and no *sender that is nil
	}
	return s, nil
}

func (c *conn) sender(ctx context.Context, t *Target) (*sender, error) {
	h, err := c.acquire(ctx)
	if err != nil {
		return nil, err
	}
	s, err := newSender(ctx, c.settings, h, t)
	if err != nil {
		c.release(h)
		return nil, err
	}
	s.release = func() { c.release(h) }
	return s, nil
}

// A sender puts messages on one queue.
type sender struct {
	h       *handle
	queue   object
	encoder encoder
	atomic  *receiver // whose unit of work is used; nil: its own
	release func()    // gives the handle back
	closing sync.Once
}

// newSender opens the queue. A queue that does not exist is a refusal of what
// would be sent there.
func newSender(ctx context.Context, c *Connection, h *handle, t *Target) (*sender, error) {
	to, err := targetAddress(t)
	if err != nil {
		return nil, unsendable(err)
	}
	o, err := openOutput(ctx, h, to)
	if err != nil {
		return nil, err
	}
	return &sender{h: h, queue: o, encoder: newEncoder(c, to, t)}, nil
}

// unsendable says that nothing can be sent to a target.
func unsendable(err error) error {
	return &framework.SendError{Outcome: framework.Reject, Description: err.Error()}
}

func openOutput(ctx context.Context, h *handle, to address) (object, error) {
	o, err := openQueue(ctx, h, to, mqi.MQOO_OUTPUT)
	if reason := reasonOf(err); reason != mqi.MQRC_NONE && classify(reason) == refusal {
		return nil, refused(err)
	}
	if err != nil {
		return nil, fmt.Errorf("queue %s: %w", to.queue, opened(err))
	}
	return o, nil
}

// An outgoing message is encoded, and has a place for its result.
type outgoing struct {
	md   mqi.MD
	data []byte
	err  *error
}

// Send implements [connections.Sender]. One message alone is not put in a unit
// of work: the answer to its MQPUT is as good as a commit.
func (s *sender) Send(ctx context.Context, batch []connections.Message) []error {
	errs := make([]error, len(batch))
	out := make([]outgoing, 0, len(batch))
	now := time.Now()
	for i, m := range batch {
		md, data, err := s.encoder.encode(m, now)
		if errs[i] = err; err == nil {
			out = append(out, outgoing{md, data, &errs[i]})
		}
	}
	for len(out) > 0 {
		n := min(len(out), maxPuts)
		s.put(ctx, out[:n])
		out = out[n:]
	}
	return errs
}

// put puts messages in one unit of work.
func (s *sender) put(ctx context.Context, unit []outgoing) {
	errs, err := stay(ctx, s.h, func() ([]error, error) {
		if s.atomic != nil && s.atomic.isClosed() {
			return nil, s.atomic.gone()
		}
		return s.putAll(unit)
	})
	for i, m := range unit {
		if *m.err = err; err == nil { // else nothing is known of any of them
			*m.err = errs[i]
		}
	}
}

// putAll puts and commits. An error ends the handle or the commit, and with it
// all of unit; a refusal is one message's own.
func (s *sender) putAll(unit []outgoing) ([]error, error) {
	options := mqi.MQPMO_SYNCPOINT
	if len(unit) == 1 && s.atomic == nil {
		options = mqi.MQPMO_NO_SYNCPOINT
	}
	errs := make([]error, len(unit))
	for i, m := range unit {
		err := s.putOne(&m, options)
		if classify(reasonOf(err)) == lost {
			_ = s.h.qm.back() // where that still can be done, it is done at once
			return nil, err
		}
		errs[i] = refused(err)
	}
	if options == mqi.MQPMO_NO_SYNCPOINT || s.atomic != nil {
		return errs, nil
	}
	return errs, s.h.qm.commit()
}

// putOne puts one message. A queue that lasts no longer than whoever opened it,
// as those for answers often do, takes no persistent ones: those are put as what
// they are worth there.
func (s *sender) putOne(m *outgoing, options int32) error {
	o := putOptions{options: options | mqi.MQPMO_FAIL_IF_QUIESCING}
	err := done(s.queue.put(&m.md, o, m.data))
	if reasonOf(err) != mqi.MQRC_PERSISTENT_NOT_ALLOWED {
		return err
	}
	m.md.Persistence = mqi.MQPER_NOT_PERSISTENT
	return done(s.queue.put(&m.md, o, m.data))
}

// Close implements [connections.Sender].
func (s *sender) Close() error {
	var err error
	s.closing.Do(func() {
		defer s.release()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err = s.h.do(ctx, s.queue.close); err != nil {
			s.h.lose(err) // so that nobody else gets the handle
		}
	})
	if errors.Is(err, connections.ErrConnLost) {
		return nil
	}
	return err
}

var _ connections.Sender = (*sender)(nil)
