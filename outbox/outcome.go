package outbox

import "time"

// A verdict says what becomes of a row.
type verdict int

const (
	release verdict = iota // free again, as if it had not been claimed
	done                   // gone
	again                  // tried again, after a delay
	hold                   // waits behind another row of its key
	bury                   // to the dead letters
)

// An outcome is a row's verdict, on its way into the tables.
type outcome struct {
	row     *row
	verdict verdict
	delay   time.Duration // of again
	cause   string        // of again and bury
	stack   string        // likewise
}

// maxCause and maxStack are how many bytes of an error and a stack are kept.
const (
	maxCause = 4 << 10
	maxStack = 16 << 10
)

// The statements below write outcomes of many rows at once. A row that another
// replica has taken over in the meantime is theirs, and is left alone; one that
// nobody holds is still ours, because Postgres may forget a claim when it crashes.
//
// A claim of a delivery is a list beside it (see claim.go), so nothing is to be
// written where one is released.
//
// They look the rows up one by one: "limit 1" keeps the planner from turning that
// into a join, which it would get wrong as long as it has no statistics, or old
// ones, and then read the whole queue for each row.
const (
	// notTheirs is true for a delivery d that no other replica holds.
	notTheirs = `d.seq not in (select unnest(c.seqs) from {schema}.claim c
		where c.queue = $1 and c.top >= (select min(s) from unnest($3::bigint[]) s) and c.replica <> all ($2::int[])
			and c.replica = any (array(select id from {schema}.replica where expires_at > now())))`

	// $1 queue · $2 ours · $3 seqs · $4 ranks
	deliveryRows = `unnest($4::smallint[], $3::bigint[]) o (rank, seq), lateral (
		select d.ctid as tid from {schema}.delivery d where d.queue = $1 and d.rank = o.rank and d.seq = o.seq limit 1) r`
	doneSQL = `delete from {schema}.delivery d where d.ctid = any (array(select r.tid from ` + deliveryRows + `))
	and ` + notTheirs

	// doneRunSQL removes rows that follow each other closely: one walk along the
	// index costs half of as many look-ups. The planner must not make a join of it.
	// $1 queue · $2 ours · $3 seqs · $4 rank · $5 first · $6 last
	doneRunSQL = `delete from {schema}.delivery d where d.queue = $1 and d.rank = $4 and d.seq between $5 and $6
	and case when d.seq in (select unnest($3::bigint[])) then ` + notTheirs + ` end`

	// $1 queue · $2 ours · $3 seqs
	parkedRows = `unnest($3::bigint[]) o (seq), lateral (
		select d.ctid as tid from {schema}.parked d where d.queue = $1 and d.seq = o.seq limit 1) r`
	doneParkedSQL = `delete from {schema}.parked d where d.ctid = any (array(select r.tid from ` + parkedRows + `))
	and (d.owner = 0 or d.owner = any ($2::int[]))`
	releaseParkedSQL = `update {schema}.parked d set owner = 0, claims = greatest(d.claims - 1, 0)
	where d.ctid = any (array(select r.tid from ` + parkedRows + `)) and d.owner = any ($2::int[])`

	// $1 queue · $2 ours · $3 seqs · $4 ranks · $5 delays in ms · $6 attempts · $7 errors · $8 stacks
	retried = `unnest($3::bigint[], $4::smallint[], $5::bigint[], $6::int[], $7::text[], $8::text[])
	o (seq, rank, delay, attempts, error, stack)`
	parkSQL = `with o as materialized (
	select o.*, (select d.ctid from {schema}.delivery d where d.queue = $1 and d.rank = o.rank and d.seq = o.seq limit 1) as tid
	from ` + retried + `
), d as (
	delete from {schema}.delivery d using o
	where d.ctid = o.tid and ` + notTheirs + `
	returning d.*, o.delay, o.attempts, o.error, o.stack
) insert into {schema}.parked (seq, queue, rank, key, event_id, header, data, payload_id, created_at, expires_at, replayed,
	run_at, attempts, error, stack, first_at, last_at)
select seq, queue, rank, key, event_id, header, data, payload_id, created_at, expires_at, replayed,
	clock_timestamp() + delay * interval '1 ms', attempts, error, stack, clock_timestamp(), clock_timestamp()
from d`
	parkAgainSQL = `with o as materialized (
	select o.*, (select d.ctid from {schema}.parked d where d.queue = $1 and d.seq = o.seq limit 1) as tid from ` + retried + `
) update {schema}.parked d set owner = 0, claims = 0, attempts = o.attempts,
	run_at = clock_timestamp() + o.delay * interval '1 ms', error = o.error, stack = o.stack,
	first_at = coalesce(d.first_at, clock_timestamp()), last_at = clock_timestamp()
from o where d.ctid = o.tid and (d.owner = 0 or d.owner = any ($2::int[]))`

	// What waits behind another row of its key; if that one is gone by now, it does
	// not wait. $1 queue · $2 ours · $3 seqs · $4 ranks
	holdSQL = `with d as (
	delete from {schema}.delivery d where d.ctid = any (array(select r.tid from ` + deliveryRows + `))
		and ` + notTheirs + `
	returning d.*
) insert into {schema}.parked (seq, queue, rank, key, event_id, header, data, payload_id, created_at, expires_at, replayed, run_at)
select d.seq, d.queue, d.rank, d.key, d.event_id, d.header, d.data, d.payload_id, d.created_at, d.expires_at, d.replayed,
	case when exists (select from {schema}.parked e where e.queue = d.queue and e.key = d.key and e.seq < d.seq)
		then 'infinity' else clock_timestamp() end
from d`
	holdParkedSQL = `update {schema}.parked d set owner = 0, claims = 0,
	run_at = case when exists (select from {schema}.parked e where e.queue = d.queue and e.key = d.key and e.seq < d.seq)
		then 'infinity' else clock_timestamp() end
where d.ctid = any (array(select r.tid from ` + parkedRows + `)) and (d.owner = 0 or d.owner = any ($2::int[]))`

	// $1 queue · $2 ours · $3 seqs · $4 ranks · $5 attempts · $6 errors · $7 stacks
	// $8 kind · $9 topic · $10 name · $11 trigger · $12 function · $13 destination
	buried  = `unnest($3::bigint[], $4::smallint[], $5::int[], $6::text[], $7::text[]) o (seq, rank, attempts, error, stack)`
	burySQL = `with o as materialized (
	select o.*, (select d.ctid from {schema}.delivery d where d.queue = $1 and d.rank = o.rank and d.seq = o.seq limit 1) as tid
	from ` + buried + `
), d as (
	delete from {schema}.delivery d using o
	where d.ctid = o.tid and ` + notTheirs + `
	returning d.event_id, d.key, d.rank, d.created_at, d.data, d.payload_id, ` + completed + ` as header, o.attempts, o.error, o.stack
) insert into {schema}.dead (kind, topic, name, trigger, function, connection, destination, source, event_id, key, rank,
	attempts, error, stack, created_at, first_at, last_at, header, data)
select $8, $9, $10, $11, $12, '', $13, coalesce(d.header->>'source', ''), d.event_id, d.key, d.rank,
	d.attempts, d.error, d.stack, d.created_at, clock_timestamp(), clock_timestamp(), d.header, coalesce(d.data, p.data)
from d left join {schema}.payload p on p.id = d.payload_id`
	buryParkedSQL = `with o as materialized (
	select o.*, (select d.ctid from {schema}.parked d where d.queue = $1 and d.seq = o.seq limit 1) as tid from ` + buried + `
), d as (
	delete from {schema}.parked d using o
	where d.ctid = o.tid and (d.owner = 0 or d.owner = any ($2::int[]))
	returning d.queue, d.event_id, d.key, d.rank, d.created_at, d.first_at, ` + completed + ` as header, d.data, d.payload_id, d.body_hash,
		d.source, o.attempts, o.error, o.stack
) insert into {schema}.dead (kind, topic, name, trigger, function, connection, destination, source, event_id, body_hash, key, rank,
	attempts, error, stack, created_at, first_at, last_at, header, data)
select $8, $9, $10, $11, $12, coalesce(d.header->'message'->>'connection', ''), coalesce(d.header->'message'->>'from', $13),
	coalesce(d.source, d.header->>'source', ''), d.event_id, d.body_hash, d.key, d.rank,
	d.attempts, d.error, d.stack, d.created_at, coalesce(d.first_at, clock_timestamp()), clock_timestamp(),
	d.header, coalesce(d.data, p.data)
from d left join {schema}.payload p on p.id = d.payload_id
on conflict (trigger, source, event_id, body_hash) where body_hash is not null do update set
	attempts = excluded.attempts, error = excluded.error, stack = excluded.stack, last_at = excluded.last_at`

	// What waited behind a parked row that is gone: the next ones may go, up to
	// the first that has a time of its own. $1 queue · $2 keys
	nextOfKeySQL = `update {schema}.parked p set run_at = clock_timestamp() where p.run_at = 'infinity' and p.ctid = any (array(
	select n.tid from unnest($2::text[]) k (key), lateral (
		select e.ctid as tid from {schema}.parked e where e.queue = $1 and e.key = k.key and e.seq < coalesce((
			select min(r.seq) from {schema}.parked r where r.queue = $1 and r.key = k.key
				and r.run_at > clock_timestamp() and r.run_at <> 'infinity'), 9223372036854775807)
		order by e.seq limit 32) n))`

	// The opposite: a row failed again before which others of its key were let
	// go. $1 queue · $2 keys · $3 seqs
	holdKeySQL = `update {schema}.parked p set run_at = 'infinity' from unnest($2::text[], $3::bigint[]) k (key, seq)
	where p.queue = $1 and p.key = k.key and p.seq > k.seq and p.owner = 0 and p.attempts = 0 and p.run_at <> 'infinity'`

	// Data that several subscribers shared, and the last one is done with.
	freePayloadSQL = `delete from {schema}.payload p where p.id = any ($1::bigint[])
	and not exists (select from {schema}.delivery d where d.payload_id = p.id)
	and not exists (select from {schema}.parked d where d.payload_id = p.id)`
)
