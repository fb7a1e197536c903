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

const (
	firstWait = 20 * time.Millisecond // of an MQGET; the next ones wait longer, so that nobody waits long for a Receive to end
	longWait  = time.Second

	firstBuffer = 16 << 10 // for messages; it grows to the longest one
	keepBuffer  = 1 << 20  // a longer one is not kept

	checkEvery = 2 * time.Second // while a delivery is in hand and nothing else would notice that the connection is lost

	maxUncommitted = 200 * time.Millisecond // after that an accepted message is committed, even if the batch is not full
)

// Receiver implements [connections.Conn].
func (c *conn) Receiver(ctx context.Context, source any, prefetch int) (connections.Receiver, error) {
	s := source.(*Source)
	from, err := sourceAddress(s)
	if err != nil {
		return nil, err
	}
	h, err := c.acquire(ctx)
	if err != nil {
		return nil, err
	}
	r := &receiver{
		conn: c, h: h, from: from, batch: max(1, min(s.Batch, prefetch)),
		buf: make([]byte, firstBuffer), hand: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if err := r.open(ctx); err != nil {
		c.release(h)
		return nil, fmt.Errorf("queue %s: %w", from.queue, opened(err))
	}
	return r, nil
}

// A receiver gets messages from one queue, in units of work of its own handle.
type receiver struct {
	conn  *conn
	h     *handle
	from  address
	queue object
	batch int

	limit   int    // BOTHRESH
	backout string // BOQNAME

	buf    []byte // for MQGET; owned by Receive, and so is what follows
	copies slab

	hand chan struct{} // full while a delivery is in hand, whose holder owns what follows
	got  []byte        // all bytes of the delivery as they came, whatever its function does to its data
	unit unitOfWork

	outputs outputs // for what is sent in the unit of work

	closing sync.Once
	done    chan struct{} // closed by Close
}

// A unitOfWork is what was got and not committed, besides the delivery in hand.
type unitOfWork struct {
	accepted int // deliveries that were
	since    time.Time
	careful  int // messages to be got in units of their own, because they were backed out with others
}

// open opens the queue for input, and inquires what its administrator wants done
// with messages that cannot be processed. Who may not inquire goes without.
func (r *receiver) open(ctx context.Context) error {
	const input = mqi.MQOO_INPUT_SHARED | mqi.MQOO_SAVE_ALL_CONTEXT
	var err error
	if r.queue, err = openQueue(ctx, r.h, r.from, input|mqi.MQOO_INQUIRE); reasonOf(err) == mqi.MQRC_NOT_AUTHORIZED {
		r.queue, err = openQueue(ctx, r.h, r.from, input)
		return err
	}
	if err != nil {
		return err
	}
	values, err := r.backoutAttributes(ctx)
	if err != nil {
		return err
	}
	limit, _ := values[mqi.MQIA_BACKOUT_THRESHOLD].(int32)
	r.limit = int(limit)
	r.backout, _ = values[mqi.MQCA_BACKOUT_REQ_Q_NAME].(string)
	return nil
}

// Backout implements [connections.Backouter].
func (r *receiver) Backout() (limit int, queue string) { return r.limit, r.backout }

// Receive implements [connections.Receiver]. While a delivery is in hand it only
// waits: there is one unit of work, and settling would settle both.
func (r *receiver) Receive(ctx context.Context) (connections.Delivery, error) {
	if err := r.pick(ctx); err != nil {
		return connections.Delivery{}, err
	}
	m, err := r.get(ctx)
	if err != nil {
		<-r.hand
		return connections.Delivery{}, err
	}
	return r.delivery(m), nil
}

// pick waits until no delivery is in hand.
func (r *receiver) pick(ctx context.Context) error {
	if err := r.h.lost(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case r.hand <- struct{}{}:
		return nil
	default:
	}
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	for {
		select {
		case r.hand <- struct{}{}:
			return nil
		case <-ticker.C:
			if err := r.h.check(ctx); err != nil {
				return err
			}
		case <-r.h.gone:
			return r.h.why
		case <-r.done:
			return r.gone()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *receiver) gone() error {
	return fmt.Errorf("receiver of %s: %w: %w", r.from.queue, connections.ErrConnLost, errClosed)
}

// get waits for the next message.
func (r *receiver) get(ctx context.Context) (*Message, error) {
	m := new(Message)
	var empty time.Time // when the queue was
	for wait := firstWait; ; wait = min(2*wait, longWait) {
		if err := r.commitOld(ctx); err != nil {
			return nil, err
		}
		err := r.getOnce(ctx, wait, m)
		switch {
		case r.isClosed():
			return nil, r.gone() // Close gives back what came
		case r.h.lost() != nil:
			return nil, r.h.why // and so does that of the Conn
		case reasonOf(err) != mqi.MQRC_NO_MSG_AVAILABLE:
			return m, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := r.commitIdle(ctx); err != nil {
			return nil, err
		}
		if !empty.IsZero() && time.Since(empty) < firstWait/2 {
			r.rest(ctx)
		}
		empty = time.Now()
	}
}

// rest waits for a queue manager that does not: its MQGET came back too early.
func (r *receiver) rest(ctx context.Context) {
	timer := time.NewTimer(firstWait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.done:
	case <-r.h.gone:
	case <-ctx.Done():
	}
}

func (r *receiver) isClosed() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// do runs a verb of the unit of work, unless the receiver is closed: then its
// handle may be another's.
func (r *receiver) do(ctx context.Context, verb func() error) error {
	_, err := stay(ctx, r.h, func() (none struct{}, _ error) {
		if r.isClosed() {
			return none, r.gone()
		}
		return none, verb()
	})
	return err
}

// getOnce makes one MQGET into m, and another one if the message is longer than
// the buffer.
func (r *receiver) getOnce(ctx context.Context, wait time.Duration, m *Message) (err error) {
	r.got = nil
	o := getOptions{options: getting, wait: wait}
	if deadline, ok := ctx.Deadline(); ok {
		o.wait = max(time.Millisecond, min(wait, time.Until(deadline)))
	}
	if r.unit.accepted > 0 { // nobody must wait for a commit
		o.options &^= mqi.MQGMO_WAIT
	}
	for range 10 { // others may take the long message, and leave a longer one
		var size int
		accepted := r.unit.accepted
		size, err = stay(ctx, r.h, func() (int, error) { return r.verb(o, accepted, &m.MD) })
		if err == nil {
			r.got = r.buf[:size]
			m.Data = r.copies.clone(r.got)
		}
		if reasonOf(err) != mqi.MQRC_TRUNCATED_MSG_FAILED {
			break
		}
		r.buf = make([]byte, max(size, 2*len(r.buf)))
	}
	if len(r.buf) > keepBuffer {
		r.buf = make([]byte, firstBuffer)
	}
	return err
}

// verb is MQGET itself. When it says that there will be no other, as when the
// queue manager quiesces, what is accepted is committed if that can be.
func (r *receiver) verb(o getOptions, accepted int, md *mqi.MD) (size int, err error) {
	if r.isClosed() {
		return 0, r.gone()
	}
	size, err = r.queue.get(md, o, r.buf)
	err = done(err)
	if accepted > 0 && classify(reasonOf(err)) == lost {
		_ = r.h.qm.commit() // if it fails, all that is accepted comes again
	}
	return size, err
}

const getting = mqi.MQGMO_SYNCPOINT | mqi.MQGMO_WAIT | mqi.MQGMO_FAIL_IF_QUIESCING | mqi.MQGMO_PROPERTIES_FORCE_MQRFH2

// delivery makes a Delivery of a message that was got.
func (r *receiver) delivery(n *Message) connections.Delivery {
	m, err := n.decode()
	d := connections.Delivery{Message: m, Count: int(n.MD.BackoutCount), Bad: err}
	if err == nil && r.limit > 0 && d.Count >= r.limit {
		d.Bad = fmt.Errorf("it was delivered %d times, and the queue's backout threshold is %d", d.Count, r.limit)
	}
	d.Settle = func(ctx context.Context, o framework.Outcome) error { return r.settle(ctx, n, o) }
	return d
}

// settle ends the unit of work of the delivery in hand, or adds to it.
func (r *receiver) settle(ctx context.Context, n *Message, o framework.Outcome) error {
	if r.isClosed() {
		return r.gone()
	}
	defer func() { <-r.hand }()
	switch o {
	case framework.Accept:
		return r.accept(ctx)
	case framework.Reject:
		return r.reject(ctx, n)
	}
	return r.backOut(ctx)
}

// accept commits, or lets the batch grow.
func (r *receiver) accept(ctx context.Context) error {
	r.unit.accepted++
	alone := r.unit.careful > 0
	if alone {
		r.unit.careful--
	}
	if alone || r.unit.accepted >= r.batch {
		return r.commit(ctx)
	}
	if r.unit.accepted == 1 {
		r.unit.since = time.Now()
	}
	return r.h.lost()
}

func (r *receiver) commit(ctx context.Context) error {
	r.unit.accepted = 0
	return r.do(ctx, r.h.qm.commit)
}

// commitIdle commits what is accepted because nothing else is there to do.
func (r *receiver) commitIdle(ctx context.Context) error {
	if r.unit.accepted == 0 {
		return nil
	}
	return r.commit(ctx)
}

// commitOld commits what was accepted long ago.
func (r *receiver) commitOld(ctx context.Context) error {
	if r.unit.accepted == 0 || time.Since(r.unit.since) < maxUncommitted {
		return nil
	}
	return r.commit(ctx)
}

// backOut gives back the delivery in hand, and with it all that was accepted and
// not committed. Those messages come again, each in a unit of its own.
func (r *receiver) backOut(ctx context.Context) error {
	r.unit.careful = r.unit.accepted + 1
	r.unit.accepted = 0
	return r.do(ctx, r.h.qm.back)
}

// Close implements [connections.Receiver]. What is accepted is committed, unless
// it shares its unit of work with a delivery in hand. That the connection is
// lost is no error: it gave everything back.
func (r *receiver) Close() error {
	var err error
	r.closing.Do(func() {
		close(r.done)
		err = r.end()
		r.conn.release(r.h)
	})
	if errors.Is(err, connections.ErrConnLost) {
		return nil
	}
	return err
}

// end ends the unit of work, after the MQGET that may be waiting. A handle on
// which that does not work is of no use to anybody else.
func (r *receiver) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), longWait+patience)
	defer cancel()
	accepted := false
	select {
	case r.hand <- struct{}{}:
		accepted = r.unit.accepted > 0
	default:
	}
	open := append(r.outputs.take(), r.queue)
	err := r.h.do(ctx, func() (err error) {
		if accepted {
			err = r.h.qm.commit()
		}
		return errors.Join(err, r.h.qm.back(), open.close())
	})
	if err != nil {
		r.h.lose(err)
	}
	return err
}

func sourceAddress(s *Source) (address, error) {
	if err := s.check(); err != nil {
		return address{}, err
	}
	return address{queue: s.Queue}, nil
}

var (
	_ connections.Receiver  = (*receiver)(nil)
	_ connections.Backouter = (*receiver)(nil)
)
