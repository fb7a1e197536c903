package outbox

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"time"

	"github.com/fairlead/fairlead/framework"
)

// parkLetterSQL parks a message of a broker. One that is parked already keeps its
// attempts: it was delivered again because settling it failed.
//
// It reports whether the trigger's subscription is there.
const parkLetterSQL = `with p as (
	insert into {schema}.parked (queue, rank, source, event_id, body_hash, header, data, run_at, attempts, error, stack, first_at, last_at)
	values ($13::bigint, 5, $2, $3, $4, $5::text::jsonb, $6, clock_timestamp() + $7::bigint * interval '1 ms', $8, $9, $10, $11, $12)
	on conflict (queue, source, event_id, body_hash) where source is not null do nothing
) select exists (select from {schema}.subscription where kind = 'trigger' and topic = $1)`

// Park stores a message of a broker whose next attempt is to be after delay. Once
// Park has returned nil, the message is the store's: settle it. A message is
// parked once, by trigger, source, id and content, however often Park is called.
func (s *Store) Park(ctx context.Context, l Letter, delay time.Duration) error {
	if err := l.check(); err != nil {
		return fmt.Errorf("park: %w", err)
	}
	header, err := l.header()
	if err != nil {
		return fmt.Errorf("park: %w", framework.Terminal(err))
	}
	trigger, source, id, hash := received(&l)
	args := []any{trigger, source, id, hash, header, body(&l), delay.Milliseconds(), l.Attempts,
		textOrNull(l.Cause, maxCause), textOrNull(l.Stack, maxStack), timeOrNull(l.First), timeOrNull(l.Last)}
	return storeError("park", s.keep(ctx, trigger, parkLetterSQL, append(args, firstQueue(kindTrigger, trigger))))
}

// keep runs a statement that keeps a letter and reports whether the trigger's
// subscription is there; if not, it is made.
func (s *Store) keep(ctx context.Context, trigger, sql string, args []any) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	pool, err := s.work(ctx)
	if err != nil {
		return err
	}
	var there bool
	if err := pool.QueryRow(ctx, s.sql(sql), args...).Scan(&there); err != nil || there {
		return err
	}
	return s.serve(ctx, pool, kindTrigger, trigger)
}

// received is the key of a letter. What cannot be told from others gets an id of
// its own, so that two of them are not taken for one.
func received(l *Letter) (trigger, source, id string, hash []byte) {
	r := l.Received()
	if r.ID == "" {
		r.ID = orDefault(l.Message.Identity, rand.Text())
	}
	return r.key()
}

func body(l *Letter) []byte {
	if l.Message.Body == nil {
		return []byte{}
	}
	return l.Message.Body
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Retries brings the parked messages of one trigger back to it.
type Retries struct {
	Trigger  string
	Function string

	Concurrency int // calls at once; default 1
	Retry       framework.RetryPolicy

	// Handle calls the function with a parked message. Its error is understood as
	// that of [Subscription].Handle.
	Handle func(ctx context.Context, l *Letter) error

	// Bury, if set, takes what cannot be processed instead of the store's own dead
	// letters. An error pauses the trigger's retries.
	Bury func(ctx context.Context, l *Letter) error

	Stack func(error) string // as of Subscription
	Grace time.Duration
	Log   *slog.Logger
}

// Retries returns the consumer that brings back what was parked for a trigger.
// Attempts count on from those of the parked message, on whatever replica.
func (s *Store) Retries(r Retries) (*Consumer, error) {
	if err := checkName("name of the trigger", r.Trigger); err != nil {
		return nil, err
	}
	c := s.newConsumer(kindTrigger, r.Trigger, r.Trigger, r.Concurrency, r.Log)
	c.trigger, c.function = r.Trigger, r.Function
	c.retry, c.grace, c.stack, c.elsewhere = r.Retry, r.Grace, r.Stack, r.Bury != nil
	c.work = each(func(ctx context.Context, row *row) error {
		l, err := row.letter(r.Trigger, r.Function)
		if err != nil {
			return framework.Terminal(fmt.Errorf("stored message: %w", err))
		}
		err = row.unlessExpired(func() error {
			return s.guard(ctx, row, l.Received(), func() error { return r.Handle(ctx, l) })
		})
		if r.Bury == nil || !c.fatal(ctx, row, err) {
			return err
		}
		if l.Attempts = row.attempts + 1; err == errExpired {
			l.Attempts--
		}
		return r.bury(ctx, l, err)
	})
	return c, nil
}

// bury hands over what failed with err for good, and returns a buriedError.
func (r *Retries) bury(ctx context.Context, l *Letter, err error) error {
	l.Cause, l.Last = err.Error(), time.Now()
	if r.Stack != nil {
		l.Stack = r.Stack(err)
	}
	if l.First.IsZero() {
		l.First = l.Last
	}
	if failed := r.Bury(ctx, l); failed != nil {
		return fmt.Errorf("dead letter %w: %w", framework.ErrUnavailable, failed)
	}
	return &buriedError{err}
}

// letter returns a parked row as what it was parked as.
func (r *row) letter(trigger, function string) (*Letter, error) {
	l := &Letter{
		Trigger: trigger, Function: function, Key: r.key, Attempts: r.attempts, Replayed: r.replayed,
		First: r.first, Last: r.last,
	}
	return l, l.open(r.id, r.header, r.data)
}
