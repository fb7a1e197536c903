package outbox

// planSQL keeps the planner on the indexes for the rest of the transaction,
// whatever the statistics said when the tables were empty.
const planSQL = `select set_config('plan_cache_mode', 'force_generic_plan', true),
	set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
	set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
	set_config('jit', 'off', true)`

// beginSQL opens every cycle: a statement of its own, before the claims, so that
// their snapshot is younger than the lock. A claim that took the lock itself
// would look at the tables as they were before it waited, and break the order of
// keys. Claims alone need not be flushed: what Postgres forgets in a crash is
// claimed again.
const beginSQL = planSQL + `, set_config('synchronous_commit', case when $3::bool then 'off' else current_setting('synchronous_commit') end, true),
	pg_advisory_xact_lock($1::int, $2::int)`

// floorSQL is the common table expressions that the statements of a cycle share:
// who is alive, and the floor (see lowwater.go) in force in this snapshot.
const floorSQL = `with live as materialized (
	select array(select id from {schema}.replica where expires_at > now()) as ids
), f as materialized (
	select case when exists (
		select from unnest($2::text[]) x where pg_visible_in_snapshot(x::xid8, pg_current_snapshot())
	) then $4::bigint else $3::bigint end as floor
)`

// sizeSQL is how many bytes of data come with a row d. It does not read them.
const sizeSQL = `coalesce(octet_length(d.data), (select octet_length(y.data) from {schema}.payload y where y.id = d.payload_id), 0)`

// heldSQL continues floorSQL with what live replicas hold of a queue: the seqs of
// others, and mine: $5, or what this replica's claim says where that is null.
//
//	$1 queue · $2 $3 $4 floor · $5 in hand · $6 replica
const heldSQL = `, c as materialized (
	select c.replica, unnest(c.seqs) as seq from {schema}.claim c
	where c.queue = $1 and c.top >= (select floor from f) and (c.replica = $6 or c.replica = any ((select ids from live)::int[]))
), mine as materialized (
	select unnest($5::bigint[]) as seq union all select seq from c where $5 is null and replica = $6
), held as materialized (
	select seq from mine union all select seq from c where replica <> $6
)`

// writeClaimSQL continues a statement with the new claim of this replica: mine,
// and what it takes now, if either has changed.
const writeClaimSQL = `, old as (
	delete from {schema}.claim where queue = $1 and top >= (select floor from f) and replica = $6
		and ($7::bool or exists (select from taken))
), new as (
	insert into {schema}.claim (queue, replica, top, seqs)
	select $1, $6, max(seq), array_agg(seq) from (select seq from mine union all select seq from taken) s
	where $7 or exists (select from taken) having count(*) > 0
)`

// keepSQL replaces this replica's claim by what it has in hand.
//
//	$1 queue · $2 $3 $4 floor · $5 in hand · $6 replica · $7 that has changed
const keepSQL = floorSQL + `, mine as (select unnest($5::bigint[]) as seq), taken as (select 0::bigint as seq where false)` +
	writeClaimSQL + ` select`

// inheritSQL ends the claims of replicas that died, and notes with each of their
// rows that its holder said nothing of it.
//
//	$1 queue · $2 $3 $4 floor · $5 ranks
const inheritSQL = floorSQL + `, gone as (
	delete from {schema}.claim c where c.queue = $1 and c.top >= (select floor from f)
		and c.replica <> all ((select ids from live)::int[]) returning c.seqs
) update {schema}.delivery d set claims = least(d.claims + 1, 30000)
where d.queue = $1 and d.rank = any ($5::smallint[]) and d.seq = any (array(select unnest(seqs) from gone))`

