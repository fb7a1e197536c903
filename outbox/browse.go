package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A Place is where a stored event is on its way.
type Place string

// The places of an event.
const (
	Queued   Place = "queued"   // waits for its first call
	InFlight Place = "inflight" // claimed by a replica
	Retrying Place = "retrying" // failed, and waits for its next call
	Behind   Place = "behind"   // waits behind a failed event of its key
	Delayed  Place = "delayed"  // not due yet
)

// A StoredEvent is an event as it lies in the store.
type StoredEvent struct {
	Event        event.Event
	Subscription string // whose copy it is; empty if nobody has subscribed, or it is delayed
	Key          string
	Place        Place
	Published    time.Time
	Due          time.Time // of Retrying and Delayed
	Expires      time.Time // zero: never
	Attempts     int       // failed calls
	Cause        string    // the last error
	Err          error     // why the row cannot be read, if it cannot
}

// browseSQL sorts only what each part has to offer, because a queue may be long.
//
//	$1 kind · $2 topic · $3 offset · $4 limit · $5 ranks
const browseSQL = `select * from (
	(select d.seq, d.rank, s.name, d.key,
		case when d.seq in (select unnest(seqs) from {schema}.claim) then 'inflight' else 'queued' end as place, d.created_at, null::timestamptz as due,
		d.expires_at, 0 as attempts, ''::text as error, d.event_id, d.header::text, coalesce(d.data, p.data) as data, 1 as part
	from {schema}.subscription s, unnest($5::smallint[]) k (rank), lateral (
		select d.* from {schema}.delivery d where d.queue = s.id and d.rank = k.rank order by d.seq limit $3::bigint + $4::bigint
	) d left join {schema}.payload p on p.id = d.payload_id
	where s.kind = $1 and s.topic = $2)
	union all
	(select d.seq, d.rank, s.name, d.key, case when d.owner <> 0 then 'inflight' when d.run_at = 'infinity' then 'behind' else 'retrying' end, d.created_at,
		nullif(d.run_at, 'infinity'), d.expires_at, d.attempts, coalesce(d.error, ''), d.event_id, d.header::text, coalesce(d.data, p.data), 0
	from {schema}.subscription s join {schema}.parked d on d.queue = s.id left join {schema}.payload p on p.id = d.payload_id
	where s.kind = $1 and s.topic = $2 order by d.rank, d.seq limit $3::bigint + $4::bigint)
	union all
	(select d.id, d.rank, '', d.key, 'delayed', d.created_at, d.run_at, d.expires_at, 0, '', d.event_id, d.header::text, d.data, 2
	from {schema}.delayed d where d.kind = $1 and d.topic = $2 order by d.rank, d.id limit $3::bigint + $4::bigint)
) e order by part, rank, seq offset $3 limit $4`

// Browse returns events of a target ("FUNCTION" or "topic:NAME") as they lie in
// the store, without taking them: what is retried first, then what is queued,
// then what is delayed. It skips as many as skip says and returns up to limit.
func (s *Store) Browse(ctx context.Context, target string, skip, limit int) (events []StoredEvent, err error) {
	t, err := s.findTarget(ctx, target)
	if err != nil {
		return nil, err
	}
	err = s.ask(ctx, "browse "+target, func(ctx context.Context, db *pgxpool.Pool) error {
		rows, err := db.Query(ctx, s.sql(browseSQL), t.kind, t.topic, max(0, skip), max(1, limit), allRanks)
		if err != nil {
			return err
		}
		events, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (StoredEvent, error) { return scanStored(row, t) })
		return err
	})
	return events, err
}

func scanStored(rows pgx.CollectableRow, t target) (e StoredEvent, err error) {
	var seq int64
	var rank, part int
	var key *string
	var due, expires *time.Time
	var id string
	var header, data []byte
	err = rows.Scan(&seq, &rank, &e.Subscription, &key, &e.Place, &e.Published, &due, &expires, &e.Attempts, &e.Cause, &id, &header, &data, &part)
	if err != nil {
		return e, err
	}
	if key != nil {
		e.Key = *key
	}
	e.Due, e.Expires = timeOf(due), timeOf(expires)
	a, err := decodeAttributes(header)
	if err == nil {
		a.complete(t, e.Published)
		e.Event, err = a.event(id, data)
	}
	e.Err = err
	return e, nil
}

// findTarget reads a target; a name without "topic:" that is no function's may be
// a topic's.
func (s *Store) findTarget(ctx context.Context, name string) (t target, err error) {
	topic, err := s.Topic(ctx, name)
	if err != nil {
		return t, err
	}
	return parseTarget(topic.Target)
}

