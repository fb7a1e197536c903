package framework

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Send sends data through a binding: to destination, or, with destination "",
// to the one that the binding is configured with. It returns nil only once the
// broker has taken charge of the message (AMQP accepted, STOMP RECEIPT, MQ
// commit); on a binding with outbox: true, and inside [Transactional], once the
// message is staged in the transaction.
//
// An event.Event goes out as a CloudEvent; the event that the function was
// called with takes the headers and properties of its message along. Any other
// data goes out plain, as [Data] says. "topic:NAME" as destination means a topic.
//
// A refusal is a [*SendError]; a broker out of reach wraps [ErrUnavailable].
func Send(ctx context.Context, binding, destination string, data any, opts ...SendOption) error {
	inv, err := running(ctx)
	if err != nil {
		return fmt.Errorf("send to %s: %w", binding, err)
	}
	ev, err := Data(data)
	if err != nil {
		return fmt.Errorf("send to %s: %w", binding, err)
	}
	var o SendOptions
	for _, opt := range opts {
		opt.applySend(&o)
	}
	if err := ctx.Err(); err != nil { // too late, and nobody else's fault
		return fmt.Errorf("send to %s: %w", binding, err)
	}
	return inv.note(inv.Runtime.Send(ctx, binding, destination, ev, o))
}

// Publish hands data to another function by name, or to every subscriber of a
// topic with "topic:NAME". It is stored before Publish returns, delivered
// afterwards, tried again when the function fails, and kept when every process
// is stopped. Nobody needs to serve the function yet. It needs the store.
func Publish(ctx context.Context, function string, data any, opts ...PublishOption) error {
	inv, err := running(ctx)
	if err != nil {
		return fmt.Errorf("publish to %s: %w", function, err)
	}
	ev, err := Data(data)
	if err != nil {
		return fmt.Errorf("publish to %s: %w", function, err)
	}
	if err := ctx.Err(); err != nil { // too late, and nobody else's fault
		return fmt.Errorf("publish to %s: %w", function, err)
	}
	return inv.note(inv.Runtime.Publish(ctx, function, ev, NewPublishOptions(opts...)))
}

func running(ctx context.Context) (*Invocation, error) {
	if inv := FromContext(ctx); inv != nil && inv.Runtime != nil {
		return inv, nil
	}
	return nil, ErrNoRuntime
}

// note blames a link or the store for err, if it is to blame.
func (inv *Invocation) note(err error) error {
	if errors.Is(err, ErrUnavailable) {
		inv.Blame(err)
	}
	return err
}

// SendOptions is what the options of one Send add up to.
type SendOptions struct {
	Header        map[string]any // further headers or properties
	ContentType   string         // replaces the media type of the data
	ID            string         // the message's id; the broker's own if empty
	CorrelationID string
	ReplyTo       string
	Key           string        // messages of one key stay in order; the group id on AMQP and JMS
	Priority      *int          // 0 to 9; the broker's default (4) if nil
	TTL           time.Duration // 0: never expires
}

// PublishOptions is what the options of one Publish add up to.
type PublishOptions struct {
	Header   map[string]any // extensions of the event, when data is not one itself
	ID       string         // publishing the same id to the same target twice is publishing it once
	Key      string         // events of one key are delivered in order
	Priority *int           // 0 to 9, higher first; 4 if nil
	TTL      time.Duration  // 0: never expires
	At       time.Time      // not before; the zero time: at once
}

// NewPublishOptions adds up opts.
func NewPublishOptions(opts ...PublishOption) PublishOptions {
	var o PublishOptions
	for _, opt := range opts {
		opt.applyPublish(&o)
	}
	return o
}

// A SendOption changes one [Send].
type SendOption interface{ applySend(*SendOptions) }

// A PublishOption changes one [Publish].
type PublishOption interface{ applyPublish(*PublishOptions) }

// An Option changes one [Send] or one [Publish].
type Option interface {
	SendOption
	PublishOption
}

type option struct {
	send    func(*SendOptions)
	publish func(*PublishOptions)
}

func (o option) applySend(s *SendOptions)       { o.send(s) }
func (o option) applyPublish(p *PublishOptions) { o.publish(p) }

type sendOption func(*SendOptions)

func (o sendOption) applySend(s *SendOptions) { o(s) }

type publishOption func(*PublishOptions)

func (o publishOption) applyPublish(p *PublishOptions) { o(p) }

// Header adds a header or property to the message.
func Header(name string, value any) Option {
	set := func(h *map[string]any) {
		if *h == nil {
			*h = make(map[string]any)
		}
		(*h)[name] = value
	}
	return option{func(s *SendOptions) { set(&s.Header) }, func(p *PublishOptions) { set(&p.Header) }}
}

// ID sets the message's id. Publishing the same id to the same target twice is
// publishing it once.
func ID(id string) Option {
	return option{func(s *SendOptions) { s.ID = id }, func(p *PublishOptions) { p.ID = id }}
}

// Key keeps the messages that share it in order.
func Key(key string) Option {
	return option{func(s *SendOptions) { s.Key = key }, func(p *PublishOptions) { p.Key = key }}
}

// Priority sets the message's priority, from 0 to 9 (highest).
func Priority(n int) Option {
	return option{func(s *SendOptions) { s.Priority = &n }, func(p *PublishOptions) { p.Priority = &n }}
}

// TTL lets the message expire after d if it was not delivered by then.
func TTL(d time.Duration) Option {
	return option{func(s *SendOptions) { s.TTL = d }, func(p *PublishOptions) { p.TTL = d }}
}

// ContentType replaces the media type that the data would have.
func ContentType(mediaType string) SendOption {
	return sendOption(func(s *SendOptions) { s.ContentType = mediaType })
}

// CorrelationID sets the message's correlation id.
func CorrelationID(id string) SendOption {
	return sendOption(func(s *SendOptions) { s.CorrelationID = id })
}

// ReplyTo asks the receiver to answer to destination.
func ReplyTo(destination string) SendOption {
	return sendOption(func(s *SendOptions) { s.ReplyTo = destination })
}

// After delays the delivery by d.
func After(d time.Duration) PublishOption {
	return publishOption(func(p *PublishOptions) { p.At = time.Now().Add(d) })
}

// At delays the delivery until t.
func At(t time.Time) PublishOption {
	return publishOption(func(p *PublishOptions) { p.At = t })
}
