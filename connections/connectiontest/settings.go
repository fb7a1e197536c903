package connectiontest

import (
	"context"
	"errors"
	"reflect"
	"strings"

	"github.com/fairlead/fairlead/connections"
)

func settingPromises() []promise {
	return []promise{{
		name:  "settings",
		text:  "Connection, Source and Target return pointers to new, equal structs, the last two with an address",
		check: checkSettings,
	}, {
		name:   "wrong settings",
		text:   "Open refuses wrong settings with a SettingError that names the field",
		unless: func(s *Subject) string { return unless(len(s.WrongSettings) > 0, "the subject has no wrong settings") },
		check:  checkWrongSettings,
	}, {
		name:   "wrong password",
		text:   "a wrong password is ErrRefused, and the error does not contain it",
		unless: func(s *Subject) string { return unless(s.WrongPassword != nil, "the broker has no users") },
		check:  checkWrongPassword,
	}, {
		name:   "unreachable",
		text:   "when no broker is there, Dial returns an error that is not ErrRefused",
		unless: func(s *Subject) string { return unless(s.Unreachable != nil, "a broker is always there") },
		check:  checkUnreachable,
	}, {
		name:  "dial honours ctx",
		text:  "Dial returns an error soon when ctx has ended",
		check: checkDialHonoursCtx,
	}, {
		name:  "outlives ctx",
		text:  "a Conn, its Receivers and its Senders outlive the contexts they were made with",
		check: checkOutlivesCtx,
	}, {
		name:  "ping",
		text:  "Ping of a live Conn is nil, also while it receives",
		check: checkPing,
	}}
}

func checkSettings(e *env) {
	for name, f := range map[string]func() any{
		"Connection": e.subject.Driver.Connection, "Source": e.subject.Driver.Source, "Target": e.subject.Driver.Target,
	} {
		a, b := f(), f()
		v := reflect.ValueOf(a)
		if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
			e.fail("%s returns a %T, want a pointer to a struct", name, a)
		}
		if a == b || !reflect.DeepEqual(a, b) {
			e.fail("%s returns the same or unequal settings twice, want new, equal ones", name)
		}
	}
	for _, settings := range []any{e.subject.Driver.Source(), e.subject.Driver.Target()} {
		e.addresses(settings)
	}
}

func (e *env) addresses(settings any) {
	a, ok := settings.(connections.Addressed)
	if !ok {
		e.fail("%T is not an Addressed", settings)
	}
	a.SetAddress("orders", false)
	if name, topic := a.Address(); name != "orders" || topic {
		e.fail("%T: got address %q, topic %t, want queue orders", settings, name, topic)
	}
	if e.subject.Topic == nil {
		return
	}
	a.SetAddress("topic:prices", false)
	if name, topic := a.Address(); name != "prices" || !topic {
		e.fail("%T: got address %q, topic %t, want topic prices", settings, name, topic)
	}
}

func checkWrongSettings(e *env) {
	for field, settings := range e.subject.WrongSettings {
		_, err := e.subject.Driver.Open("test", settings)
		if !names(err, field) {
			e.fail("open with a wrong %s: got error %v, want a SettingError with that Field", field, err)
		}
	}
}

// names reports whether err is or joins a SettingError for field.
func names(err error, field string) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			if names(err, field) {
				return true
			}
		}
		return false
	}
	var wrong *connections.SettingError
	return errors.As(err, &wrong) && wrong.Field == field
}

func checkWrongPassword(e *env) {
	_, err := e.tryDial(e.subject.WrongPassword)
	if !errors.Is(err, connections.ErrRefused) {
		e.fail("dial with a wrong password: got error %v, want ErrRefused", err)
	}
	if e.subject.Password == "" || strings.Contains(err.Error(), e.subject.Password) {
		e.fail("the error contains the password: %v", err)
	}
}

func checkUnreachable(e *env) {
	_, err := e.tryDial(e.subject.Unreachable)
	if err == nil || errors.Is(err, connections.ErrRefused) || errors.Is(err, connections.ErrStandby) {
		e.fail("dial where no broker is: got error %v, want one that is neither ErrRefused nor ErrStandby", err)
	}
}

func checkDialHonoursCtx(e *env) {
	dial, err := e.subject.Driver.Open("test", e.subject.Connection)
	e.must("open", err)
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	err = e.within("dial with a ctx that has ended", func() error {
		conn, err := dial(ctx)
		if err == nil {
			conn.Close()
		}
		return err
	})
	if !errors.Is(err, context.Canceled) {
		e.fail("dial with a ctx that has ended: got error %v, want ctx's", err)
	}
}

func checkOutlivesCtx(e *env) {
	ctx, cancel := context.WithCancel(e.ctx)
	dial, err := e.subject.Driver.Open("test", e.subject.Connection)
	e.must("open", err)
	conn, err := dial(ctx)
	e.must("dial", err)
	defer conn.Close()
	r, err := conn.Receiver(ctx, e.source(e.queue), 1)
	e.must("receiver", err)
	s, err := e.dial().Sender(ctx, addressed(e.subject.Driver.Target(), e.queue))
	e.must("sender", err)
	cancel()
	e.nothing(r, "nothing was sent")
	e.send(s, text("a"))
	e.accept(r, "a")
}

func checkPing(e *env) {
	in := e.receiver(e.queue)
	p, ok := in.conn.(connections.Pinger)
	if !ok {
		return // it is optional
	}
	ctx, cancel := context.WithCancel(e.ctx)
	received := e.receiving(ctx, in)
	e.must("ping", e.within("ping", func() error { return p.Ping(e.ctx) }))
	e.must("ping again", e.within("ping", func() error { return p.Ping(e.ctx) }))
	cancel()
	if err := (<-received).err; !errors.Is(err, context.Canceled) {
		e.fail("receive: got error %v, want that of ctx", err)
	}
}
