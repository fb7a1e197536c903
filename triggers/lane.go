package triggers

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// A lane is one Receiver and the workers it feeds. A worker receives while it
// holds the baton, and works after it let go of it; so a message passes from the
// broker to its function on one goroutine.
type lane struct {
	trigger *Trigger
	waiting waiting
	baton   chan struct{}

	// Whoever holds the baton owns what follows.
	session *session
	tries   int   // failed attempts to connect, and sessions that ended soon, in a row
	ended   error // why the last session ended, if that is a reason to wait before the next
}

// A session is one connection's time. Its deliveries cannot be settled after it.
type session struct {
	conn   connections.Conn
	recv   connections.Receiver
	opened time.Time
	lane   *lane
	lost   atomic.Pointer[error]

	groups  groups
	atomic  connections.Atomic // nil: it cannot send in a delivery's unit of work
	backout backout
}

func newLane(t *Trigger) *lane {
	return &lane{trigger: t, baton: make(chan struct{}, 1)}
}

// next returns a job whose time to wait is over, or else the next delivery that
// need not stand behind another of its group. It connects as often as it has to.
// The error is soft's.
func (l *lane) next(soft context.Context) (*job, error) {
	select {
	case l.baton <- struct{}{}: // most often it lies there, and to ask soft, too, takes longer
	default:
		select {
		case l.baton <- struct{}{}:
		case <-soft.Done():
			return nil, soft.Err()
		}
	}
	defer func() { <-l.baton }()
	for {
		if err := l.ready(soft); err != nil {
			return nil, err
		}
		j, ctx := l.waiting.look(soft)
		if j != nil {
			return j, nil
		}
		if l.session.lost.Load() != nil {
			continue
		}
		d, err := l.session.recv.Receive(ctx)
		switch {
		case err == nil:
			// Groups see deliveries in the order of the broker, so before the baton is let go.
			if j := (&job{lane: l, session: l.session, delivery: d}); l.session.groups.enter(j) {
				return j, nil
			}
		case soft.Err() != nil:
			return nil, soft.Err()
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
			// A waiting job is due, or something changed: look again.
		default:
			l.session.fail(fmt.Errorf("receive: %w", err))
		}
	}
}

// ready returns once the trigger is not paused and has a live session.
func (l *lane) ready(soft context.Context) error {
	if err := l.trigger.pause.wait(soft); err != nil {
		return err
	}
	if l.session != nil {
		if l.session.lost.Load() == nil {
			return soft.Err()
		}
		l.disconnect()
	}
	return l.connect(soft)
}

// connect dials until it succeeds or soft ends.
func (l *lane) connect(soft context.Context) error {
	if err := l.ended; err != nil {
		l.ended = nil
		if err := l.backOff(soft, err); err != nil {
			return err
		}
	}
	for {
		if err := soft.Err(); err != nil {
			return err
		}
		s, err := l.open(soft)
		if err == nil {
			l.session = s
			l.trigger.status.set(Status{State: Running})
			return nil
		}
		if soft.Err() != nil {
			return soft.Err()
		}
		if err := l.backOff(soft, err); err != nil {
			return err
		}
	}
}

// dialTimeout bounds one attempt to connect and subscribe.
const dialTimeout = 15 * time.Second

func (l *lane) open(soft context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(soft, dialTimeout)
	defer cancel()
	t := l.trigger
	conn, err := t.Dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", t.Connection, err)
	}
	recv, err := conn.Receiver(ctx, t.Source, t.Prefetch)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("receive from %s: %w", t.Destination, err)
	}
	s := &session{conn: conn, recv: recv, opened: time.Now(), lane: l, backout: backoutOf(recv)}
	s.atomic, _ = recv.(connections.Atomic)
	return s, nil
}

