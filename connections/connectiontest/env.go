package connectiontest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// An env is what one check works with. Its methods are for the check's own
// goroutine: they end it when something fails. Those that return an error are
// for any goroutine.
type env struct {
	id      string          // random, on the label of the check's goroutines
	ctx     context.Context // ends when the check's time is up
	subject Subject
	queue   string                // of the check's own
	asks    chan func(testing.TB) // to be done on the test's goroutine
	done    chan struct{}         // closed when the check has ended
	failure string                // why it failed; to be read after done

	mu    sync.Mutex
	conns []connections.Conn // to be closed at the end
}

func (e *env) run(check func(*env)) {
	defer close(e.done)
	defer func() {
		if v := recover(); v != nil {
			e.failure = panicked(v).Error()
		}
	}()
	defer e.closeAll()
	check(e)
}

// panicked makes an error of a driver's panic, so that it fails one promise.
func panicked(v any) error { return fmt.Errorf("panic: %v\n%s", v, debug.Stack()) }

func (e *env) closeAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.conns {
		c.Close() // what Close returns has promises of its own
	}
}

// fail ends the check.
func (e *env) fail(format string, args ...any) {
	e.failure = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// must ends the check if err is not nil.
func (e *env) must(doing string, err error) {
	if err != nil {
		e.fail("%s: %v", doing, err)
	}
}

// wantLost ends the check if err is not ErrConnLost.
func (e *env) wantLost(doing string, err error) {
	if !errors.Is(err, connections.ErrConnLost) {
		e.fail("%s: got error %v, want ErrConnLost", doing, err)
	}
}

// ask has f done on the test's goroutine.
func (e *env) ask(f func(t testing.TB)) {
	done := make(chan struct{})
	select {
	case e.asks <- func(t testing.TB) { f(t); close(done) }:
	case <-e.ctx.Done():
		e.fail("the test has ended")
	}
	select {
	case <-done:
	case <-e.ctx.Done():
		e.fail("the test has ended")
	}
}

func (e *env) newQueue() (name string) {
	e.ask(func(t testing.TB) { name = e.subject.Queue(t) })
	return name
}

func (e *env) newTopic() (address string) {
	e.ask(func(t testing.TB) { address = "topic:" + e.subject.Topic(t) })
	return address
}

func (e *env) breakAll() { e.ask(func(t testing.TB) { e.subject.Break(t) }) }

// dial returns a Conn that is closed at the end of the check.
func (e *env) dial() connections.Conn { return e.dialWith(e.subject.Connection) }

func (e *env) dialWith(settings any) connections.Conn {
	conn, err := e.tryDial(settings)
	e.must("dial", err)
	return conn
}

func (e *env) tryDial(settings any) (connections.Conn, error) {
	dial, err := e.subject.Driver.Open("test", settings)
	if err != nil {
		return nil, err
	}
	conn, err := dial(e.ctx)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.conns = append(e.conns, conn)
	return conn, nil
}

// source returns settings of a trigger for a queue, or a topic as "topic:NAME".
func (e *env) source(address string) any { return addressed(e.subject.Driver.Source(), address) }

func addressed(settings any, address string) any {
	settings.(connections.Addressed).SetAddress(address, false)
	return settings
}

// prefetch is how many unsettled messages a check has unless it is about that.
func (e *env) prefetch() int {
	if e.subject.Driver.Serial {
		return 1 // the unit of work is the connection's
	}
	return 10
}

// An inbox is a Receiver and what it was made of.
type inbox struct {
	connections.Receiver
	conn   connections.Conn
	source any
}

// receiver dials a Conn and begins to receive from address over it.
func (e *env) receiver(address string) inbox {
	return e.receiverOn(e.dial(), e.source(address), e.prefetch())
}

func (e *env) receiverOn(conn connections.Conn, source any, prefetch int) inbox {
	r, err := conn.Receiver(e.ctx, source, prefetch)
	e.must("receiver", err)
	return inbox{r, conn, source}
}

// giveBack settles d with an outcome after which it is delivered again, and
// returns an inbox that gets it: the same, if the broker can take back one message.
func (e *env) giveBack(in inbox, d connections.Delivery, o framework.Outcome) inbox {
	e.settle(d, o)
	if e.subject.Cannot.ReleaseOne || e.subject.Cannot.ReleaseReceiver {
		return e.reopen(in)
	}
	return in
}

// reopen closes in, so that the broker gets back all that is unsettled, and
// returns a new one.
func (e *env) reopen(in inbox) inbox {
	e.must("close the receiver", in.Close())
	if e.subject.Cannot.ReleaseReceiver {
		e.must("close the conn", in.conn.Close())
		in.conn = e.dial()
	}
	return e.receiverOn(in.conn, in.source, e.prefetch())
}

// sender dials a Conn and prepares to send to address over it.
func (e *env) sender(address string) connections.Sender { return e.senderOn(e.dial(), address) }

func (e *env) senderOn(conn connections.Conn, address string) connections.Sender {
	s, err := conn.Sender(e.ctx, addressed(e.subject.Driver.Target(), address))
	e.must("sender", err)
	return s
}

// send sends each message, and fails unless all are confirmed.
func (e *env) send(s connections.Sender, messages ...connections.Message) {
	e.must("send", send(e.ctx, s, messages...))
}

// send returns the first error of a batch, or that there is not one for each message.
func send(ctx context.Context, s connections.Sender, messages ...connections.Message) error {
	ctx, cancel := context.WithTimeout(ctx, arrival)
	defer cancel()
	errs := s.Send(ctx, messages)
	if len(errs) != len(messages) {
		return fmt.Errorf("%d results for %d messages", len(errs), len(messages))
	}
	return errors.Join(errs...)
}

// sendTo sends messages to address over a Conn of its own.
func (e *env) sendTo(address string, messages ...connections.Message) {
	e.send(e.sender(address), messages...)
}

// receive waits for the next message.
func (e *env) receive(r connections.Receiver) connections.Delivery {
	d, err := receive(e.ctx, r)
	e.must("receive", err)
	if d.Bad != nil {
		e.fail("receive: the driver does not understand the message: %v", d.Bad)
	}
	return d
}

func receive(ctx context.Context, r connections.Receiver) (connections.Delivery, error) {
	ctx, cancel := context.WithTimeout(ctx, arrival)
	defer cancel()
	d, err := r.Receive(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return d, fmt.Errorf("no message within %v", arrival)
	}
	if err == nil && d.Settle == nil {
		return d, errors.New("the delivery has no Settle")
	}
	return d, err
}

type result struct {
	delivery connections.Delivery
	err      error
}

// receiving returns when, most likely, a Receive waits for what it will return.
func (e *env) receiving(ctx context.Context, r connections.Receiver) <-chan result {
	received := make(chan result, 1)
	go func() {
		d, err := r.Receive(ctx)
		received <- result{d, err}
	}()
	time.Sleep(20 * time.Millisecond)
	return received
}

// settle settles, and fails unless the broker was told.
func (e *env) settle(d connections.Delivery, o framework.Outcome) {
	e.must(fmt.Sprintf("settle as %v", o), d.Settle(e.ctx, o))
}

// accept receives the next message, which must have that body, and accepts it.
func (e *env) accept(r connections.Receiver, body string) connections.Delivery {
	d := e.receive(r)
	if got := string(d.Body); got != body {
		e.fail("received %q, want %q", brief(got), brief(body))
	}
	e.settle(d, framework.Accept)
	return d
}

// nothing fails if r receives anything for a while.
func (e *env) nothing(r connections.Receiver, why string) {
	ctx, cancel := context.WithTimeout(e.ctx, e.subject.quiet())
	defer cancel()
	switch d, err := r.Receive(ctx); {
	case err == nil:
		e.fail("received %q, though %s", brief(string(d.Body)), why)
	case ctx.Err() == nil:
		e.fail("receive: %v", err)
	}
}

// within returns what f does, and fails if it takes too long.
func (e *env) within(doing string, f func() error) error {
	result := make(chan error, 1)
	go func() { result <- recovered(f) }()
	timer := time.NewTimer(arrival)
	defer timer.Stop()
	select {
	case err := <-result:
		return err
	case <-timer.C:
		e.fail("%s takes more than %v", doing, arrival)
		return nil
	}
}

// recovered returns what f does, or its panic.
func recovered(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicked(v)
		}
	}()
	return f()
}

// together runs all of fs at once and returns their errors and panics.
func together(fs ...func() error) error {
	errs := make([]error, len(fs))
	var running sync.WaitGroup
	for i, f := range fs {
		running.Go(func() { errs[i] = recovered(f) })
	}
	running.Wait()
	return errors.Join(errs...)
}

// goroutines returns the stacks of all goroutines that the check started.
func (e *env) goroutines() []string {
	var all bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&all, 1)
	return slices.DeleteFunc(strings.Split(all.String(), "\n\n"), func(stack string) bool {
		return !strings.Contains(stack, e.id)
	})
}

func text(body string) connections.Message {
	return connections.Message{Body: []byte(body), ContentType: "text/plain", Text: true}
}

func brief(s string) string {
	if len(s) > 60 {
		return fmt.Sprintf("%s… (%d bytes)", s[:60], len(s))
	}
	return s
}
