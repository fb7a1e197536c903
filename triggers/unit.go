package triggers

import (
	"context"
	"sync"

	"github.com/fairlead/fairlead/connections"
)

// A unit is the unit of work of a message whose broker can send in one, for the
// time of one call. It is the ctx of that call.
type unit struct {
	context.Context
	session    *session
	connection string

	mu    sync.Mutex
	ended bool
	used  bool // something was sent in it
}

type unitKey struct{}

// begin returns a ctx that knows the unit of work of j's message, if it has one.
func (s *session) begin(ctx context.Context, connection string) (context.Context, *unit) {
	if s == nil || s.atomic == nil {
		return ctx, nil
	}
	u := &unit{Context: ctx, session: s, connection: connection}
	return u, u
}

// Value implements [context.Context].
func (u *unit) Value(key any) any {
	if key == (unitKey{}) {
		return u
	}
	return u.Context.Value(key)
}

// end closes the unit to what functions still do in the background, and reports
// whether anything was sent in it.
func (u *unit) end() (used bool) {
	if u == nil {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ended = true
	return u.used
}

// SendInUnit sends m to target, settings of a binding, in the unit of work of the
// message that ctx's function works on: it is there once that message is
// settled, and never was if the function fails. It reports false if there is
// none on the connection of that name; then nothing was sent.
func SendInUnit(ctx context.Context, connection string, target any, m connections.Message) (sent bool, err error) {
	u, _ := ctx.Value(unitKey{}).(*unit)
	if u == nil || u.connection != connection {
		return false, nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ended {
		return false, nil
	}
	s, err := u.session.atomic.Sender(ctx, target)
	if err != nil {
		return true, err
	}
	u.used = true
	err = s.Send(ctx, []connections.Message{m})[0]
	if closing := s.Close(); err == nil {
		err = closing
	}
	return true, err
}