// backOff waits before the next attempt to connect, after err.
func (l *lane) backOff(soft context.Context, err error) error {
	t := l.trigger
	l.tries++
	if t.Reconnect.Off {
		t.Log.ErrorContext(soft, "connection down, and reconnect is off", "trigger", t.Name, "err", err)
		t.status.set(Status{State: Down, Err: err})
		<-soft.Done()
		return soft.Err()
	}
	wait := retryDelay(t.Reconnect, l.tries, err)
	s := Status{State: Connecting, Err: err, NextTry: time.Now().Add(wait)}
	if errors.Is(err, connections.ErrStandby) {
		s.State = Standby
	}
	if t.status.set(s) {
		t.Log.WarnContext(soft, "not connected", "trigger", t.Name, "err", err, "next", wait.Round(time.Millisecond).String())
	}
	return Sleep(soft, wait)
}

// Waits that do not follow the exponential back-off.
const (
	refusedWait = time.Minute     // a wrong password, tried often, locks the account
	standbyWait = 5 * time.Second // another replica holds the subscription
	portWait    = 4 * time.Second // nobody listens: asking costs little, and the broker may start any moment
)

func retryDelay(r connections.Reconnect, try int, err error) time.Duration {
	wait := r.Wait(try)
	switch {
	case errors.Is(err, connections.ErrRefused):
		return max(wait, refusedWait)
	case errors.Is(err, connections.ErrStandby):
		return max(wait, standbyWait)
	case errors.Is(err, syscall.ECONNREFUSED) && r.Max == 0:
		return min(wait, portWait)
	}
	return wait
}

// steady is how long a session must have lived for the next one to be tried
// without delay when it ends; a broker that accepts and hangs up must not make
// us spin.
const steady = time.Second

// disconnect ends a lost session. What it had in hand will be delivered again;
// how often it failed is remembered.
func (l *lane) disconnect() {
	s := l.session
	l.session = nil
	for _, j := range l.waiting.clear() {
		l.trigger.memory.keep(j, false)
	}
	l.trigger.counts.reconnects.Add(1)
	err := *s.lost.Load()
	l.trigger.Log.Warn("connection lost", "trigger", l.trigger.Name, "err", err)
	l.trigger.status.set(Status{State: Connecting, Err: err})
	s.close()
	if time.Since(s.opened) >= steady {
		l.tries = 0
	}
	if l.tries > 0 || l.trigger.Reconnect.Off || time.Since(s.opened) < steady {
		l.ended = err
	}
}

// fail marks the session as lost and lets the lane notice.
func (s *session) fail(err error) {
	if s.lost.CompareAndSwap(nil, &err) {
		s.lane.waiting.wake()
	}
}

func (s *session) close() {
	err := errors.Join(s.recv.Close(), s.conn.Close())
	if err != nil && !errors.Is(err, connections.ErrConnLost) {
		s.lane.trigger.Log.Warn("connection not closed cleanly", "trigger", s.lane.trigger.Name, "err", err)
	}
}

// putOff lets j wait until due. If its session is gone, so is the delivery.
func (l *lane) putOff(j *job, due time.Time) {
	if j.session.lost.Load() != nil {
		l.trigger.memory.keep(j, false)
		j.over.Store(true)
		return
	}
	l.waiting.add(j, due)
}

// giveBack returns the delivery to the broker, as if it had not been received.
func (l *lane) giveBack(j *job) {
	j.over.Store(true)
	if j.session.lost.Load() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastWait)
	defer cancel()
	if err := j.delivery.Settle(ctx, framework.Release); err != nil {
		j.session.fail(fmt.Errorf("give back: %w", err))
	}
}

// close gives everything back. It is called when no worker uses the lane but
// those that were abandoned.
func (l *lane) close() {
	for _, j := range l.waiting.clear() {
		l.giveBack(j)
	}
	select {
	case l.baton <- struct{}{}:
		if l.session != nil {
			for _, j := range l.session.groups.clear() {
				l.giveBack(j)
			}
			l.session.close()
			l.session = nil
		}
	default: // cannot be: a worker lets go of the baton when soft ends
	}
}
