package framework

import (
	"context"

	"github.com/cloudevents/sdk-go/v2/event"
)

// A Handler is the one canonical form of a function: an event comes in, and an
// event may go back to whoever waits for an answer. It is the signature that the
// CloudEvents SDK and Knative's func use, too.
//
// A reply with a type goes out as the CloudEvent it is. A reply without one, as
// [Func] makes for anything but an event.Event, goes out as plain data.
//
// A Handler is called from several goroutines at once, and may be called again
// with an event it has seen before.
type Handler func(ctx context.Context, in event.Event) (*event.Event, error)

// Functions names handlers. The names are those that triggers, [Invoke] and
// [Publish] use, such as "order.received".
type Functions map[string]Handler

// Sink adapts a function that answers nothing.
//
// In may be event.Event (the event as it came, whose data must not be changed in
// place), []byte (a copy of the data), string, or any type that the event's data
// is decoded into: XML for the media types */xml and *+xml; JSON for */json and
// *+json, and where no media type is given, or only text/plain or
// application/octet-stream. Any other media type, and data that does not decode,
// is a [Terminal] error. A trigger's format overrides the media type. Numbers
// decoded into an any become json.Number, so that large integers stay intact.
//
//go:noinline
func Sink[In any](f func(context.Context, In) error) Handler {
	return func(ctx context.Context, in event.Event) (*event.Event, error) {
		if asked(in, (*In)(nil), nil) {
			return nil, nil
		}
		v, err := decode[In](ctx, in)
		if err != nil {
			return nil, err
		}
		return nil, f(ctx, v)
	}
}

// Func adapts a function that answers. In is decoded as [Sink] says. Out may be
// event.Event or *event.Event, which go out as they are, a string (text/plain),
// []byte (no media type), or any other value, which goes out as JSON. A nil
// pointer, map, slice or interface is no answer.
//
//go:noinline
func Func[In, Out any](f func(context.Context, In) (Out, error)) Handler {
	return func(ctx context.Context, in event.Event) (*event.Event, error) {
		if asked(in, (*In)(nil), (*Out)(nil)) {
			return nil, nil
		}
		v, err := decode[In](ctx, in)
		if err != nil {
			return nil, err
		}
		out, err := f(ctx, v)
		if err != nil {
			return nil, err
		}
		return reply(out)
	}
}
