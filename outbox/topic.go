package outbox

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A Topic is everything that was published to one target and is not done.
type Topic struct {
	Name     string // the function's or the topic's, without "topic:"
	Target   string // what to publish to: "FUNCTION" or "topic:NAME"
	Function bool   // it is a function

	Depth   int       // events that the subscription with the most still has to do, and those not due yet
	Delayed int       // of these, not due yet
	Oldest  time.Time // when the oldest of them was published; zero: there is none
	Last    time.Time // when the last one was published; zero: never
	LastID  string    // its id

	Subscriptions []SubscriptionStatus
}

// A SubscriptionStatus says what one subscription has to do.
type SubscriptionStatus struct {
	Name     string // empty: nobody has subscribed yet; the first one who does gets all of it
	Served   bool   // a replica that lives serves it
	Depth    int    // events it has to do, those to be retried included
	Retrying int    // of these, failed before, or waiting behind one that did
	InFlight int    // of these, claimed by a replica
	Oldest   time.Time
	Created  time.Time

	// Error is why this replica's consumer waits or is paused; else the last error
	// of an event that is to be retried, on whatever replica.
	Error string
}

const topicsSQL = `with d as (
	select queue, count(*) as n, 0 as parked, count(*) filter (where seq in (select unnest(seqs) from {schema}.claim)) as claimed,
		min(created_at) as oldest
	from {schema}.delivery group by queue
	union all
	select queue, count(*), count(*), count(*) filter (where owner <> 0), min(created_at) from {schema}.parked group by queue
), q as (
	select queue, sum(n)::bigint as n, sum(parked)::bigint as parked, sum(claimed)::bigint as claimed, min(oldest) as oldest
	from d group by queue
), served as (
	select distinct unnest(queues) as queue from {schema}.replica where expires_at > now()
)
select s.kind, s.topic, s.name, s.created_at, exists (select from served where queue = s.id),
	coalesce(q.n, 0), coalesce(q.parked, 0), coalesce(q.claimed, 0), q.oldest,
	case when l.created_at > s.last_at or s.last_at is null then l.created_at else s.last_at end,
	coalesce(case when l.created_at > s.last_at or s.last_at is null then l.event_id else s.last_id end, ''),
	coalesce(y.n, 0), y.oldest, s.id, coalesce(e.error, '')
from {schema}.subscription s
left join q on q.queue = s.id
left join lateral (
	select r.created_at, r.event_id from unnest($2::smallint[]) k (rank), lateral (
		select d.created_at, d.event_id, d.seq from {schema}.delivery d
		where d.queue = s.id and d.rank = k.rank order by d.seq desc limit 1) r
	order by r.seq desc limit 1
) l on true
left join lateral (
	select count(*) as n, min(created_at) as oldest from {schema}.delayed y where y.topic = s.topic and y.kind = s.kind
) y on true
left join lateral (
	select p.error from {schema}.parked p where p.queue = s.id and p.error is not null order by p.last_at desc limit 1
) e on true
where s.kind = any ($1::text[]) and ($3 = '' or s.topic = $3)
order by s.kind, s.topic, s.name`

// Topics returns all topics and functions that were ever published or
// subscribed to, by kind and name.
func (s *Store) Topics(ctx context.Context) ([]Topic, error) {
	return s.topics(ctx, []string{kindFunction, kindTopic}, "")
}

// Topic returns one topic, by "FUNCTION" or "topic:NAME"; a name without
// "topic:" is looked for among functions first. The error of one that is not
// there wraps [ErrNotFound].
func (s *Store) Topic(ctx context.Context, name string) (Topic, error) {
	t, err := parseTarget(name)
	if err != nil {
		return Topic{}, err
	}
	kinds := []string{kindFunction, kindTopic}
	if t.kind == kindTopic {
		kinds = kinds[1:]
	}
	topics, err := s.topics(ctx, kinds, t.topic)
	if err == nil && len(topics) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Topic{}, fmt.Errorf("topic %s: %w", name, err)
	}
	return topics[0], nil
}

// topics reads the subscriptions of the kinds, and of one topic if it is given.
func (s *Store) topics(ctx context.Context, kinds []string, topic string) (topics []Topic, err error) {
	err = s.ask(ctx, "list topics", func(ctx context.Context, db *pgxpool.Pool) error {
		rows, err := db.Query(ctx, s.sql(topicsSQL), kinds, allRanks, topic)
		if err != nil {
			return err
		}
		defer rows.Close()
		topics = nil
		for rows.Next() {
			if err := s.addSubscription(&topics, rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	return topics, err
}

// addSubscription adds a row of topicsSQL to the last topic, or to a new one.
func (s *Store) addSubscription(topics *[]Topic, rows pgx.Rows) error {
	var t target
	var sub SubscriptionStatus
	var oldest, last, delayedOldest *time.Time
	var lastID string
	var delayed int
	var queue int64
	err := rows.Scan(&t.kind, &t.topic, &sub.Name, &sub.Created, &sub.Served, &sub.Depth, &sub.Retrying, &sub.InFlight, &oldest,
		&last, &lastID, &delayed, &delayedOldest, &queue, &sub.Error)
	if err != nil {
		return err
	}
	if c := s.consumers.find(queue); c != nil {
		if err := c.Status().Err; err != nil {
			sub.Error = err.Error()
		}
	}
	if n := len(*topics); n == 0 || (*topics)[n-1].Target != t.String() {
		*topics = append(*topics, Topic{
			Name: t.topic, Target: t.String(), Function: t.kind == kindFunction,
			Delayed: delayed, Depth: delayed, Oldest: timeOf(delayedOldest),
		})
	}
	topic := &(*topics)[len(*topics)-1]
	sub.Oldest = timeOf(oldest)
	topic.Subscriptions = append(topic.Subscriptions, sub)
	topic.Depth = max(topic.Depth, sub.Depth+delayed)
	if !sub.Oldest.IsZero() && (topic.Oldest.IsZero() || sub.Oldest.Before(topic.Oldest)) {
		topic.Oldest = sub.Oldest
	}
	if last := timeOf(last); last.After(topic.Last) {
		topic.Last, topic.LastID = last, lastID
	}
	return nil
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// A Queue is what the store holds for a trigger or a binding.
type Queue struct {
	Name string // the trigger's or the binding's
	SubscriptionStatus
}

// ParkedRetries says, for each trigger on a broker, what it has parked.
func (s *Store) ParkedRetries(ctx context.Context) ([]Queue, error) {
	return s.queues(ctx, kindTrigger)
}

// StagedSends says, for each binding, what was staged and not sent yet.
func (s *Store) StagedSends(ctx context.Context) ([]Queue, error) {
	return s.queues(ctx, kindBinding)
}

func (s *Store) queues(ctx context.Context, kind string) ([]Queue, error) {
	topics, err := s.topics(ctx, []string{kind}, "")
	queues := make([]Queue, len(topics))
	for i, t := range topics {
		queues[i] = Queue{t.Name, t.Subscriptions[0]}
	}
	return queues, err
}
