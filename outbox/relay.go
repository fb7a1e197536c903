package outbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// A Send is a message for a binding.
type Send struct {
	Binding     string // or another name under which a Relay picks it up
	Destination string // empty: the binding's own
	Native      bool   // Destination is in the broker's own words
	Message     connections.Message
}

// A StagedSend is a Send on its way to the broker.
type StagedSend struct {
	Send
	ID      string    // the same each time the message is sent
	Attempt int       // from 1
	Staged  time.Time // when it was stored
}

// StageSend stores a message that a [Relay] sends afterwards. With the ctx of
// [Store.Transact] it becomes part of that transaction; else it is stored when
// StageSend returns. Messages with the same Message.Key stay in order.
//
// Message.TTL counts from now: the relay sends what is left of it, and a message
// that expires before it was sent is a dead letter. One that is replayed from
// there begins its TTL again.
//
// Message.Native is not kept: it is a driver's own.
func (s *Store) StageSend(ctx context.Context, send Send) error {
	id := rand.Text()
	if sc := s.scope(ctx); sc != nil {
		id = sc.sendID()
	}
	p, err := newStagedSend(send, id)
	if err == nil {
		err = s.put(ctx, p)
	}
	if err != nil {
		return fmt.Errorf("stage for %s: %w", send.Binding, err)
	}
	return nil
}

func newStagedSend(send Send, id string) (*publication, error) {
	t := target{kindBinding, send.Binding}
	if err := checkName("name of the binding", t.topic); err != nil {
		return nil, err
	}
	m := storeMessage(&send.Message)
	m.Destination, m.Native = send.Destination, send.Native
	header, err := (&attributes{Message: m}).encode()
	if err != nil {
		return nil, framework.Terminal(err)
	}
	p := &publication{target: t, id: id, rank: rank(nil), header: header, data: send.Message.Body, created: time.Now()}
	if p.data == nil {
		p.data = []byte{}
	}
	if n := len(p.data) + len(p.header); n > MaxPayload {
		return nil, framework.Terminal(fmt.Errorf("body and headers have %d bytes, at most %d are allowed", n, MaxPayload))
	}
	if ttl := send.Message.TTL; ttl > 0 {
		ms := max(1, ttl.Milliseconds())
		p.ttl = &ms
	}
	if key := send.Message.Key; key != "" {
		p.key = keyText(key, MaxName)
	}
	return p, nil
}

// A Relay sends what was staged for one binding.
type Relay struct {
	Binding string
	Batch   int // messages handed over at once; default 200

	// Send hands a batch to the broker, in order and pipelined where it can, and
	// returns an error for each: nil once the broker has taken charge. It is called
	// for two batches at once, so that one is on its way while the broker confirms
	// the other. No two of their messages have the same key, so that one that fails
	// is not overtaken. An error that wraps framework.ErrUnavailable or
	// connections.ErrConnLost is no failed attempt: the relay pauses, and sends
	// the message again with the same ID.
	Send func(ctx context.Context, batch []StagedSend) []error

	Retry framework.RetryPolicy
	Grace time.Duration // how long stopping waits for a batch
	Log   *slog.Logger  // default: the store's
}

// defaultBatch is how many messages a batch has, and batchesAtOnce how many
// batches a relay sends at once.
const (
	defaultBatch  = 200
	batchesAtOnce = 2
)

// Relay returns the consumer that sends what was staged for a binding.
func (s *Store) Relay(r Relay) (*Consumer, error) {
	if err := checkName("name of the binding", r.Binding); err != nil {
		return nil, err
	}
	c := s.newConsumer(kindBinding, r.Binding, r.Binding, batchesAtOnce, r.Log)
	c.trigger, c.destination = r.Binding, r.Binding
	c.retry, c.grace = r.Retry, r.Grace
	if c.batch = r.Batch; c.batch <= 0 {
		c.batch = defaultBatch
	}
	c.prepare = func(row *row) { row.send, row.bad = row.stagedSend(r.Binding) }
	c.work = func(ctx context.Context, rows []*row) []error { return r.send(ctx, rows) }
	return c, nil
}

// send hands over the rows that can be read, and returns an error for each.
func (r *Relay) send(ctx context.Context, rows []*row) []error {
	errs := make([]error, len(rows))
	sends := make([]StagedSend, 0, len(rows))
	index := make([]int, 0, len(rows))
	for i, row := range rows {
		if row.bad != nil {
			errs[i] = framework.Terminal(fmt.Errorf("stored message: %w", row.bad))
			continue
		}
		send := *row.send
		if row.expires { // what is left, however long it was staged
			if send.Message.TTL = row.left(); send.Message.TTL <= 0 {
				errs[i] = errExpired
				continue
			}
		}
		sends, index = append(sends, send), append(index, i)
	}
	if len(sends) == 0 {
		return errs
	}
	answers := r.Send(ctx, sends)
	for len(answers) < len(sends) {
		answers = append(answers, errNoAnswer)
	}
	for i, err := range answers[:len(sends)] {
		if errors.Is(err, connections.ErrConnLost) {
			err = fmt.Errorf("binding %s %w: %w", r.Binding, framework.ErrUnavailable, err)
		}
		errs[index[i]] = err
	}
	return errs
}

var errNoAnswer = errors.New("the sender said nothing about this message")

func (r *row) stagedSend(binding string) (*StagedSend, error) {
	a, err := decodeAttributes(r.header)
	if err != nil {
		return nil, err
	}
	if a.Message == nil {
		return nil, errors.New("it is not a message")
	}
	m, err := a.Message.load(r.data)
	if err != nil {
		return nil, err
	}
	send := Send{Binding: binding, Destination: a.Message.Destination, Native: a.Message.Native, Message: m}
	return &StagedSend{Send: send, ID: r.id, Attempt: r.attempts + 1, Staged: r.created}, nil
}
