package outbox

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/fairlead/fairlead/framework"
)

// Publish stores data for a function, or for every subscriber of "topic:NAME",
// in the caller's own transaction and the default schema: it is delivered if tx
// commits, and was never there if tx rolls back. See [Publisher] for another
// schema, and [framework.Publish] for what functions use.
//
// What breaks a limit (see [MaxName]), cannot be encoded, or has expired already
// is a [framework.Terminal] error, and nothing was sent to Postgres: tx is still
// good.
func Publish(ctx context.Context, tx pgx.Tx, target string, data any, opts ...framework.PublishOption) error {
	return Publisher{}.Publish(ctx, tx, target, data, opts...)
}

// PublishSQL is [Publish] for a transaction of database/sql.
func PublishSQL(ctx context.Context, tx *sql.Tx, target string, data any, opts ...framework.PublishOption) error {
	return Publisher{}.PublishSQL(ctx, tx, target, data, opts...)
}

// A Publisher publishes in transactions of the caller.
type Publisher struct {
	Schema string // of the store's tables; empty: DefaultSchema
}

// Publish is what the function [Publish] is.
func (p Publisher) Publish(ctx context.Context, tx pgx.Tx, target string, data any, opts ...framework.PublishOption) error {
	return p.publish(ctx, pgxQuerier{tx}, target, data, opts)
}

// PublishSQL is what the function [PublishSQL] is.
func (p Publisher) PublishSQL(ctx context.Context, tx *sql.Tx, target string, data any, opts ...framework.PublishOption) error {
	return p.publish(ctx, sqlTx{tx}, target, data, opts)
}

func (p Publisher) publish(ctx context.Context, db querier, target string, data any, opts []framework.PublishOption) error {
	if err := checkSchema(p.Schema); err != nil {
		return err
	}
	ev, err := framework.Data(data)
	if err != nil {
		return fmt.Errorf("publish to %s: %w", target, err)
	}
	pub, err := newPublication(target, ev, framework.NewPublishOptions(opts...))
	if err != nil {
		return fmt.Errorf("publish to %s: %w", target, err)
	}
	if err := pub.store(ctx, db, p.Schema); err != nil {
		return fmt.Errorf("publish to %s: %w", target, err)
	}
	return nil
}

// A querier runs a query that returns one row, or a statement and says how many
// rows it wrote or returned, by pgx or by database/sql. It may know what its
// connection has seen.
type querier interface {
	exec(ctx context.Context, sql string, args []any) (rows int64, err error)
	queryRow(ctx context.Context, sql string, args []any, dest ...any) error
	seen() seenTargets
}

type pgxQuerier struct{ pgxDB }