// claimSQL takes rows of a queue that nobody holds. It looks at a window of them,
// in order, and returns the whole window; what it did not take has no owner. It
// locks no row: whoever takes or removes rows of a queue holds the lock of
// beginSQL.
//
// Of the rows of one key it takes the first ones, up to a limit, and only if all
// that come before them are ours, too, and no other replica that lives has a
// parked one. Nothing is skipped in between: a row that
// has another rank may lie outside of the window, and is counted.
//
//	$1 queue · $2 $3 $4 floor · $5 in hand · $6 replica · $7 that has changed
//	$8 ours · $9 ranks · $10 where to begin in each · $11 begin at the floor instead
//	$12 window · $13 rows wanted · $14 rows per key · $15 bytes wanted
const claimSQL = floorSQL + heldSQL + `, w as materialized (
	select c.* from unnest($9::smallint[], $10::bigint[]) l (rank, low), lateral (
		select d.ctid as tid, d.rank, d.seq, d.key, ` + sizeSQL + ` as size from {schema}.delivery d
		where d.queue = $1 and d.rank = l.rank
			and d.seq >= case when $11::bool then (select floor from f) else l.low end
			and d.seq not in (select seq from held)
		order by d.seq limit $12
	) c limit $12
), n as (
	select tid, rank, seq, key, size, row_number() over k as i, max(rank) over k as behind,
		min(seq) over (partition by key) as first, count(*) over (partition by key) as n
	from w where key is not null window k as (partition by key order by seq)
), m as (
	select *, bool_or(case when i = 1 then not exists (
			select from {schema}.delivery e where e.queue = $1 and e.key = n.key
				and e.seq < n.seq and e.seq >= (select floor from f) and e.seq not in (select seq from mine)
		) and not exists (
			select from {schema}.parked e where e.queue = $1 and e.key = n.key
				and e.owner = any ((select ids from live)::int[]) and e.owner <> all ($8::int[])
		) else false end) over (partition by key) as open,
		bool_or(case when i = least(n, $14) then i = 1 or i = (
			select count(*) from {schema}.delivery e
			where e.queue = $1 and e.key = n.key and e.seq between n.first and n.seq and e.seq not in (select seq from mine)
		) else false end) over (partition by key) as whole
	from n
), p as materialized (
	select *, free and row_number() over o <= $13 and (sum(size) over o <= $15 or row_number() over o = 1) as picked from (
		select tid, rank, seq, size, rank as behind, true as free from w where key is null
		union all
		select tid, rank, seq, size, behind, open and i <= case when whole then $14 else 1 end from m
	) p window o as (order by not free, behind, seq rows unbounded preceding)
), taken as (
	select tid, seq from p where picked
)` + writeClaimSQL + `
select d.rank, d.seq, $6::int, least(d.claims + 1, 30000), 0, d.key, d.event_id, d.header::text, coalesce(d.data, p.data), d.payload_id,
	d.key is not null and exists (select from {schema}.parked p where p.queue = $1 and p.key = d.key and p.seq < d.seq),
	d.replayed, (extract(epoch from d.expires_at - clock_timestamp()) * 1000)::bigint, d.created_at, null::timestamptz, null::timestamptz
from {schema}.delivery d left join {schema}.payload p on p.id = d.payload_id
where d.ctid = any (array(select tid from taken))
union all
select rank, seq, 0, 0, 0, null, null, null, null, null, false, false, null, null, null, null from p where not picked`

// claimParkedSQL takes rows that are due again. Of the rows of one key it takes
// the first ones: behind one that is not due, held by another, or not in the
// window, everything waits.
//
//	$1 queue · $2 $3 $4 floor · $5 ours · $6 owner · $7 rows wanted · $8 bytes wanted
const claimParkedSQL = floorSQL + `, theirs as materialized (
	select unnest(c.seqs) as seq from {schema}.claim c where c.queue = $1 and c.top >= (select floor from f)
		and c.replica = any ((select ids from live)::int[]) and c.replica <> all ($5::int[])
), due as materialized (
	select d.ctid as tid, d.seq, d.key, d.run_at, ` + sizeSQL + ` as size from {schema}.parked d
	where d.queue = $1 and d.run_at <= clock_timestamp()
		and (d.owner = 0 or d.owner <> all ((select ids from live)::int[]))
		and (d.key is null or not exists (
			select from {schema}.parked e where e.queue = $1 and e.key = d.key and e.seq < d.seq and e.run_at > clock_timestamp()
				and e.owner <> all ($5::int[])))
	order by d.run_at, d.seq limit $7 for update of d skip locked
), w as materialized (
	select tid, seq, key from (
		select *, sum(size) over o <= $8 or row_number() over o = 1 as fits
		from due window o as (order by run_at, seq rows unbounded preceding)) w where fits
), n as (
	select tid, seq, key, row_number() over (partition by key order by seq) as i from w where key is not null
), u as (
	update {schema}.parked d set owner = $6, claims = least(d.claims + 1, 30000)
	where d.ctid = any (array(
		select tid from w where key is null
		union all
		select n.tid from n where n.i - 1 = (
			select count(*) from {schema}.parked e
			where e.queue = $1 and e.key = n.key and e.seq < n.seq and e.owner <> all ($5::int[])
		) and not exists (
			select from {schema}.delivery e where e.queue = $1 and e.key = n.key
				and e.seq >= (select floor from f) and e.seq in (select seq from theirs))))
	returning d.*
) select u.rank, u.seq, u.owner, u.claims, u.attempts, u.key, u.event_id, u.header::text, coalesce(u.data, p.data), u.payload_id,
	false, u.replayed, (extract(epoch from u.expires_at - clock_timestamp()) * 1000)::bigint, u.created_at, u.first_at, u.last_at
from u left join {schema}.payload p on p.id = u.payload_id`

// sweepSQL looks for the oldest row of a queue that is there, taken or not, and
// returns the id of its transaction, which others were running, and how many
// microseconds it took.
//
//	$1 queue · $2 $3 $4 floor · $5 ranks
const sweepSQL = floorSQL + `select coalesce(min(c.seq), 0), pg_current_xact_id()::text, pg_current_snapshot()::text,
	(extract(epoch from clock_timestamp() - statement_timestamp()) * 1e6)::bigint
from unnest($5::smallint[]) l (rank), lateral (
	select d.seq from {schema}.delivery d
	where d.queue = $1 and d.rank = l.rank and d.seq >= (select floor from f)
	order by d.seq limit 1
) c`

// lastSeqSQL is to be read before the transaction of a sweep has an id: what has
// a higher seq came later.
const lastSeqSQL = `select last_value - (not is_called)::int from {schema}.seq`

// parkedStraysSQL frees what a claim took whose answer never came.
//
//	$1 queue · $2 ours · $3 rows in hand
const parkedStraysSQL = `update {schema}.parked set owner = 0, claims = greatest(claims - 1, 0)
where queue = $1 and owner = any ($2::int[]) and seq <> all ($3::bigint[])`
