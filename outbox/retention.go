package outbox

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Retention says how long the store keeps what nobody waits for.
type Retention struct {
	// Inbox is how long events are remembered whose effects are committed; default
	// 14 days. Those that are parked or dead letters are remembered longer, for as
	// long as they are.
	Inbox time.Duration

	// Published is how long ids are remembered that were published; default 7 days.
	Published time.Duration

	// DeadLetters is how long dead letters are kept; default 0: until they are
	// replayed or discarded.
	DeadLetters time.Duration
}

func (r Retention) orDefault() Retention {
	const day = 24 * time.Hour
	if r.Inbox <= 0 {
		r.Inbox = 14 * day
	}
	if r.Published <= 0 {
		r.Published = 7 * day
	}
	return r
}

// expiredSQL returns queues that have what expired while nobody took it, but for
// those whose consumer takes it elsewhere.
const expiredSQL = `select distinct d.queue from (
	(select queue from {schema}.delivery where expires_at <= now() order by expires_at limit $1)
	union all
	(select queue from {schema}.parked where expires_at <= now() order by expires_at limit $1)
) d where exists (select from {schema}.subscription s where s.id = d.queue)
	and d.queue <> all (array(select unnest(elsewhere) from {schema}.replica where expires_at > now()))`

// expireSQL buries what expired in a queue while nobody took it. What is taken is
// buried by who took it.
//
//	$1 queue · $2 at once
const expireSQL = `with live as materialized (
	select array(select id from {schema}.replica where expires_at > now()) as ids
), d as (
	delete from {schema}.delivery where ctid = any (array(
		select ctid from {schema}.delivery d where expires_at <= now() and queue = $1
			and seq not in (select unnest(c.seqs) from {schema}.claim c where c.queue = $1 and c.replica = any ((select ids from live)::int[]))
		order by expires_at limit $2))
	returning queue, event_id, key, rank, 0 as attempts, created_at, now() as first_at, header, data, payload_id
), p as (
	delete from {schema}.parked where ctid = any (array(
		select ctid from {schema}.parked d where expires_at <= now() and queue = $1
			and owner <> all ((select ids from live)::int[])
		order by expires_at limit $2 for update skip locked))
	returning queue, event_id, key, rank, attempts, created_at, coalesce(first_at, now()), header, data, payload_id
), i as (
	insert into {schema}.dead (kind, topic, name, trigger, function, connection, destination, source, event_id, key, rank,
		attempts, error, created_at, first_at, last_at, header, data)
	select s.kind, s.topic, s.name, coalesce(nullif(s.name, ''), s.topic), case s.kind when 'function' then s.topic else '' end, '',
		case s.kind when 'topic' then 'topic:' else '' end || s.topic, coalesce(e.header->>'source', ''), e.event_id, e.key, e.rank,
		e.attempts, 'expired', e.created_at, e.first_at, now(), e.header, coalesce(e.data, y.data)
	from (select * from d union all select * from p) e
	join lateral (select * from {schema}.subscription s where s.id = e.queue order by s.name desc limit 1) s on true
	left join {schema}.payload y on y.id = e.payload_id
) select from d union all select from p`

// expire buries what expired and nobody took.
func (s *Store) expire(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	pool, err := s.own(ctx)
	if err != nil {
		return err
	}
	rows, err := pool.Query(ctx, s.sql(expiredSQL), choreAtOnce)
	if err != nil {
		return err
	}
	queues, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	for _, queue := range queues {
		n := int64(choreAtOnce)
		for n >= choreAtOnce && err == nil {
			n, err = s.alone(ctx, queue, expireSQL, queue, choreAtOnce)
		}
	}
	return err
}

