package peers

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/outbox"
	"github.com/fairlead/fairlead/test/services"
)

const relayed = 20_000

// Messages are sent to a broker and confirmed by it: by a sender that has them in
// memory, by a loop that takes them from a table, and by the relay. All three use
// the same sender, with batches of the same size; the relay has two on their way.
func BenchmarkRelay(b *testing.B) {
	session := dialSession(b, services.Artemis(b))
	db := newDatabase(b)
	raw := newRaw(b, db)
	s, _ := db.store(b, outbox.DefaultSchema)
	enter := func(name string, prepare func(), send func(*pipe)) contestant {
		return contestant{name, func() float64 {
			p := newPipe(b, session)
			prepare()
			db.settle(b)
			start := time.Now()
			send(p)
			rate := relayed / time.Since(start).Seconds()
			p.empty(relayed)
			return rate
		}}
	}
	r := contest(b, 7,
		enter("sender", nothing, func(p *pipe) { p.sendAll(relayed) }),
		enter("raw-relay", func() { raw.fill(b, relayed) }, func(p *pipe) { raw.relay(b, p) }),
		enter("fairlead", func() { stage(b, s, db, relayed) }, func(p *pipe) { relay(b, s, p) }),
	)
	atLeast(b, "relay/sender", r.of("fairlead", "sender"), 0.8)
	atLeast(b, "relay/raw-relay", r.of("fairlead", "raw-relay"), 0.8)
}

const relayBatch = 200

// A pipe sends to a queue of its own and waits for all confirmations of a batch
// together.
type pipe struct {
	b       *testing.B
	session *amqp.Session
	queue   string
	sender  *amqp.Sender
}

var queueCapability = []string{"queue"}

func dialSession(b *testing.B, broker services.Broker) *amqp.Session {
	b.Helper()
	conn, err := amqp.Dial(b.Context(), "amqp://"+broker.AMQP, &amqp.ConnOptions{SASLType: amqp.SASLTypePlain(broker.User, broker.Password)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	session, err := conn.NewSession(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	return session
}

func newPipe(b *testing.B, session *amqp.Session) *pipe {
	b.Helper()
	p := &pipe{b: b, session: session, queue: fmt.Sprintf("q.bench.%d", time.Now().UnixNano())}
	var err error
	if p.sender, err = session.NewSender(b.Context(), p.queue, &amqp.SenderOptions{TargetCapabilities: queueCapability}); err != nil {
		b.Fatal(err)
	}
	return p
}

func (p *pipe) send(bodies [][]byte) {
	receipts := make([]amqp.SendReceipt, len(bodies))
	for i, body := range bodies {
		m := amqp.NewMessage(body)
		m.Header = &amqp.MessageHeader{Durable: true, Priority: 4}
		var err error
		if receipts[i], err = p.sender.SendWithReceipt(p.b.Context(), m, nil); err != nil {
			p.b.Error(err)
			return
		}
	}
	for i := range receipts {
		if _, err := receipts[i].Wait(p.b.Context()); err != nil {
			p.b.Error(err)
			return
		}
	}
}

// empty takes what was sent, which must be n messages, out of the queue.
func (p *pipe) empty(n int) {
	p.b.Helper()
	ctx := p.b.Context()
	if err := p.sender.Close(ctx); err != nil {
		p.b.Error(err)
	}
	receiver, err := p.session.NewReceiver(ctx, p.queue, &amqp.ReceiverOptions{Credit: 1000, SourceCapabilities: queueCapability})
	if err != nil {
		p.b.Fatal(err)
	}
	defer receiver.Close(ctx)
	for range n {
		m, err := receiver.Receive(ctx, nil)
		if err == nil {
			err = receiver.AcceptMessage(ctx, m)
		}
		if err != nil {
			p.b.Fatal(err)
		}
	}
}

// sendAll sends n messages that are in memory.
func (p *pipe) sendAll(n int) {
	batch := make([][]byte, relayBatch)
	for i := range batch {
		batch[i] = payload
	}
	for range n / relayBatch {
		p.send(batch)
	}
}

// relay sends what is in the table, one batch in a transaction.
func (r *rawQueue) relay(b *testing.B, p *pipe) {
	for {
		batch := make([][]byte, 0, relayBatch)
		got, err := r.batch(b.Context(), relayBatch, func() { batch = append(batch, payload) }, func() { p.send(batch) })
		if err != nil {
			b.Fatal(err)
		}
		if got == 0 {
			return
		}
	}
}

// stage stages n messages: one as everybody does, and copies of it.
func stage(b *testing.B, s *outbox.Store, db *database, n int) {
	b.Helper()
	if err := s.StageSend(b.Context(), outbox.Send{Binding: "bench", Message: connections.Message{Body: payload}}); err != nil {
		b.Fatal(err)
	}
	db.copies(b, outbox.DefaultSchema, n-1, 0)
}

// relay sends what is staged for the binding.
func relay(b *testing.B, s *outbox.Store, p *pipe) {
	b.Helper()
	one, all := countdown(relayed)
	c, err := s.Relay(outbox.Relay{
		Binding: "bench", Batch: relayBatch, Grace: grace, Log: quiet,
		Send: func(_ context.Context, batch []outbox.StagedSend) []error {
			bodies := make([][]byte, len(batch))
			for i := range batch {
				bodies[i] = batch[i].Message.Body
			}
			p.send(bodies)
			for range batch {
				one()
			}
			return make([]error, len(batch))
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	stop := background(b, c.Run)
	<-all
	stop()
}
