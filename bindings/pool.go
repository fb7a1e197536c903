package bindings

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// Limits of a Pool.
const (
	maxSenders = 16          // senders of one target, and so its sends at once; more wait
	idleTime   = time.Minute // an unused sender is closed after that
)

// A Pool is the sending side of one connection. It dials when something is first
// sent, and again when the connection was lost, with back-off. Its methods may
// be called from any goroutine.
type Pool struct {
	name      string
	dial      connections.Dial
	reconnect connections.Reconnect

	dialing chan struct{}  // held while dialing
	sends   sync.WaitGroup // that run; none is added once closed is set

	mu      sync.Mutex
	link    *link
	closed  bool
	tries   int
	failure error // why tries is not 0
	next    time.Time
	sweeper *time.Timer
}

// A link is one connection's time and the senders opened on it.
type link struct {
	conn    connections.Conn
	targets map[string]*senders
}

// senders are the senders of one target.
type senders struct {
	key   string
	slots chan struct{} // one for each send that may run
	idle  []idle        // the one used last at the end
}

type idle struct {
	sender connections.Sender
	since  time.Time
}

// NewPool returns a Pool for the connection of that name. It does no I/O.
func NewPool(name string, dial connections.Dial, reconnect connections.Reconnect) *Pool {
	return &Pool{name: name, dial: dial, reconnect: reconnect, dialing: make(chan struct{}, 1)}
}

// Send sends one message. nil means that the broker has it. A refusal is a
// [*framework.SendError]; any other error wraps [framework.ErrUnavailable],
// and the broker may have the message.
func (p *Pool) Send(ctx context.Context, to Target, m connections.Message) error {
	return p.SendBatch(ctx, to, []connections.Message{m})[0]
}

// SendBatch sends messages in order, pipelined where the broker can. The result
// has one entry for each, as Send would return it.
func (p *Pool) SendBatch(ctx context.Context, to Target, batch []connections.Message) []error {
	if err := p.enter(); err != nil {
		return slices.Repeat([]error{unavailable(err)}, len(batch))
	}
	defer p.sends.Done()
	l, err := p.connect(ctx)
	if err != nil {
		return slices.Repeat([]error{unavailable(err)}, len(batch))
	}
	t := p.target(l, to.key)
	s, err := p.take(ctx, l, t, to.settings)
	if err != nil {
		p.failed(l, err)
		return slices.Repeat([]error{unavailable(err)}, len(batch))
	}
	errs := s.Send(ctx, batch)
	broken := false
	for i, err := range errs {
		if _, refused := errors.AsType[*framework.SendError](err); err == nil || refused || framework.IsTerminal(err) {
			continue
		}
		broken = true
		p.failed(l, err)
		errs[i] = unavailable(err)
	}
	p.put(l, t, s, broken)
	return errs
}

// enter counts a send in, unless the Pool is closed.
func (p *Pool) enter() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	p.sends.Add(1)
	return nil
}

func unavailable(err error) error {
	if _, refused := errors.AsType[*framework.SendError](err); refused || errors.Is(err, framework.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", framework.ErrUnavailable, err)
}

// ErrClosed is wrapped by the error of a Pool that was closed, and has not tried
// to send.
var ErrClosed = errors.New("connection closed")

// errOff is what a Pool answers that lost its connection and must not connect again.
var errOff = errors.New("connection lost, and reconnect is off")

// live returns the link if it may be used.
func (p *Pool) live() (*link, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if l := p.link; l != nil && gone(l.conn) {
		p.discard(l)
	}
	if p.link == nil && p.reconnect.Off && p.failure != nil {
		return nil, p.failure
	}
	return p.link, nil
}

func gone(c connections.Conn) bool {
	w, ok := c.(connections.Watched)
	if !ok {
		return false
	}
	select {
	case <-w.Done():
		return true
	default:
		return false
	}
}

// connect returns the live link, dialing if there is none. Of many callers one
// dials; the others wait for it.
func (p *Pool) connect(ctx context.Context) (*link, error) {
	if l, err := p.live(); l != nil || err != nil {
		return l, err
	}
	select {
	case p.dialing <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("connect to %s: %w", p.name, ctx.Err())
	}
	defer func() { <-p.dialing }()
	if l, err := p.live(); l != nil || err != nil {
		return l, err
	}
	if err := p.backOff(ctx); err != nil {
		return nil, err
	}
	conn, err := p.dial(ctx)
	return p.dialed(conn, err)
}

// dialed records how dialing went.
func (p *Pool) dialed(conn connections.Conn, err error) (*link, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.tries++
		p.failure = fmt.Errorf("connect to %s: %w", p.name, err)
		p.next = time.Now().Add(p.reconnect.Wait(p.tries))
		return nil, p.failure
	}
	if p.closed {
		conn.Close()
		return nil, ErrClosed
	}
	p.tries, p.failure = 0, nil
	p.link = &link{conn: conn, targets: make(map[string]*senders)}
	return p.link, nil
}

