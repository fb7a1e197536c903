package mq

import (
	"context"
	"errors"
	"fmt"

	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/connections/mq/rfh2"
)

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
	if r.backout != "" {
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
	manager, _ := values[mqi.MQCA_Q_MGR_NAME].(string)
	md, data := deadLetter(n.MD, r.got, reason, r.from.queue, manager)
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

// deadLetter returns the message with an MQDLH in front of it.
func deadLetter(md mqi.MD, data []byte, reason int32, queue, manager string) (mqi.MD, []byte) {
	header := rfh2.DeadLetterHeader{
		Reason: reason, Queue: queue, QueueManager: manager,
		Next:        rfh2.Layout{Format: md.Format, Encoding: md.Encoding, CCSID: md.CodedCharSetID},
		PutApplType: md.PutApplType, PutApplName: md.PutApplName, PutDate: md.PutDate, PutTime: md.PutTime,
	}
	md.Format, md.Encoding, md.CodedCharSetID = rfh2.FormatDeadLetter, encoding, rfh2.UTF8
	return md, append(header.Append(nil, encoding), data...)
}
