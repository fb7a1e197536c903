// Package broker is a small STOMP broker for development. It keeps everything
// in memory: what nobody has received is gone when the process ends. It has no
// security; Start listens on loopback only.
//
// It speaks STOMP 1.0, 1.1 and 1.2, with heart-beats, receipts and transactions
// (SEND, ACK and NACK take effect together). Names are /queue/NAME (or only
// NAME), /topic/NAME and /temp-queue/NAME. Where brokers differ, it does this:
//
//   - A queue hands messages to its consumers in turn, up to prefetch-count (or
//     activemq.prefetchSize; default 100) unacknowledged ones each.
//   - NACK puts a message back, delivered again [Broker.NackDelay] later. It
//     never drops a message and has no dead letter queue.
//   - UNSUBSCRIBE, DISCONNECT and a lost connection put messages back in their
//     old places. A message delivered again has the same message-id and
//     redelivered:true; delivery-count says how often it failed before (NACK or
//     a connection lost), JMSXDeliveryCount is one more. Neither is there for a
//     message that was only given back.
//   - A topic's subscription with a name (durable-subscription-name or
//     activemq.subscriptionName with a client-id on CONNECT, or durable:true,
//     whose name is its id) outlives its connection until an UNSUBSCRIBE says
//     that name again. One consumer at a time holds it.
//   - A reply-to of /temp-queue/NAME is rewritten, so that any connection can
//     answer to it. The queue goes with the connection it belongs to; answers
//     that come later are dropped, as on a topic that nobody listens to.
//   - expires, priority (0 to 9) and AMQ_SCHEDULED_DELAY are kept to; what has
//     expired is dropped. selector is the JMS one without arithmetic. A selector,
//     a schedule or a wildcard that the broker cannot follow is answered with an
//     ERROR and never ignored.
//   - A body without content-length is delivered without one. The sender's
//     headers are kept but for receipt, transaction, a delay that is over, and
//     those with which the broker describes a delivery (message-id is its own,
//     and no two processes' are the same). timestamp is added if it is missing.
//   - All messages together have [Broker.MaxMemory]. A SEND for which there is
//     no room is answered with an ERROR. A topic's subscriber that leaves a
//     quarter of it waiting loses its connection (a named one keeps them).
//   - An ERROR ends the connection.
//
// Frames are go-stomp's frame.Frame. They are read and written here, since its
// Reader allocates what a content-length claims, has no limit on headers, and,
// like its Writer, escapes in CONNECTED and in STOMP 1.0, too.
//
// One mutex, the Broker's, guards all state; nobody holds it while reading or
// writing. Each connection has two goroutines: one reads a frame, takes the
// mutex, changes the state and adds to the connections' outgoing lists; the
// other takes its list and writes it. A delivery takes room of its
// subscription's prefetch until it is acknowledged (or, with ack:auto,
// written), so the lists are bounded and a slow consumer holds up nobody.
package broker

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// A Broker is a STOMP broker that keeps everything in memory. The zero value is
// ready to Serve. Its fields are not changed afterwards.
type Broker struct {
	Login, Passcode string        // what CONNECT must say; no Login: anything
	NackDelay       time.Duration // until a message is delivered again after NACK; default 1 s
	MaxMemory       int           // bytes of all messages together; default 256 MiB
	MaxBody         int           // bytes of one body; default 64 MiB; on top of MaxMemory while it is being read

	mu     sync.Mutex          // guards what is below, and what says so elsewhere
	queues map[string]*queue   // by destination: queues and temporary queues
	topics map[string][]*queue // by destination: what feeds each subscriber
	named  map[string]*queue   // by client-id and name: the named among those
	used   int                 // bytes of all messages
	last   uint64              // number of the newest message, item or session
	run    string              // makes message-ids differ from those of another process
}

// errStopping is what ends sessions when Serve does.
var errStopping = refuse("the development broker is stopping")

// Serve accepts connections from ln until ctx ends; then it closes ln and every
// connection, waits for their goroutines, and returns nil. It fails only when
// ln is closed by another. What is in the queues stays for the next Serve.
func (b *Broker) Serve(ctx context.Context, ln net.Listener) error {
	b.prepare()
	var sessions sync.WaitGroup
	defer sessions.Wait()
	serving, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(errStopping)
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	for {
		conn, err := ln.Accept()
		switch {
		case err == nil:
			sessions.Go(func() { b.serve(serving, conn) })
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept on %s: %w", ln.Addr(), err)
		default: // such as too many open files, which passes
			pause(ctx, 100*time.Millisecond)
		}
	}
}

// Depth returns how many messages of a queue wait for a consumer, the delayed
// ones included, and how many were delivered and not yet acknowledged.
func (b *Broker) Depth(queue string) (waiting, unacknowledged int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	d, err := parseDestination(queue, "")
	if q := b.queues[d]; err == nil && q != nil {
		return q.waiting(), q.total - q.waiting()
	}
	return 0, 0
}

func (b *Broker) prepare() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.queues != nil {
		return
	}
	b.NackDelay = cmp.Or(b.NackDelay, time.Second)
	b.MaxMemory = cmp.Or(b.MaxMemory, 256<<20)
	b.MaxBody = min(cmp.Or(b.MaxBody, 64<<20), b.MaxMemory)
	b.queues = map[string]*queue{}
	b.topics = map[string][]*queue{}
	b.named = map[string]*queue{}
	b.run = rand.Text()[:10]
}

func (b *Broker) nextID(kind string) string {
	b.last++
	return fmt.Sprintf("fairlead-%s-%s%d", b.run, kind, b.last)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
