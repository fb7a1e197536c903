package memory

import (
	"context"
	"errors"
	"fmt"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

type receiver struct {
	conn     *conn
	queue    *queue
	topic    string // that the queue is a subscription of
	prefetch int
	done     chan struct{}      // closed when the receiver or its conn is
	held     map[*item]struct{} // received, unsettled; nil when closed; guarded by the broker's mu
}

func (r *receiver) Receive(ctx context.Context) (connections.Delivery, error) {
	for {
		if err := ctx.Err(); err != nil {
			return connections.Delivery{}, err
		}
		it, changed, err := r.next()
		if err != nil {
			return connections.Delivery{}, fmt.Errorf("receive over %s: %w", r.conn.name, err)
		}
		if it != nil {
			return r.delivery(it), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		case <-r.done:
		}
	}
}

// next returns the next item or, if there is none or as many as allowed are
// unsettled, the channel that says when to look again.
func (r *receiver) next() (*item, <-chan struct{}, error) {
	r.conn.broker.mu.Lock()
	defer r.conn.broker.mu.Unlock()
	if r.held == nil {
		return nil, nil, connections.ErrConnLost
	}
	if len(r.held) < r.prefetch {
		if it := r.queue.pop(); it != nil {
			r.held[it] = struct{}{}
			return it, nil, nil
		}
	}
	return nil, r.queue.changes(), nil
}

func (r *receiver) delivery(it *item) connections.Delivery {
	return connections.Delivery{
		Message: it.message(),
		Count:   it.count,
		Settle: func(_ context.Context, o framework.Outcome) error {
			if err := r.settle(it, o); err != nil {
				return fmt.Errorf("settle over %s: %w", r.conn.name, err)
			}
			return nil
		},
	}
}

func (r *receiver) settle(it *item, o framework.Outcome) error {
	b := r.conn.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.held == nil {
		return connections.ErrConnLost
	}
	if _, ok := r.held[it]; !ok {
		return errors.New("already settled")
	}
	switch o {
	case framework.Accept:
		r.queue.remove()
	case framework.Reject:
		if err := r.reject(it); err != nil {
			return err
		}
	case framework.Modify:
		it.count++
		r.queue.giveBack(it)
	default:
		r.queue.giveBack(it)
	}
	delete(r.held, it)
	return nil
}

// reject moves an item to the dead letters, as it is.
func (r *receiver) reject(it *item) error {
	dead := r.conn.broker.queue(DeadLetters)
	if dead == r.queue {
		r.queue.remove()
		return nil
	}
	if dead.len() >= r.conn.limit {
		return fmt.Errorf("queue %s is full: it holds %d messages", DeadLetters, dead.len())
	}
	r.queue.remove()
	dead.add(it)
	return nil
}

// Close gives back all that is unsettled and ends a subscription without a name.
func (r *receiver) Close() error {
	r.conn.broker.mu.Lock()
	defer r.conn.broker.mu.Unlock()
	if r.held != nil {
		r.end()
	}
	return nil
}

// end closes an open receiver. The caller holds the broker's mu.
func (r *receiver) end() {
	for it := range r.held {
		r.queue.giveBack(it)
	}
	r.held = nil
	close(r.done)
	delete(r.conn.receivers, r)
	if r.queue.live {
		r.conn.broker.unsubscribe(r.topic, r.queue)
	}
}
