package mq

import (
	"context"
	"errors"
	"sync"

	"github.com/fairlead/fairlead/connections"
)

// Sender implements [connections.Atomic]: what is sent is in the receiver's unit
// of work.
func (r *receiver) Sender(ctx context.Context, target any) (connections.Sender, error) {
	t := target.(*Target)
	to, err := targetAddress(t)
	if err != nil {
		return nil, unsendable(err)
	}
	if r.isClosed() {
		return nil, r.gone()
	}
	o := r.outputs.find(to)
	if o == nil {
		if o, err = openOutput(ctx, r.h, to); err != nil {
			return nil, err
		}
		if surplus := r.outputs.keep(to, o); surplus != nil {
			if err := r.h.do(ctx, surplus.close); err != nil {
				return nil, err
			}
		}
	}
	return &atomicSender{sender{h: r.h, queue: o, encoder: newEncoder(r.conn.settings, to, t), atomic: r}}, nil
}

// An atomicSender is a sender whose queue is its receiver's to close.
type atomicSender struct{ sender }

// Close implements [connections.Sender].
func (s *atomicSender) Close() error { return nil }

// maxOutputs is how many queues a receiver keeps open to send to. One function
// rarely sends to more.
const maxOutputs = 16

// outputs are the queues that a receiver has open to send to: functions send to
// the same ones again and again.
type outputs struct {
	mu     sync.Mutex
	open   map[address]object
	closed bool
}

func (o *outputs) find(a address) object {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.open[a]
}

// keep keeps a queue open. It returns one that is to be closed for it, or nil.
func (o *outputs) keep(a address, queue object) (surplus object) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return queue
	}
	if len(o.open) >= maxOutputs {
		for other := range o.open {
			surplus = o.open[other]
			delete(o.open, other)
			break
		}
	}
	if o.open == nil {
		o.open = make(map[address]object)
	}
	o.open[a] = queue
	return surplus
}

// take returns all that is to be closed. Nothing is kept from here on.
func (o *outputs) take() (all objects) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, queue := range o.open {
		all = append(all, queue)
	}
	o.open, o.closed = nil, true
	return all
}

type objects []object

func (o objects) close() error {
	var errs []error
	for _, one := range o {
		errs = append(errs, one.close())
	}
	return errors.Join(errs...)
}

var _ connections.Atomic = (*receiver)(nil)