// chores are what keeps the tables small, each in small batches and off the way
// of those who work. Any replica does them at any time.
var chores = []chore{
	// Rows behind a failed one that was purged or has expired.
	{"keys", 10 * time.Second, `with n as (
	update {schema}.parked set run_at = clock_timestamp() where ctid = any (array(
		select p.ctid from {schema}.parked p where p.run_at = 'infinity' and p.owner = 0 and not exists (
			select from {schema}.parked e where e.queue = p.queue and e.key = p.key and e.seq < p.seq)
		limit $1 for update skip locked)) returning 1
) select count(*) from n`, nil},

	// A subscription that was deleted is made again if events come all the same.
	{"leavers", 5 * time.Second, `with n as (
	delete from {schema}.leaver l where at < now() - interval '1 hour'
		or exists (select from {schema}.delivery d where d.queue = l.queue) returning *
), m as (
	insert into {schema}.newcomer (kind, topic)
	select distinct kind, topic from n where exists (select from {schema}.delivery d where d.queue = n.queue)
) select count(*) from n limit $1`, nil},

	{"inbox", time.Minute, `with o as materialized (
	select s.name as trigger, min(d.created_at) as at from {schema}.subscription s, lateral (
		(select created_at from {schema}.parked where queue = s.id order by seq limit 1)
		union all
		(select r.created_at from generate_series(0, 9) k (rank), lateral (
			select created_at from {schema}.delivery where queue = s.id and rank = k.rank order by seq limit 1) r)
	) d group by s.name
), n as (
	delete from {schema}.inbox where ctid = any (array(
		select i.ctid from {schema}.inbox i where i.at < now() - $2::bigint * interval '1 ms'
			and i.at < coalesce((select o.at from o where o.trigger = i.trigger), 'infinity')
			and not exists (select from {schema}.dead d where d.trigger = i.trigger and d.source = i.source and d.event_id = i.event_id)
		order by i.at limit $1)) returning 1
) select count(*) from n`, func(r *Retention) time.Duration { return r.Inbox }},

	{"published ids", time.Minute, `with n as (
	delete from {schema}.published where ctid = any (array(
		select ctid from {schema}.published where at < now() - $2::bigint * interval '1 ms' order by at limit $1)) returning 1
) select count(*) from n`, func(r *Retention) time.Duration { return r.Published }},

	{"dead letters", time.Minute, `with n as (
	delete from {schema}.dead where ctid = any (array(
		select ctid from {schema}.dead where $2::bigint > 0 and died_at < now() - $2::bigint * interval '1 ms' order by died_at limit $1)) returning 1
) select count(*) from n`, func(r *Retention) time.Duration { return r.DeadLetters }},

	// Two subscribers that are done at the same moment each see the other's row.
	{"payloads", 5 * time.Minute, `with n as (
	delete from {schema}.payload where id = any (array(
		select id from {schema}.payload p
		where not exists (select from {schema}.delivery d where d.payload_id = p.id)
			and not exists (select from {schema}.parked d where d.payload_id = p.id)
		limit $1)) returning 1
) select count(*) from n`, nil},

	{"claims", time.Minute, `with n as (
	delete from {schema}.claim where at < now() - interval '1 hour'
		and replica <> all (array(select id from {schema}.replica where expires_at > now())) returning 1
) select count(*) from n limit $1`, nil},

	{"replicas", time.Minute, `with n as (
	delete from {schema}.replica where expires_at < now() - interval '1 hour' returning 1
) select count(*) from n limit $1`, nil},
}

// A chore is one statement that removes up to $1 rows and returns how many it
// removed; $2 is how many milliseconds they are kept.
type chore struct {
	name  string
	every time.Duration
	sql   string
	kept  func(*Retention) time.Duration
}

// keepHouse does the chores until ctx ends.
func (s *Store) keepHouse(ctx context.Context) {
	next := make([]time.Time, len(chores))
	nextExpiry := time.Now().Add(jitter(expireEvery))
	for i, c := range chores {
		next[i] = time.Now().Add(jitter(c.every))
	}
	for sleep(ctx, jitter(time.Second)) == nil {
		if err := s.welcome(ctx); err != nil && ctx.Err() == nil {
			s.log.Debug("housekeeping put off", "of", "newcomers", "err", err)
		}
		if !time.Now().Before(nextExpiry) {
			if err := s.expire(ctx); err != nil && ctx.Err() == nil {
				s.log.Debug("housekeeping put off", "of", "expired events", "err", err)
			}
			nextExpiry = time.Now().Add(jitter(expireEvery))
		}
		for i, c := range chores {
			if time.Now().Before(next[i]) || ctx.Err() != nil {
				continue
			}
			if err := s.do(ctx, c); err != nil && ctx.Err() == nil {
				s.log.Debug("housekeeping put off", "of", c.name, "err", err)
			}
			next[i] = time.Now().Add(jitter(c.every))
		}
	}
}

// expireEvery is how often expired events are looked for.
const expireEvery = 2 * time.Second

// choreAtOnce is how many rows a chore removes in one statement, and choreRest
// the pause between two.
const (
	choreAtOnce = 500
	choreRest   = 20 * time.Millisecond
)

// do does a chore until nothing is left of it.
func (s *Store) do(ctx context.Context, c chore) error {
	for {
		n, err := s.doOnce(ctx, c)
		if err != nil || n < choreAtOnce {
			return err
		}
		if err := sleep(ctx, choreRest); err != nil {
			return err
		}
	}
}

func (s *Store) doOnce(ctx context.Context, c chore) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	args := []any{choreAtOnce}
	if c.kept != nil {
		args = append(args, c.kept(&s.cfg.Retention).Milliseconds())
	}
	pool, err := s.own(ctx)
	if err != nil {
		return 0, err
	}
	err = pool.QueryRow(ctx, s.sql(c.sql), args...).Scan(&n)
	return n, storeError(c.name, err)
}
