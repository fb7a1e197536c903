package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// A Delivery is a published event on its way to a function.
type Delivery struct {
	Event     event.Event
	Trigger   string         // as the Subscription has it
	Target    string         // what it was published to: "FUNCTION" or "topic:NAME"
	Key       string         // its key, if it has one
	Attempt   int            // which call this is, from 1
	Published time.Time      // when
	First     time.Time      // when its function failed first; zero: never
	Header    map[string]any // what the publisher gave as framework.Header

	// Replayed says that whoever replayed the event from the dead letters wants it
	// to run although the inbox may remember it.
	Replayed bool
}

// Received is the identity of the event, by which the inbox knows it.
func (d *Delivery) Received() Received {
	return Received{
		Trigger: d.Trigger, Source: d.Event.Source(), ID: d.Event.ID(), Data: d.Event.Data(), Replayed: d.Replayed,
	}
}

// Message is the event as a message for a broker, with its attributes and Header
// as headers.
func (d *Delivery) Message() (connections.Message, error) { return messageOf(d.Event, d.Header) }

// A Subscription connects a function to what is published for it.
type Subscription struct {
	Target   string // "FUNCTION" or "topic:NAME"
	Trigger  string // name of the subscription, if Target is a topic; default for a function: its name
	Function string // the function's name; default for a function: Target

	Concurrency int // calls at once; default 1
	Retry       framework.RetryPolicy

	// Handle calls the function. nil means done. An error that wraps
	// framework.ErrUnavailable is no failed attempt: the subscription pauses. Any
	// other is retried as Retry says, or as framework.RetryAfter asks, and a
	// framework.Terminal one goes to the dead letters. ctx ends when the grace
	// period is over.
	Handle func(ctx context.Context, d *Delivery) error

	// Bury, if set, takes what failed for good with err, or has expired, instead of
	// the store's own dead letters. An error pauses the subscription. What expires
	// while no replica serves the subscription is the store's all the same.
	Bury func(ctx context.Context, d *Delivery, err error) error

	// Stack returns the stack of a panic in an error of Handle, if there is one.
	Stack func(error) string

	Grace time.Duration // how long stopping waits for running calls
	Log   *slog.Logger  // default: the store's
}

// Subscribe returns the consumer of a subscription. Its queue is made when it
// runs, if it was not there.
func (s *Store) Subscribe(sub Subscription) (*Consumer, error) {
	t, err := parseTarget(sub.Target)
	if err != nil {
		return nil, err
	}
	if t.kind == kindFunction {
		sub.Trigger = orDefault(sub.Trigger, t.topic)
		sub.Function = orDefault(sub.Function, t.topic)
	}
	name := sub.Trigger
	if t.kind == kindFunction {
		name = t.topic
	}
	if err := checkName("name of the subscription", name); err != nil {
		return nil, err
	}
	c := s.newConsumer(t.kind, t.topic, name, sub.Concurrency, sub.Log)
	c.trigger, c.function, c.destination = sub.Trigger, sub.Function, t.String()
	c.retry, c.grace, c.stack, c.elsewhere = sub.Retry, sub.Grace, sub.Stack, sub.Bury != nil
	source, err := url.Parse(t.source())
	if err != nil {
		source = nil
	}
	c.work = each(func(ctx context.Context, r *row) error {
		d, err := r.delivery(t, sub.Trigger, source)
		if err != nil {
			return framework.Terminal(fmt.Errorf("stored event: %w", err))
		}
		err = r.unlessExpired(func() error {
			return s.guard(ctx, r, d.Received(), func() error { return sub.Handle(ctx, d) })
		})
		if sub.Bury == nil || !c.fatal(ctx, r, err) {
			return err
		}
		if d.Attempt = r.attempts + 1; err == errExpired {
			d.Attempt--
		}
		if failed := sub.Bury(ctx, d, err); failed != nil {
			return fmt.Errorf("dead letter %w: %w", framework.ErrUnavailable, failed)
		}
		return &buriedError{err}
	})
	return c, nil
}

// A buriedError is the last one of a row that somebody else keeps now.
type buriedError struct{ error }

// fatal reports whether a row is not tried again after err.
func (c *Consumer) fatal(ctx context.Context, r *row, err error) bool {
	return err != nil && ctx.Err() == nil && !errors.Is(err, framework.ErrUnavailable) &&
		(framework.IsTerminal(err) || c.retry.Exhausted(r.attempts+1))
}

func (s *Store) newConsumer(kind, topic, name string, concurrency int, log *slog.Logger) *Consumer {
	if log == nil {
		log = s.log
	}
	c := &Consumer{
		store: s, kind: kind, topic: topic, name: name,
		concurrency: max(1, concurrency), batch: 1, wakeUp: make(chan struct{}, 1),
	}
	c.log = log.With("queue", c.String())
	c.status.set(Waiting, nil)
	return c
}

// each makes work of batches of one row.
func each(f func(context.Context, *row) error) func(context.Context, []*row) []error {
	return func(ctx context.Context, rows []*row) []error { return []error{f(ctx, rows[0])} }
}

// delivery returns the row as its function gets it. source is what t has, if that
// can be read.
func (r *row) delivery(t target, trigger string, source *url.URL) (*Delivery, error) {
	if string(r.header) == noAttributes && source != nil {
		return &Delivery{
			Event: r.plainEvent(source), Trigger: trigger, Target: t.String(), Key: r.key, Attempt: r.attempts + 1,
			Published: r.created, First: r.first, Replayed: r.replayed,
		}, nil
	}
	a, err := decodeAttributes(r.header)
	if err != nil {
		return nil, err
	}
	a.complete(t, r.created)
	ev, err := a.event(r.id, r.data)
	if err != nil {
		return nil, err
	}
	header, err := loadValues(a.Header)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	return &Delivery{
		Event: ev, Trigger: trigger, Target: t.String(), Key: r.key, Attempt: r.attempts + 1,
		Published: r.created, First: r.first, Header: header, Replayed: r.replayed,
	}, nil
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
