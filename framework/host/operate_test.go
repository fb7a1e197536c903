package host

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

const operated = `
version: 1
connections: {c: {type: memory}, d: {type: memory}}
bindings: {any: {connection: c}, fixed: {connection: c, queue: out}}
`

func message(s string) admin.Message {
	var m admin.Message
	m.SetBody([]byte(s))
	return m
}

func TestOperatorSends(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.apply(operated)
		b := r.Backend()
		m := message("x")
		m.Destination, m.ContentType, m.Header, m.ReplyTo, m.CorrelationID = "q", "text/csv", map[string]any{"a": "b"}, "back", "7"
		for _, through := range []string{"any", "c"} { // a binding, or a connection
			id, err := b.Send(t.Context(), through, m)
			if err != nil || id == "" {
				t.Fatalf("got %q, %v; want an id", id, err)
			}
			got := r.take("q")
			if string(got.Body) != "x" || got.ContentType != "text/csv" || got.Header["a"] != "b" || got.ID != id || got.ReplyTo != "back" || got.CorrelationID != "7" {
				t.Errorf("%s: got %+v", through, got)
			}
		}
		m.ID = "mine"
		if id, err := b.Send(t.Context(), "any", m); id != "mine" || err != nil {
			t.Errorf("got %q, %v; want the id that was given", id, err)
		}
		if _, err := b.Send(t.Context(), "none", m); !errors.Is(err, admin.ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
		if _, err := b.Send(t.Context(), "fixed", m); err == nil || !strings.Contains(err.Error(), "always sends to out") {
			t.Errorf("got %v, want an error about the destination", err)
		}
		if _, err := b.Send(t.Context(), "any", message("x")); err == nil || !strings.Contains(err.Error(), "no destination") {
			t.Errorf("got %v, want an error about the destination", err)
		}
	})
}

func TestOperatorReceives(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.apply(operated)
		r.broker.Put("q", connections.Message{Body: []byte("1"), ContentType: "text/csv", Header: map[string]any{"a": "b"}, ID: "7", ReplyTo: "back"})
		r.put("q", "2")
		r.put("q", "3")
		var got []admin.Message
		err := r.Receive(t.Context(), "c", "q", 2, func(m admin.Message) error { got = append(got, m); return nil })
		if err != nil || len(got) != 2 || string(got[1].Body()) != "2" {
			t.Fatalf("got %v, %v; want two messages", got, err)
		}
		want := message("1")
		want.Destination, want.ContentType, want.Header, want.ID, want.ReplyTo = "q", "text/csv", map[string]any{"a": "b"}, "7", "back"
		if diff := cmp.Diff(want, got[0]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if n := r.broker.Len("q"); n != 1 {
			t.Errorf("%d left, want 1", n)
		}
		broken := errors.New("the terminal is gone")
		if err := r.Receive(t.Context(), "c", "q", 1, func(admin.Message) error { return broken }); !errors.Is(err, broken) {
			t.Errorf("got %v, want what the callback said", err)
		}
		if n := r.broker.Len("q"); n != 1 {
			t.Errorf("%d left, want the one that was not shown", n)
		}
	})
}

func TestOperatorPings(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, nil)
		if _, err := r.Ping(t.Context(), "c"); !errors.Is(err, errNotStarted) {
			t.Errorf("got %v, want errNotStarted", err)
		}
		if err := r.Connect(r.parse(operated)); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Ping(t.Context(), "c"); err != nil {
			t.Error(err)
		}
		if _, err := r.Ping(t.Context(), "e"); !errors.Is(err, admin.ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
		r.cut("d", true)
		if _, err := r.Ping(t.Context(), "d"); !errors.Is(err, errDown) {
			t.Errorf("got %v, want why it is down", err)
		}
	})
}

func TestOperatorInvokes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, framework.Functions{"upper": framework.Func(upper), "sink": framework.Sink(nothing)})
		r.apply("version: 1")
		got, err := r.Backend().Invoke(t.Context(), "upper", message("x"))
		if err != nil || string(got.Body()) != "X" || got.ContentType != "text/plain" {
			t.Errorf("got %+v, %v; want X", got, err)
		}
		if got, err := r.Backend().Invoke(t.Context(), "sink", message("x")); got != nil || err != nil {
			t.Errorf("got %+v, %v; want no reply", got, err)
		}
		if _, err := r.Backend().Invoke(t.Context(), "none", message("x")); !errors.Is(err, admin.ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
	})
}

func TestStatusForTheOperator(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, framework.Functions{"f": framework.Sink(func(context.Context, []byte) error { return nil })})
		r.cut("c", true)
		r.apply(oneTrigger)
		s := r.Backend().Status()
		if s.Ready || len(s.Missing) != 1 || len(s.Triggers) != 1 || len(s.Connections) != 1 || s.Version == "" || s.Started.IsZero() {
			t.Fatalf("got %+v", s)
		}
		got := s.Triggers[0]
		if got.Name != "t" || got.Connection != "c" || got.Destination != "in" || got.Function != "f" || got.State != "connecting" || !strings.Contains(got.Error, "nobody listens") || got.NextTry == nil {
			t.Errorf("got %+v, want a trigger that says why it does not run and when it tries again", got)
		}
		r.cut("c", false)
		pass(time.Second)
		r.put("in", "x")
		pass(time.Second)
		s = r.Backend().Status()
		if got := s.Triggers[0]; !s.Ready || got.State != "running" || got.Error != "" || got.NextTry != nil || got.Received != 1 || got.Succeeded != 1 {
			t.Errorf("got %+v, want ready, running, one message", s)
		}
	})
}
