package outbox

import (
	"context"
	"sync"
	"time"
)

// The statements that store an event are one round trip each. They have no row if
// they stored nothing: the target has no subscription that can be seen, or an
// event with the same id was published before. They ask for the
// transaction's id first, because rows must not get their seq before it (see
// lowwater.go).
//
//	$1 topic · $2 kind · $3 rank · $4 key · $5 event id · $6 data · $7 header · $8 ttl in ms
//	$9 first queue · $10 blind · then notify, source, delay in ms as needed
const (
	// A function, a trigger or a binding has one subscription, and its id follows
	// from the names. Most events go this way, so the statement is as plain as can be.
	//
	//	$1 queue · $2 rank · $3 key · $4 event id · $5 data · $6 header · $7 ttl in ms
	//	$8 blind · then what to notify
	insertSQL = `insert into {schema}.delivery (queue, rank, key, event_id, header, data, expires_at)
select $1::bigint, $2::smallint, $3::text, $4::text, $6::text::jsonb, $5::bytea, clock_timestamp() + $7::bigint * interval '1 ms'
where pg_current_xact_id() is not null and ($8::bool or exists (select from {schema}.subscription where id = $1))`

	insertNotifySQL = insertSQL + ` returning pg_notify('{channel}', $9::text)::text`

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
	) s where pg_current_xact_id() is not null
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
type statements struct{ insert, insertNotify, insertOnce, fanOut, fanOutOnce, delay, wasPublished, ensure, note string }

func newStatements(schema string) *statements {
	return &statements{
		insert: inSchema(schema, insertSQL), insertNotify: inSchema(schema, insertNotifySQL), insertOnce: inSchema(schema, insertOnceSQL),
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
	if stored, err := p.run(ctx, db, s, false); err != nil || stored {
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
// means that no subscription can be seen, and one that is there all the same has
// the id that it must have.
func (p *publication) run(ctx context.Context, db querier, s *statements, blind bool) (stored bool, err error) {
	stmt, args := p.statement(s, blind)
	n, err := db.exec(ctx, stmt, args)
	return n > 0, err
}

// left is what is left of the time to live, in milliseconds: an event may have
// been staged for a while.
func (p *publication) left() *int64 {
	if p.ttl == nil {
		return nil
	}
	ms := *p.ttl - time.Since(p.created).Milliseconds()
	return &ms
}

// statement returns the SQL that stores p, and its arguments.
func (p *publication) statement(s *statements, blind bool) (string, []any) {
	queue, notify := firstQueue(p.kind, p.topic), p.delay == nil && p.notifyNow()
	if p.kind != kindTopic && !p.known && p.delay == nil {
		args := []any{queue, p.rank, p.key, p.id, p.data, p.header, p.left(), blind}
		if notify {
			return s.insertNotify, append(args, p.kind+" "+p.topic)
		}
		return s.insert, args
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
