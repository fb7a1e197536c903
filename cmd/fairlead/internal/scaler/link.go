package scaler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/grpc"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework/config"
)

// fresh is how old a depth may be: KEDA asks twice in a row.
const fresh = time.Second

// maxKnown is how many queues a link remembers.
const maxKnown = 1000

// errLocked says that a connection must not be dialed as it is configured.
var errLocked = errors.New("this program has no access to the secrets of the store")

// errReplaced is for who asks at the moment when the configuration changes.
var errReplaced = errors.New("the configuration has just changed: ask again")

// A link asks one broker, over one connection, which it keeps.
type link struct {
	name    string
	desired config.Connection
	driver  connections.Driver
	dial    connections.Dial
	locked  string // see config.Config.Locked
	log     *slog.Logger

	turn   chan struct{}      // holds one who asks or closes it; that one owns what is below
	conn   connections.Conn   // nil: not connected
	known  map[string]reading // by queue
	closed bool
}

type reading struct {
	depth  int
	at     time.Time
	absent bool // the broker has had no such queue, at some time, and the log says so
}

func newLink(name string, desired config.Connection, driver connections.Driver, log *slog.Logger) *link {
	return &link{name: name, desired: desired, driver: driver, log: log, turn: make(chan struct{}, 1), known: make(map[string]reading)}
}

// source returns the driver's settings of a queue.
func (l *link) source(queue string) any {
	s := l.driver.Source()
	s.(connections.Addressed).SetAddress(queue, false)
	return s
}

// depth asks the broker, unless the answer is known. In a queue that the broker does
// not have nothing waits: it may have removed one that was empty.
func (l *link) depth(ctx context.Context, queue string) (int, error) {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return 0, grpc.Errorf(grpc.DeadlineExceeded, "connection %s: no answer yet to those who asked before", l.name)
	}
	defer func() { <-l.turn }()
	if l.closed {
		return 0, grpc.Errorf(grpc.Unavailable, "connection %s: %w", l.name, errReplaced)
	}
	r, ok := l.known[queue]
	if ok && time.Since(r.at) < fresh {
		return r.depth, nil
	}
	kept := l.conn != nil
	depth, err := l.ask(ctx, queue)
	if kept && errors.Is(err, connections.ErrConnLost) {
		depth, err = l.ask(ctx, queue) // it was lost before we asked
	}
	absent := errors.Is(err, connections.ErrNoQueue)
	if err != nil && !absent {
		return 0, l.status(ctx, err)
	}
	if absent && !r.absent {
		l.log.Info("the broker has no such queue: as long as that is so, nothing waits in it; is its name right?", "connection", l.name, "queue", queue)
	}
	if len(l.known) >= maxKnown {
		clear(l.known)
	}
	l.known[queue] = reading{depth, time.Now(), r.absent || absent}
	return depth, nil
}

// ask asks the broker. After an error the next one connects anew.
func (l *link) ask(ctx context.Context, queue string) (depth int, err error) {
	if l.conn == nil {
		if l.conn, err = l.dial(ctx); err != nil {
			l.conn = nil
			return 0, &dialError{err}
		}
	}
	gauge, ok := l.conn.(connections.Gauge)
	if !ok {
		return 0, fmt.Errorf("%w: connections of its type do not tell", errors.ErrUnsupported)
	}
	if depth, err = gauge.Depth(ctx, l.source(queue)); err != nil && !errors.Is(err, connections.ErrNoQueue) {
		err = errors.Join(err, l.disconnect())
	}
	return depth, err
}

// A dialError says that there is no connection.
type dialError struct{ error }

func (e *dialError) Unwrap() error { return e.error }

// status is err as KEDA sees it.
func (l *link) status(ctx context.Context, err error) error {
	code := grpc.FailedPrecondition // the broker has answered
	_, undialed := errors.AsType[*dialError](err)
	_, wrong := errors.AsType[*connections.SettingError](err)
	switch {
	case ctx.Err() != nil:
		code = grpc.DeadlineExceeded
	case wrong:
		code = grpc.InvalidArgument
	case errors.Is(err, connections.ErrRefused), errors.Is(err, connections.ErrNotBuilt), errors.Is(err, errLocked):
	case undialed, errors.Is(err, connections.ErrConnLost):
		code = grpc.Unavailable
	}
	return grpc.Errorf(code, "connection %s: %w", l.name, err)
}

func (l *link) disconnect() error {
	if l.conn == nil {
		return nil
	}
	err := l.conn.Close()
	l.conn = nil
	if errors.Is(err, connections.ErrConnLost) {
		return nil
	}
	return err
}

// close waits for who asks.
func (l *link) close() error {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	l.closed = true
	return l.disconnect()
}
