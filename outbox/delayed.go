package outbox

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// promoteSQL makes deliveries of delayed events that are due. One that has a key
// takes its place in the order of the key only now.
const promoteSQL = `with due as (
	delete from {schema}.delayed where ctid = any (array(
		select ctid from {schema}.delayed where run_at <= now() order by run_at, id limit $1 for update skip locked))
	returning *
), n as materialized (
	select due.*, nextval(pg_get_serial_sequence('{schema}.payload', 'id')) as payload_id,
		(select count(distinct s.id) from {schema}.subscription s where s.topic = due.topic and s.kind = due.kind) as subscribers
	from due
), p as (
	insert into {schema}.payload (id, data) overriding system value
	select payload_id, data from n where subscribers > 1
), d as (
	insert into {schema}.delivery (queue, rank, key, event_id, header, data, payload_id, created_at, expires_at)
	select coalesce(s.id, n.queue), n.rank, n.key, n.event_id, n.header, case when subscribers <= 1 then n.data end,
		case when subscribers > 1 then payload_id end, n.created_at, n.expires_at
	from n left join (select distinct kind, topic, id from {schema}.subscription) s on s.topic = n.topic and s.kind = n.kind
	order by n.run_at, n.id
) select distinct kind, topic from n`

// promoteAtOnce is how many delayed events one statement promotes.
const promoteAtOnce = 500

// promote makes deliveries of the delayed events that are due, and wakes who
// waits for them.
func (s *Store) promote(ctx context.Context) {
	for ctx.Err() == nil {
		targets, err := s.promoteOnce(ctx)
		if err != nil {
			if ctx.Err() == nil {
				s.log.Warn("delayed events not delivered yet", "err", err)
			}
			return
		}
		if len(targets) == 0 {
			return
		}
		for _, t := range targets {
			s.consumers.wake(listening(t.kind, t.topic))
		}
	}
}

func (s *Store) promoteOnce(ctx context.Context) (targets []target, err error) {
	ctx, cancel := context.WithTimeout(ctx, cycleTimeout)
	defer cancel()
	b := s.newBatch()
	b.queue(promoteSQL, promoteAtOnce).Query(func(rows pgx.Rows) error {
		targets, err = pgx.CollectRows(rows, scanTarget)
		return err
	})
	if err := b.run(ctx); err != nil {
		return nil, storeError("promote delayed events", err)
	}
	return targets, nil
}