// backOff waits until the next attempt to connect is allowed. If ctx ends
// before that, it returns the last failure at once.
func (p *Pool) backOff(ctx context.Context) error {
	p.mu.Lock()
	wait, failure := time.Until(p.next), p.failure
	p.mu.Unlock()
	if wait <= 0 || failure == nil {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
		return failure
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return errors.Join(failure, ctx.Err())
	}
}

// take returns a sender to use alone; put gives it back.
func (p *Pool) take(ctx context.Context, l *link, t *senders, settings any) (connections.Sender, error) {
	select {
	case t.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p.mu.Lock()
	if n := len(t.idle); n > 0 {
		s := t.idle[n-1].sender
		t.idle = t.idle[:n-1]
		p.mu.Unlock()
		return s, nil
	}
	p.mu.Unlock()
	s, err := l.conn.Sender(ctx, settings)
	if err != nil {
		<-t.slots
	}
	return s, err
}

func (p *Pool) target(l *link, key string) *senders {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := l.targets[key]
	if t == nil {
		t = &senders{key: key, slots: make(chan struct{}, maxSenders)}
		l.targets[key] = t
	}
	return t
}

func (p *Pool) put(l *link, t *senders, s connections.Sender, broken bool) {
	p.mu.Lock()
	keep := !broken && p.link == l && l.targets[t.key] == t
	if keep {
		t.idle = append(t.idle, idle{s, time.Now()})
		if p.sweeper == nil {
			p.sweeper = time.AfterFunc(idleTime, p.sweep)
		}
	}
	p.mu.Unlock()
	<-t.slots
	if !keep {
		s.Close() // whatever went wrong was reported by Send
	}
}

// failed drops the link if err says that it is lost.
func (p *Pool) failed(l *link, err error) {
	if !errors.Is(err, connections.ErrConnLost) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.discard(l)
}

// discard forgets l. The connection is closed aside, since that may take a while.
func (p *Pool) discard(l *link) {
	if p.link == l {
		p.link = nil
		if p.reconnect.Off {
			p.failure = errOff
		}
		go l.conn.Close()
	}
}

// sweep closes the senders that nobody used for a while.
func (p *Pool) sweep() {
	p.mu.Lock()
	var old []connections.Sender
	left := 0
	if p.link != nil {
		for key, t := range p.link.targets {
			old = append(old, t.expire()...)
			if len(t.idle) == 0 && len(t.slots) == 0 {
				delete(p.link.targets, key)
			}
			left += len(t.idle)
		}
	}
	p.sweeper = nil
	if left > 0 && !p.closed {
		p.sweeper = time.AfterFunc(idleTime, p.sweep)
	}
	p.mu.Unlock()
	for _, s := range old {
		s.Close()
	}
}

// expire removes and returns the senders that are idle for too long.
func (t *senders) expire() []connections.Sender {
	var old []connections.Sender
	for len(t.idle) > 0 && time.Since(t.idle[0].since) >= idleTime {
		old = append(old, t.idle[0].sender)
		t.idle = t.idle[1:]
	}
	return old
}

// Drain refuses new sends, waits until those that run are done, or ctx, and
// closes the connection.
func (p *Pool) Drain(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	done := make(chan struct{})
	go func() {
		p.sends.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done(): // closing ends what is left
	}
	err := p.Close()
	<-done
	return err
}

// Close closes the connection. What is being sent fails.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.sweeper != nil {
		p.sweeper.Stop()
	}
	if p.link == nil {
		return nil
	}
	conn := p.link.conn
	p.link = nil
	return conn.Close()
}

// A Status says how a Pool's connection is doing.
type Status struct {
	Connected bool
	Err       error     // why the last attempt to connect failed; nil if it did not
	NextTry   time.Time // not before then
}

// Status returns how the connection is doing now.
func (p *Pool) Status() Status {
	l, _ := p.live()
	p.mu.Lock()
	defer p.mu.Unlock()
	return Status{Connected: l != nil, Err: p.failure, NextTry: p.next}
}
