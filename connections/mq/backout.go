package mq

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/connections/mq/rfh2"
)

// backoutAttributes returns BOTHRESH and BOQNAME; none if the queue manager does
// not tell. An alias has none of its own: those of its base queue count.
func (r *receiver) backoutAttributes(ctx context.Context) (map[int32]any, error) {
	values, err := r.ask(ctx, mqi.MQIA_BACKOUT_THRESHOLD, mqi.MQCA_BACKOUT_REQ_Q_NAME)
	if reasonOf(err) == mqi.MQRC_SELECTOR_NOT_FOR_TYPE {
		if values, err = r.ask(ctx, mqi.MQCA_BASE_Q_NAME); err == nil {
			base, _ := values[mqi.MQCA_BASE_Q_NAME].(string)
			values, err = inquire(ctx, r.h, address{queue: base}, mqi.MQIA_BACKOUT_THRESHOLD, mqi.MQCA_BACKOUT_REQ_Q_NAME)
		}
	}
	if declined(err) {
		return nil, nil
	}
	return values, err
}

// ask inquires attributes of the queue that is received from.
func (r *receiver) ask(ctx context.Context, selectors ...int32) (map[int32]any, error) {
	return run(ctx, r.h, func() (map[int32]any, error) { return r.queue.inquire(selectors) })
}

// reject moves the message in hand to where its administrator wants it, and
// commits both in one unit of work. If that cannot be, it stays where it was.
func (r *receiver) reject(ctx context.Context, n *Message) error {
	if err := r.bury(ctx, n); err != nil {
		return errors.Join(fmt.Errorf("queue %s: %w", r.from.queue, err), r.backOut(ctx))
	}
	return r.commit(ctx)
}

// bury puts the message on the backout queue, as it is, or else on the
// dead-letter queue with an MQDLH, as IBM's JMS classes do. Its context stays
// that of whoever put it first.
func (r *receiver) bury(ctx context.Context, n *Message) error {
	reason := r.reason(n)
	if r.backout != "" && r.backout != r.from.queue {
		err := r.move(ctx, r.backout, n.MD, r.got)
		if err == nil || r.h.lost() != nil {
			return err
		}
		reason = reasonOf(err)
	}
	values, err := inquire(ctx, r.h, address{}, mqi.MQCA_DEAD_LETTER_Q_NAME, mqi.MQCA_Q_MGR_NAME)
	if err != nil {
		return fmt.Errorf("dead-letter queue: %w", err)
	}
	queue, _ := values[mqi.MQCA_DEAD_LETTER_Q_NAME].(string)
	if queue == "" {
		return errors.New("neither it nor its queue manager names a queue for what cannot be processed")
	}
	if queue == r.from.queue { // from where it would come again, and again
		return errors.New("it is the queue of dead letters itself")
	}
	manager, _ := values[mqi.MQCA_Q_MGR_NAME].(string)
	date, clock := mqi.PutStamp(time.Now())
	md, data := deadLetter(n.MD, r.got, rfh2.DeadLetterHeader{
		Reason: reason, Queue: r.from.queue, QueueManager: manager,
		PutApplType: mqi.MQAT_UNIX, PutApplName: r.conn.settings.applName(), PutDate: date, PutTime: clock,
	})
	return r.move(ctx, queue, md, data)
}

// reason is why the message is moved, as the MQDLH says it.
func (r *receiver) reason(n *Message) int32 {
	if r.limit > 0 && int(n.MD.BackoutCount) >= r.limit {
		return mqi.MQRC_BACKOUT_THRESHOLD_REACHED
	}
	return mqi.MQFB_APPL_FIRST // the application's own
}

// move puts a message into the unit of work in which it was got.
func (r *receiver) move(ctx context.Context, queue string, md mqi.MD, data []byte) error {
	o, err := openQueue(ctx, r.h, address{queue: queue}, mqi.MQOO_OUTPUT|mqi.MQOO_PASS_ALL_CONTEXT)
	if err != nil {
		return fmt.Errorf("open %s: %w", queue, err)
	}
	const options = mqi.MQPMO_SYNCPOINT | mqi.MQPMO_PASS_ALL_CONTEXT | mqi.MQPMO_FAIL_IF_QUIESCING
	err = r.do(ctx, func() error {
		return errors.Join(done(o.put(&md, putOptions{options, r.queue}, data)), o.close())
	})
	if err != nil {
		return fmt.Errorf("put on %s: %w", queue, err)
	}
	return nil
}

// deadLetter returns the message with an MQDLH in front of it, which says who put
// it on the dead-letter queue; who put it first is in the descriptor.
func deadLetter(md mqi.MD, data []byte, header rfh2.DeadLetterHeader) (mqi.MD, []byte) {
	header.Next = rfh2.Layout{Format: md.Format, Encoding: md.Encoding, CCSID: md.CodedCharSetID}
	md.Format, md.Encoding, md.CodedCharSetID = rfh2.FormatDeadLetter, encoding, rfh2.UTF8
	return md, append(header.Append(nil, encoding), data...)
}
