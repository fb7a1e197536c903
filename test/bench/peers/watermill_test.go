package peers

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	wsql "github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
)

const watermillTopic = "bench"

// watermillQueue is Watermill's Postgres queue in a database.
type watermillQueue struct {
	db     *database
	schema wsql.PostgreSQLQueueSchema
}

func newWatermill(b *testing.B, db *database) *watermillQueue {
	b.Helper()
	w := &watermillQueue{db: db, schema: wsql.PostgreSQLQueueSchema{GeneratePayloadType: func(string) string { return "BYTEA" }}}
	if err := w.subscriber(b).SubscribeInitialize(watermillTopic); err != nil {
		b.Fatal(err)
	}
	return w
}

func (w *watermillQueue) subscriber(b *testing.B) *wsql.Subscriber {
	b.Helper()
	s, err := wsql.NewSubscriber(wsql.BeginnerFromPgx(w.db.Pool), wsql.SubscriberConfig{
		SchemaAdapter: w.schema, OffsetsAdapter: wsql.PostgreSQLQueueOffsetsAdapter{DeleteOnAck: true},
		PollInterval: 10 * time.Millisecond, // its default is a second
	}, watermill.NopLogger{})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func (w *watermillQueue) publish(ctx context.Context, tx pgx.Tx, messages ...*message.Message) error {
	p, err := wsql.NewPublisher(wsql.TxFromPgx(tx), wsql.PublisherConfig{SchemaAdapter: w.schema}, watermill.NopLogger{})
	if err != nil {
		return err
	}
	return p.Publish(watermillTopic, messages...)
}

func (w *watermillQueue) insert(ctx context.Context) error {
	return pgx.BeginFunc(ctx, w.db.Pool, func(tx pgx.Tx) error { return w.publish(ctx, tx, newMessage()) })
}

func newMessage() *message.Message {
	m := message.NewMessage(rand.Text(), payload)
	m.Metadata.Set("source", "/bench")
	return m
}

func (w *watermillQueue) fill(b *testing.B, n int) {
	b.Helper()
	w.db.exec(b, "truncate watermill_"+watermillTopic)
	for n > 0 {
		batch := make([]*message.Message, min(n, 5000))
		for i := range batch {
			batch[i] = newMessage()
		}
		if err := pgx.BeginFunc(b.Context(), w.db.Pool, func(tx pgx.Tx) error { return w.publish(b.Context(), tx, batch...) }); err != nil {
			b.Fatal(err)
		}
		n -= len(batch)
	}
}

// work runs a subscriber until stop is called, which returns once all that was
// handled is written.
func (w *watermillQueue) work(b *testing.B, handle func()) (stop func()) {
	b.Helper()
	sub := w.subscriber(b)
	messages, err := sub.Subscribe(b.Context(), watermillTopic)
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for m := range messages {
			handle()
			m.Ack()
		}
	}()
	return func() {
		if err := sub.Close(); err != nil {
			b.Error(err)
		}
		<-done
	}
}

// drain returns how long it takes until n messages are done.
func (w *watermillQueue) drain(b *testing.B, n int) time.Duration {
	b.Helper()
	start := time.Now()
	handle, all := countdown(n)
	stop := w.work(b, handle)
	<-all
	stop()
	return time.Since(start)
}
