package stomp

import (
	"context"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
)

// closeWait is how long closing waits for the broker to say that it has
// processed everything.
const closeWait = 2 * time.Second

// A link is one TCP connection to a broker. One goroutine reads it and one
// writes it; what is to be written is collected meanwhile, so that many
// acknowledgements go out together.
type link struct {
	conn net.Conn
	in   *frameReader // owned by the reading goroutine

	// Set by the handshake.
	version version
	broker  kind
	beat    time.Duration // how often we must be heard; 0: never
	silence time.Duration // after which the broker counts as lost; 0: never

	lost     func(error)              // told when the link is lost
	private  atomic.Bool              // an ERROR is the owner's business: lost is not told
	receiver atomic.Pointer[receiver] // takes MESSAGE frames; nil before SUBSCRIBE

	mu       sync.Mutex
	out      []byte                  // frames to be written
	waiting  map[string]chan<- error // for a receipt, by its id
	receipt  uint64                  // the last id
	farewell []*frame.Frame          // what to say before DISCONNECT
	err      error                   // why nothing more is written

	wake   chan struct{} // there is something in out
	ending chan struct{} // closed once err is set
	done   chan struct{} // closed once the TCP connection is
	loops  sync.WaitGroup
	hungUp sync.Once
	ended  sync.Once
}

func newLink(conn net.Conn, lost func(error)) *link {
	l := &link{
		conn:    conn,
		lost:    lost,
		waiting: make(map[string]chan<- error),
		wake:    make(chan struct{}, 1),
		ending:  make(chan struct{}),
		done:    make(chan struct{}),
	}
	l.in = newFrameReader(listener{l})
	return l
}

// start is called once the handshake is done.
func (l *link) start() {
	l.loops.Go(l.readLoop)
	l.loops.Go(l.writeLoop)
}

// A listener reads what the broker sends and does not put up with silence.
type listener struct{ *link }

func (l listener) Read(p []byte) (int, error) {
	if l.silence > 0 {
		l.conn.SetReadDeadline(time.Now().Add(l.silence)) // fails only if Read does
	}
	n, err := l.conn.Read(p)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() && l.silence > 0 {
		err = errSilent{l.silence}
	}
	return n, err
}

// errSilent is why a connection is lost that may look alive to TCP.
type errSilent struct{ limit time.Duration }

func (e errSilent) Error() string { return "the broker was silent for " + e.limit.String() }

func (l *link) readLoop() {
	for {
		f, err := l.in.next()
		if err != nil {
			l.fail(err)
			return
		}
		switch f.Command {
		case frame.MESSAGE:
			if r := l.receiver.Load(); r != nil {
				r.keep(f)
			}
		case frame.RECEIPT:
			l.answer(f.Header.Get(frame.ReceiptId), nil)
		case frame.ERROR:
			said := newBrokerError(f.Frame)
			l.answer(said.receipt, said)
			l.fail(said)
			return
		}
	}
}

// answer tells who waits for the receipt, if somebody still does.
func (l *link) answer(receipt string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if result, ok := l.waiting[receipt]; ok {
		delete(l.waiting, receipt)
		result <- err
	}
	if len(l.waiting) > 0 && l.broker == classic && l.in.in.Buffered() < 2 {
		l.nudge()
	}
}

// nudge makes the kernel acknowledge what was read, by sending something.
// ActiveMQ Classic writes receipts one by one without TCP_NODELAY, so each would
// wait for the acknowledgement of the one before it, which is delayed by 40 ms.
// l.mu is held.
func (l *link) nudge() {
	l.out = append(l.out, '\n')
	l.awake()
}

func (l *link) awake() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// writeLoop writes what is collected, and a heart-beat when that is nothing.
func (l *link) writeLoop() {
	var beat <-chan time.Time
	if l.beat > 0 {
		ticker := time.NewTicker(l.beat / 3) // silence lasts two ticks at most
		defer ticker.Stop()
		beat = ticker.C
	}
	var buf []byte
	for heard := false; ; {
		select {
		case <-l.wake:
			heard = true
		case <-beat:
			if heard {
				heard = false
				continue
			}
			l.mu.Lock()
			l.out = append(l.out, '\n')
			l.mu.Unlock()
		case <-l.done:
			return
		}
		buf = l.collected(buf)
		if _, err := l.conn.Write(buf); err != nil {
			l.failWriting(err)
			return
		}
	}
}

