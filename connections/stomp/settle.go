package stomp

import (
	"context"
	"fmt"

	"github.com/go-stomp/stomp/v3/frame"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// A delivery is one message that Receive returned.
type delivery struct {
	*receiver
	frame *frame.Frame
}

func (r *receiver) delivery(f received) connections.Delivery {
	d := &delivery{r, f.Frame}
	return connections.Delivery{
		Message: r.link.broker.message(f.Frame),
		Count:   r.link.broker.count(f.Header),
		Bad:     f.bad,
		Settle:  d.settle,
	}
}

// settle is the Settle of a Delivery. The package comment says what comes of
// each outcome.
func (d *delivery) settle(ctx context.Context, o framework.Outcome) error {
	switch o {
	case framework.Accept:
		return d.accept()
	case framework.Reject:
		if err := d.bury(ctx); err != nil {
			return fmt.Errorf("reject: %w", err)
		}
		return d.accept()
	}
	return d.link.reason() // nil while it lives: the broker gets it back when the link ends
}

func (d *delivery) accept() error {
	if err := d.link.write(d.ack()); err != nil {
		return err
	}
	<-d.slots
	return nil
}

func (d *delivery) ack() *frame.Frame {
	id := d.frame.Header.Get(frame.MessageId)
	if d.link.version != v12 {
		return frame.New(frame.ACK, frame.Subscription, d.frame.Header.Get(frame.Subscription), frame.MessageId, id)
	}
	// On Artemis, where they are the same, the first header of that name may be
	// one that the sender of the message made up.
	if ack, ok := d.frame.Header.Contains(frame.Ack); ok && d.link.broker != artemis {
		id = ack
	}
	return frame.New(frame.ACK, frame.Id, id)
}

// bury sends the message to the queue of dead letters.
func (d *delivery) bury(ctx context.Context) error {
	k := d.link.broker
	m := k.message(d.frame)
	err := d.link.request(ctx, k.sendFrame(&Target{Destination: deadLetters(d.source.Destination)}, &m))
	if err != nil && d.link.reason() != nil {
		return lost(err)
	}
	return err
}