// pgxDB is a pool, a connection or a transaction of pgx.
type pgxDB interface {
	queryRower
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

func (q pgxQuerier) exec(ctx context.Context, sql string, args []any) (rows int64, err error) {
	tag, err := q.Exec(ctx, sql, args...)
	return tag.RowsAffected(), err
}

func (q pgxQuerier) queryRow(ctx context.Context, sql string, args []any, dest ...any) error {
	return q.QueryRow(ctx, sql, args...).Scan(dest...)
}

func (q pgxQuerier) seen() seenTargets {
	db, ok := q.pgxDB.(interface{ Conn() *pgx.Conn })
	if !ok {
		return nil
	}
	return seenOn(db.Conn())
}

type sqlTx struct{ *sql.Tx }

func (tx sqlTx) exec(ctx context.Context, sql string, args []any) (rows int64, err error) {
	r, err := tx.ExecContext(ctx, sql, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (tx sqlTx) queryRow(ctx context.Context, sql string, args []any, dest ...any) error {
	return tx.QueryRowContext(ctx, sql, args...).Scan(dest...)
}

func (sqlTx) seen() seenTargets { return nil }

// A publication is one event on its way into the tables, checked.
type publication struct {
	target
	id      string
	known   bool   // the id is the caller's, so a second one is the same event
	source  string // of one that is known
	key     any    // a string, or nil
	rank    int16
	ttl     *int64 // milliseconds
	delay   *int64 // milliseconds
	header  string // JSON
	data    []byte
	created time.Time
}

// newPublication checks everything that can be checked without the store.
func newPublication(name string, ev event.Event, o framework.PublishOptions) (*publication, error) {
	t, err := parseTarget(name)
	if err != nil {
		return nil, err
	}
	p := &publication{target: t, data: ev.Data(), created: time.Now()}
	if len(p.data) > MaxPayload {
		return nil, framework.Terminal(fmt.Errorf("data has %d bytes, at most %d are allowed", len(p.data), MaxPayload))
	}
	if p.data == nil {
		p.data = []byte{} // null in the tables means: in the payload table
	}
	if err := p.setTimes(o); err != nil {
		return nil, err
	}
	if err := p.setKey(o); err != nil {
		return nil, err
	}
	if err := p.setID(ev, o); err != nil {
		return nil, err
	}
	return p, p.setHeader(ev, o)
}

func (p *publication) setTimes(o framework.PublishOptions) error {
	if !o.At.IsZero() {
		if d := o.At.Sub(p.created); d > 0 {
			ms := int64((d + time.Millisecond - 1) / time.Millisecond)
			p.delay = &ms
		}
	}
	if o.TTL == 0 {
		return nil
	}
	ms := int64(o.TTL / time.Millisecond)
	if ms <= 0 {
		return framework.Terminal(fmt.Errorf("TTL %v is in the past", o.TTL))
	}
	if p.delay != nil && ms <= *p.delay {
		return framework.Terminal(fmt.Errorf("TTL %v ends before the event is due, in %v", o.TTL, time.Duration(*p.delay)*time.Millisecond))
	}
	p.ttl = &ms
	return nil
}

func (p *publication) setKey(o framework.PublishOptions) error {
	p.rank = rank(o.Priority)
	if o.Priority != nil && (*o.Priority < 0 || *o.Priority > 9) {
		return framework.Terminal(fmt.Errorf("priority is %d, expected 0 to 9", *o.Priority))
	}
	if o.Key == "" {
		return nil
	}
	p.key = o.Key
	return checkText("key", o.Key, MaxName)
}

// usualRank is the rank of what has no priority, as insertPlainSQL has it.
const usualRank = 5

// rank turns a priority into what rows are sorted by, the most urgent first.
func rank(priority *int) int16 {
	if priority == nil {
		return usualRank
	}
	return int16(9 - *priority)
}

func (p *publication) setID(ev event.Event, o framework.PublishOptions) error {
	p.id, p.known = o.ID, true
	if p.id == "" && ev.Context != nil {
		p.id = ev.ID()
	}
	if p.id == "" {
		p.id, p.known = rand.Text(), false
	}
	return checkText("id", p.id, MaxName)
}

func (p *publication) setHeader(ev event.Event, o framework.PublishOptions) error {
	a, err := attributesOf(ev)
	if err != nil {
		return err
	}
	a.setHeader(o.Header)
	if p.known {
		p.source = orDefault(a.Source, p.target.source())
	}
	p.header, err = a.encode()
	if err != nil {
		return framework.Terminal(fmt.Errorf("encode attributes: %w", err))
	}
	if len(p.header) > MaxHeader {
		return framework.Terminal(fmt.Errorf("attributes and headers have %d bytes, at most %d are allowed", len(p.header), MaxHeader))
	}
	return nil
}

// A notification makes the commit take a lock that all of Postgres shares, until
// it is on disk. So this process sends one at most every notifyEvery. And it sends
// few about a target that it publishes to all the time: who serves that looks for
// events every few milliseconds anyway (see look.go). Only what comes after a
// pause is worth to be told at once.
const (
	notifyEvery  = 5 * time.Millisecond
	notifyBusily = 50 * time.Millisecond // about a target that was published to less than notifyEvery ago
)

// A pulse is when this process published to a target, and notified about it, last,
// in Unix nanoseconds.
type pulse struct{ published, notified atomic.Int64 }

// The process's own, because what they protect is Postgres as a whole. Targets
// share the pulses by hash; there may be any number of them.
var (
	pulses     [64]pulse
	pulseSeed  = maphash.MakeSeed()
	lastNotify atomic.Int64
)

// notifyNow reports whether the next statement shall notify about the target.
func (t target) notifyNow() bool {
	p := &pulses[maphash.String(pulseSeed, t.topic)%uint64(len(pulses))]
	now := time.Now().UnixNano()
	pause := now - p.published.Swap(now)
	if pause < int64(notifyEvery) && now-p.notified.Load() < int64(notifyBusily) {
		return false
	}
	last := lastNotify.Load()
	if now-last < int64(notifyEvery) || !lastNotify.CompareAndSwap(last, now) {
		return false
	}
	p.notified.Store(now)
	return true
}