const (
	// $1 queue · $2 at once
	purgeDeliverySQL = `delete from {schema}.delivery where ctid = any (array(
	select d.ctid from {schema}.delivery d where d.queue = $1
		and d.seq not in (select unnest(c.seqs) from {schema}.claim c
			where c.queue = $1 and c.replica = any (array(select id from {schema}.replica where expires_at > now())))
	limit $2))`
	purgeParkedSQL = `delete from {schema}.parked where ctid = any (array(
	select d.ctid from {schema}.parked d where d.queue = $1
		and not d.owner = any (array(select id from {schema}.replica where expires_at > now()))
	limit $2 for update skip locked))`

	// $1 kind · $2 topic · $3 at once
	purgeDelayedSQL = `delete from {schema}.delayed where ctid = any (array(
	select d.ctid from {schema}.delayed d where d.kind = $1 and d.topic = $2 limit $3 for update skip locked))`

	// $1 kind · $2 topic · $3 name, or * for all
	queuesOfSQL = `select distinct id from {schema}.subscription where kind = $1 and topic = $2 and ($3 = '*' or name = $3)`
)

// Purge removes all events of a target but those in flight, for good, and
// returns how many it removed; an event with several subscriptions counts for each.
func (s *Store) Purge(ctx context.Context, target string) (n int, err error) {
	t, err := s.findTarget(ctx, target)
	if err != nil {
		return 0, err
	}
	return s.purge(ctx, t, "*")
}

// purge removes the events of one subscription, or of all ("*") and those that
// are not due.
func (s *Store) purge(ctx context.Context, t target, subscription string) (n int, err error) {
	what := "purge " + t.String()
	var queues []int64
	err = s.ask(ctx, what, func(ctx context.Context, db *pgxpool.Pool) error {
		rows, err := db.Query(ctx, s.sql(queuesOfSQL), t.kind, t.topic, subscription)
		if err != nil {
			return err
		}
		queues, err = pgx.CollectRows(rows, pgx.RowTo[int64])
		return err
	})
	if err != nil {
		return 0, err
	}
	remove := func(do func(context.Context, *pgxpool.Pool) (int64, error)) {
		if err == nil {
			var removed int
			removed, err = s.inBatches(ctx, what, do)
			n += removed
		}
	}
	for _, queue := range queues {
		remove(func(ctx context.Context, _ *pgxpool.Pool) (n int64, err error) {
			return s.alone(ctx, queue, purgeDeliverySQL, queue, removeAtOnce)
		})
		remove(func(ctx context.Context, db *pgxpool.Pool) (int64, error) {
			tag, err := db.Exec(ctx, s.sql(purgeParkedSQL), queue, removeAtOnce)
			return tag.RowsAffected(), err
		})
	}
	if subscription == "*" {
		remove(func(ctx context.Context, db *pgxpool.Pool) (int64, error) {
			tag, err := db.Exec(ctx, s.sql(purgeDelayedSQL), t.kind, t.topic, removeAtOnce)
			return tag.RowsAffected(), err
		})
	}
	return n, err
}

// ErrServed is wrapped by the error about a subscription that cannot be deleted
// because a replica serves it.
var ErrServed = errors.New("a replica serves it")

const (
	servedSQL = `select s.id, exists (select from {schema}.replica where expires_at > now() and s.id = any (queues))
from {schema}.subscription s where s.kind = $1 and s.topic = $2 and s.name = $3`
	deleteSubscriptionSQL = `with d as (
	delete from {schema}.subscription where kind = $1 and topic = $2 and name = $3 returning id, kind, topic
) insert into {schema}.leaver (queue, kind, topic) select * from d where kind <> 'topic'`
)

// DeleteSubscription removes a subscription of a target that nobody serves any
// more, with all events it still has to do, and returns how many these were. Of
// a function the name is the function's.
func (s *Store) DeleteSubscription(ctx context.Context, target, name string) (n int, err error) {
	t, err := parseTarget(target)
	if err != nil {
		return 0, err
	}
	what := fmt.Sprintf("delete subscription %s of %s", name, target)
	err = s.ask(ctx, what, func(ctx context.Context, db *pgxpool.Pool) error {
		var id int
		var served bool
		if err := db.QueryRow(ctx, s.sql(servedSQL), t.kind, t.topic, name).Scan(&id, &served); err != nil {
			return notFound(err)
		}
		if served {
			return ErrServed
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if n, err = s.purge(ctx, t, name); err != nil {
		return n, err
	}
	return n, s.ask(ctx, what, func(ctx context.Context, db *pgxpool.Pool) error {
		_, err := db.Exec(ctx, s.sql(deleteSubscriptionSQL), t.kind, t.topic, name)
		return err
	})
}