// failWriting lets the reading goroutine say why the link is lost: an ERROR may
// lie there.
func (l *link) failWriting(err error) {
	timer := time.NewTimer(closeWait)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-timer.C:
		l.fail(err)
	}
}

// keptBuffer is the largest buffer that is used again.
const keptBuffer = 64 << 10

// collected returns what is to be written, and leaves buf to collect in.
func (l *link) collected(buf []byte) []byte {
	if cap(buf) > keptBuffer {
		buf = nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.out
	l.out = buf[:0]
	return out
}

// write hands frames to the broker, all or none. It does not wait.
func (l *link) write(frames ...*frame.Frame) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.add(frames...)
}

// add is write, with l.mu held.
func (l *link) add(frames ...*frame.Frame) error {
	if l.err != nil {
		return l.err
	}
	out := l.out
	for _, f := range frames {
		var err error
		if out, err = appendFrame(out, f, l.version); err != nil {
			return err
		}
	}
	l.out = out
	l.awake()
	return nil
}

// A receipt is the broker's answer to one frame, to come.
type receipt struct {
	link   *link
	id     string
	result <-chan error
}

// post writes frames and asks for a receipt of the last.
func (l *link) post(frames ...*frame.Frame) (receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.addWithReceipt(frames...)
}

func (l *link) addWithReceipt(frames ...*frame.Frame) (receipt, error) {
	l.receipt++
	id := strconv.FormatUint(l.receipt, 10)
	frames[len(frames)-1].Header.Set(frame.Receipt, id)
	if err := l.add(frames...); err != nil {
		return receipt{}, err
	}
	result := make(chan error, 1)
	l.waiting[id] = result
	return receipt{l, id, result}, nil
}

// wait returns nil when the receipt came, a *brokerError when the broker refused
// that very frame, why the link was lost, or ctx's error.
func (r receipt) wait(ctx context.Context) error {
	select {
	case err := <-r.result:
		return err
	case <-r.link.done:
	case <-ctx.Done():
		r.link.mu.Lock()
		defer r.link.mu.Unlock()
		delete(r.link.waiting, r.id)
		return ctx.Err()
	}
	select {
	case err := <-r.result: // it came before the link was lost
		return err
	default:
		return r.link.err
	}
}

// request writes frames and waits for the receipt of the last.
func (l *link) request(ctx context.Context, frames ...*frame.Frame) error {
	r, err := l.post(frames...)
	if err != nil {
		return err
	}
	return r.wait(ctx)
}

// pingTransaction is the one that ping begins. It is always the same: Artemis
// keeps a session for each name, as long as the connection lives.
const pingTransaction = "ping"

// ping makes a round trip: all brokers answer to the end of a transaction, and
// nothing comes of an empty one.
func (l *link) ping(ctx context.Context) error {
	return l.request(ctx,
		frame.New(frame.BEGIN, frame.Transaction, pingTransaction),
		frame.New(frame.ABORT, frame.Transaction, pingTransaction))
}

// fail says that the connection is lost.
func (l *link) fail(err error) {
	_, said := err.(*brokerError)
	if l.stop(lost(err)) && !(said && l.private.Load()) {
		l.lost(l.err)
	}
	l.hangUp()
}

// stop lets nothing more be written. It reports whether it was the first to.
func (l *link) stop(err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stopped(err)
}

func (l *link) stopped(err error) bool {
	if l.err != nil {
		return false
	}
	l.err = err
	close(l.ending)
	return true
}

// reason returns why the link can no longer be used, or nil.
func (l *link) reason() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// onEnd says what to tell the broker before DISCONNECT.
func (l *link) onEnd(frames ...*frame.Frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.farewell = frames
}

func (l *link) hangUp() {
	l.hungUp.Do(func() {
		l.conn.Close()
		close(l.done)
	})
}

// end closes the link once the broker has processed everything.
func (l *link) end() {
	l.ended.Do(func() {
		l.mu.Lock()
		r, err := l.addWithReceipt(append(l.farewell, frame.New(frame.DISCONNECT))...)
		l.stopped(lost(errClosed))
		l.mu.Unlock()
		if err == nil {
			ctx, cancel := context.WithTimeout(context.Background(), closeWait)
			defer cancel()
			// Whatever goes wrong is mended by what comes next: the broker takes
			// back what is unsettled when the connection is closed.
			_ = r.wait(ctx)
		}
		l.hangUp()
		l.loops.Wait()
	})
}
