package outbox

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The statements that store an event are one round trip each. Where they have to
// see the target's subscription, they have no row if they stored nothing: there is
// none, or an event with the same id was published before.
//
//	$1 topic · $2 kind · $3 rank · $4 key · $5 event id · $6 data · $7 header · $8 ttl in ms
//	$9 first queue · $10 blind · then notify, source, delay in ms as needed
const (
	// A function, a trigger or a binding has one subscription, and its id follows
	// from the names. Most events go this way, to a subscription that the connection
	// knows (see seen.go), and have neither key nor priority nor time to live: so
	// the statement is as plain as can be.
	//
	//	$1 queue · $2 event id · $3 data · $4 header
	insertPlainSQL = `insert into {schema}.delivery (queue, rank, event_id, header, data) values ($1, 5, $2, $4::text::jsonb, $3)`

	//	$1 queue · $2 rank · $3 key · $4 event id · $5 data · $6 header · $7 ttl in ms · $8 what to notify
	insertSQL = insertInto + ` values (` + inserted + `)`

	insertNotifySQL = insertSQL + ` returning pg_notify('{channel}', $8::text)::text`

	// insertSeenSQL stores it if the subscription is there, and says whether that is
	// committed: a transaction may see the one that it has made itself.
	//
	//	$8 what to notify, or null
	insertSeenSQL = `with s as materialized (
	select created_at <> now() as committed from {schema}.subscription where id = $1 limit 1
), d as (
	` + insertInto + ` select ` + inserted + ` from s
) select committed, case when $8::text is not null then pg_notify('{channel}', $8)::text end from s`

	insertInto = `insert into {schema}.delivery (queue, rank, key, event_id, header, data, expires_at)`
	inserted   = `$1::bigint, $2::smallint, $3::text, $4::text, $6::text::jsonb, $5::bytea, clock_timestamp() + $7::bigint * interval '1 ms'`

	insertOnceSQL = `with s as materialized (
	select id from {schema}.subscription where topic = $1 and kind = $2 union all select $9::bigint where $10::bool
), f as (
	insert into {schema}.published (topic, kind, source, event_id)
	select $1, $2, $12::text, $5::text from s on conflict do nothing returning 1
) insert into {schema}.delivery (queue, rank, key, event_id, header, data, expires_at)
select id, $3::smallint, $4::text, $5, $7::text::jsonb, $6::bytea, clock_timestamp() + $8::bigint * interval '1 ms' from s, f
returning case when $11::bool then pg_notify('{channel}', $2 || ' ' || $1)::text end`

	// A topic may have several. Data goes into the row where there is one, and into
	// the payload table where there are more.
	fanOutSQL = `with s as materialized (
	select id, count(*) over () as n from (
		select id from {schema}.subscription where topic = $1 and kind = $2
		union select $9::bigint where $10::bool
	) s
), p as (
	insert into {schema}.payload (data) select $6::bytea from s where n > 1 limit 1 returning id
), d as (
	insert into {schema}.delivery (queue, rank, key, event_id, header, data, payload_id, expires_at)
	select id, $3::smallint, $4::text, $5::text, $7::text::jsonb, case when n = 1 then $6::bytea end,
		(select id from p), clock_timestamp() + $8::bigint * interval '1 ms' from s
	returning 1
) select case when $11::bool then pg_notify('{channel}', $2 || ' ' || $1)::text end from d limit 1`

	fanOutOnceSQL = `with s as materialized (
	select id, count(*) over () as n from (
		select id from {schema}.subscription where topic = $1 and kind = $2
		union select $9::bigint where $10::bool
	) s
), f as (
	insert into {schema}.published (topic, kind, source, event_id)
	select $1, $2, $12::text, $5::text from s limit 1 on conflict do nothing returning 1
), p as (
	insert into {schema}.payload (data) select $6::bytea from s, f where n > 1 limit 1 returning id
), d as (
	insert into {schema}.delivery (queue, rank, key, event_id, header, data, payload_id, expires_at)
	select id, $3::smallint, $4::text, $5::text, $7::text::jsonb, case when n = 1 then $6::bytea end,
		(select id from p), clock_timestamp() + $8::bigint * interval '1 ms' from s, f
	returning 1
) select case when $11::bool then pg_notify('{channel}', $2 || ' ' || $1)::text end from d limit 1`

	delaySQL = `with s as materialized (
	select 1 where $10::bool or exists (select from {schema}.subscription where topic = $1 and kind = $2)
), f as (
	insert into {schema}.published (topic, kind, source, event_id)
	select $1, $2, $12::text, $5::text from s where $13::bool on conflict do nothing returning 1
) insert into {schema}.delayed (topic, kind, queue, rank, key, event_id, header, data, expires_at, run_at)
select $1, $2, $9::bigint, $3::smallint, $4::text, $5, $7::text::jsonb, $6::bytea,
	clock_timestamp() + $8::bigint * interval '1 ms', clock_timestamp() + $11::bigint * interval '1 ms' from s
where not $13 or exists (select from f)
returning null::text`

	wasPublishedSQL = `select exists (select from {schema}.published where topic = $1 and kind = $2 and source = $3 and event_id = $4)`
)

// statements are those that store events, for one schema.
type statements struct {
	insertPlain, insert, insertNotify, insertSeen, insertOnce, fanOut, fanOutOnce, delay, wasPublished, ensure, note string
}

