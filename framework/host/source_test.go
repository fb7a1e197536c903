package host

import (
	"context"
	"errors"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// A source's triggers call the handler that it was given, its answers go where the
// message, or else the trigger, says, and an explanation is on its dead letters.
func TestSource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, framework.Functions{SinkFunction: func(_ context.Context, in event.Event) (*event.Event, error) {
			if string(in.Data()) == "bad" {
				return nil, framework.Terminal(explained{errors.New("no")})
			}
			out, err := framework.Data("got " + string(in.Data()))
			return &out, err
		}})
		r.sink = SinkFunction
		r.apply(`
version: 1
connections: {c: {type: memory}, d: {type: memory}}
bindings: {answers: {connection: d}}
triggers: {t: {connection: c, queue: in, reply: answers/out}}
`)
		r.put("in", "a")
		if m := r.take("out"); string(m.Body) != "got a" {
			t.Errorf("the binding got %q, want the answer", m.Body)
		}
		r.broker.Put("in", connections.Message{Body: []byte("b"), Text: true, ReplyTo: "own"})
		if m := r.take("own"); string(m.Body) != "got b" {
			t.Errorf("the reply-to got %q, want the answer", m.Body)
		}
		r.put("in", "bad")
		m := r.take("in.DLQ")
		if string(m.Body) != "bad" || m.Header["cloudEvents_code"] != int32(7) || m.Header["fairlead_function"] != SinkFunction {
			t.Errorf("got the dead letter %q with %v, want what its cause explains", m.Body, m.Header)
		}
		if r.stored.Load() != nil {
			t.Error("a source has a store")
		}
	})
}

type explained struct{ error }

func (explained) Attributes() map[string]any { return map[string]any{"code": int32(7)} }
