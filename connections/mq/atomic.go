package mq

import (
	"context"
	"fmt"

	"github.com/fairlead/fairlead/connections"
)

// maxOutputs is how many queues a receiver keeps open to send to. One function
// rarely sends to more.
const maxOutputs = 16

// Sender implements [connections.Atomic]: what is sent is in the receiver's unit
// of work. The queue stays open until the receiver is closed, because functions
// send to the same ones again and again.
func (r *receiver) Sender(ctx context.Context, target any) (connections.Sender, error) {
	t := target.(*Target)
	to, err := targetAddress(t)
	if err != nil {
		return nil, unsendable(err)
	}
	r.sending.Lock()
	defer r.sending.Unlock()
	if r.isClosed() {
		return nil, r.gone()
	}
	o := r.outputs[to]
	if o == nil {
		if o, err = r.output(ctx, to); err != nil {
			return nil, err
		}
	}
	return &atomicSender{sender{h: r.h, queue: o, encoder: newEncoder(r.conn.settings, to, t), atomic: r}}, nil
}

// output opens a queue, and closes another one if there are too many.
func (r *receiver) output(ctx context.Context, to address) (object, error) {
	o, err := openOutput(ctx, r.h, to)
	if err != nil {
		return nil, err
	}
	if len(r.outputs) == maxOutputs {
		for other, old := range r.outputs {
			delete(r.outputs, other)
			if err := r.do(ctx, old.close); err != nil {
				return nil, fmt.Errorf("close queue %s: %w", other.queue, err)
			}
			break
		}
	}
	r.outputs[to] = o
	return o, nil
}

// An atomicSender is a sender whose queue is its receiver's to close.
type atomicSender struct{ sender }

// Close implements [connections.Sender].
func (s *atomicSender) Close() error { return nil }

var _ connections.Atomic = (*receiver)(nil)