func newStatements(schema string) *statements {
	return &statements{
		insertPlain: inSchema(schema, insertPlainSQL), insert: inSchema(schema, insertSQL), insertNotify: inSchema(schema, insertNotifySQL),
		insertSeen: inSchema(schema, insertSeenSQL), insertOnce: inSchema(schema, insertOnceSQL),
		fanOut: inSchema(schema, fanOutSQL), fanOutOnce: inSchema(schema, fanOutOnceSQL),
		delay: inSchema(schema, delaySQL), wasPublished: inSchema(schema, wasPublishedSQL),
		ensure: inSchema(schema, ensureSQL), note: inSchema(schema, noteNameSQL),
	}
}

// madeStatements has the *statements of each schema that this process publishes to,
// by its name: making them costs more than sending them.
var madeStatements sync.Map

func statementsOf(schema string) *statements {
	schema = schemaName(schema)
	if s, ok := madeStatements.Load(schema); ok {
		return s.(*statements)
	}
	s, _ := madeStatements.LoadOrStore(schema, newStatements(schema))
	return s.(*statements)
}

// store writes the event with db's transaction. The first event for a target
// makes its subscription; if another transaction is just doing that, nobody
// waits for it.
func (p *publication) store(ctx context.Context, db querier, schema string) error {
	s := statementsOf(schema)
	if stored, err := p.run(ctx, db, s, p.blind(db, s)); err != nil || stored {
		return err
	}
	return p.storeFirst(ctx, db, s, schema)
}

// storeFirst goes on where the first try has stored nothing.
func (p *publication) storeFirst(ctx context.Context, db querier, s *statements, schema string) error {
	if p.known {
		var before bool
		err := db.queryRow(ctx, s.wasPublished, []any{p.topic, p.kind, p.source, p.id}, &before)
		if err != nil || before {
			return err
		}
	}
	if err := ensure(ctx, db, s, schema, p.kind, p.topic); err != nil {
		return err
	}
	if stored, err := p.run(ctx, db, s, false); err != nil || stored {
		return err
	}
	if err := note(ctx, db, s, p.kind, p.topic); err != nil {
		return err
	}
	_, err := p.run(ctx, db, s, true)
	return err
}

// run executes the statement that stores p and reports whether it did. blind
// means not to look for a subscription: it is known, or it cannot be seen, and one
// that is there all the same has the id that it must have.
func (p *publication) run(ctx context.Context, db querier, s *statements, blind bool) (stored bool, err error) {
	stmt, args := p.statement(s, blind)
	if blind || !p.single() {
		n, err := db.exec(ctx, stmt, args)
		return n > 0, err
	}
	return p.learn(db, s, func(dest ...any) error { return db.queryRow(ctx, stmt, args, dest...) })
}

// queue adds the statement to b and lets it report whether it stored p. db is
// where b will run.
func (p *publication) queue(b *pgx.Batch, db querier, s *statements, stored *bool) {
	blind := p.blind(db, s)
	stmt, args := p.statement(s, blind)
	q := b.Queue(stmt, args...)
	if blind || !p.single() {
		q.Exec(func(tag pgconn.CommandTag) error {
			*stored = tag.RowsAffected() > 0
			return nil
		})
		return
	}
	q.QueryRow(func(row pgx.Row) (err error) {
		*stored, err = p.learn(db, s, row.Scan)
		return err
	})
}

// learn reads the answer of insertSeenSQL and reports whether p is stored.
func (p *publication) learn(db querier, s *statements, scan func(...any) error) (stored bool, err error) {
	var committed bool
	var notified *string
	if err := scan(&committed, &notified); nothing(err) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	if committed {
		db.seen().add(s, p.target)
	}
	return true, nil
}

// blind reports whether p needs not look for its subscription.
func (p *publication) blind(db querier, s *statements) bool {
	return p.single() && db.seen().holds(s, p.target)
}

// single reports whether p becomes one delivery now, whatever was published before.
func (p *publication) single() bool { return p.kind != kindTopic && !p.known && p.delay == nil }

// left is what is left of the time to live, in milliseconds, or nil: an event may
// have been staged for a while.
func (p *publication) left() any {
	if p.ttl == nil {
		return nil
	}
	return *p.ttl - time.Since(p.created).Milliseconds()
}

// statement returns the SQL that stores p, and its arguments.
func (p *publication) statement(s *statements, blind bool) (string, []any) {
	queue, notify := firstQueue(p.kind, p.topic), p.delay == nil && p.notifyNow()
	if p.single() {
		return p.singleStatement(s, queue, blind, notify)
	}
	args := make([]any, 0, 13)
	args = append(args, p.topic, p.kind, p.rank, p.key, p.id, p.data, p.header, p.left(), queue, blind)
	if p.delay != nil {
		return s.delay, append(args, *p.delay, p.source, p.known)
	}
	args = append(args, notify)
	if p.known {
		args = append(args, p.source)
	}
	switch {
	case p.kind != kindTopic:
		return s.insertOnce, args
	case p.known:
		return s.fanOutOnce, args
	}
	return s.fanOut, args
}

func (p *publication) singleStatement(s *statements, queue int64, blind, notify bool) (string, []any) {
	if blind && !notify && p.key == nil && p.ttl == nil && p.rank == usualRank {
		return s.insertPlain, []any{queue, p.id, p.data, p.header}
	}
	args := []any{queue, p.rank, p.key, p.id, p.data, p.header, p.left(), nil}
	if notify {
		args[7] = p.kind + " " + p.topic
	}
	switch {
	case !blind:
		return s.insertSeen, args
	case notify:
		return s.insertNotify, args
	}
	return s.insert, args[:7]
}
