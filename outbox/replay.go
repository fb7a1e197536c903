package outbox

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ReplayOptions say how dead letters are replayed.
type ReplayOptions struct {
	PerSecond float64 // at most this many; 0: as fast as it goes

	// BypassInbox makes functions run though the inbox remembers the event. Without
	// it, an event whose effects are committed is recognised, and done.
	BypassInbox bool

	// Progress is called after each step with the number replayed so far.
	Progress func(n int)
}

// replayAtOnce is how many dead letters one transaction replays.
const replayAtOnce = 200

const (
	// Subscriptions that were deleted since.
	replayMissingSQL = `select distinct kind, topic, name from {schema}.dead d where id <= $1
and not exists (select from {schema}.subscription s where s.kind = d.kind and s.topic = d.topic and s.name = d.name) and `

	// One statement takes letters out of the dead ones and puts them where they
	// are worked on, with their ids and no attempts: whatever ends the replay, each
	// is in one place.
	replaySQL = `with d as (
	delete from {schema}.dead where id = any (array(
		select id from {schema}.dead where id > $1 and id <= $2 and %WHERE% order by id limit $3 for update skip locked))
	returning *
), s as (
	select d.*, s.id as queue from d join {schema}.subscription s using (kind, topic, name)
), e as (
	insert into {schema}.delivery (queue, rank, key, event_id, header, data, created_at, replayed)
	select queue, rank, key, event_id, header, data, created_at, $4 from s where kind <> 'trigger' order by id
), p as (
	insert into {schema}.parked (queue, rank, key, source, event_id, body_hash, header, data, created_at, replayed, run_at)
	select queue, rank, key, source, event_id, body_hash, header, data, created_at, $4, clock_timestamp()
	from s where kind = 'trigger' order by id
	on conflict (queue, source, event_id, body_hash) where source is not null do nothing
) select count(*), coalesce(max(id), 0) from d`
)

// Replay hands the dead letters that f selects back to what failed on them, with
// the same ids and new attempts, and returns how many. It ends when ctx does;
// what was not replayed by then is still a dead letter. Those that die again
// meanwhile are left for the next time.
func (s *Store) Replay(ctx context.Context, f Filter, o ReplayOptions) (n int, err error) {
	last, err := s.lastDead(ctx)
	if err != nil {
		return 0, err
	}
	r := replay{store: s, filter: f, options: o, last: last}
	if err := r.restore(ctx); err != nil {
		return 0, err
	}
	for {
		start := time.Now()
		step, err := r.step(ctx)
		n += step
		if o.Progress != nil && step > 0 {
			o.Progress(n)
		}
		if err != nil || step == 0 {
			return n, err
		}
		if err := sleep(ctx, r.pause(step)-time.Since(start)); err != nil {
			return n, err
		}
	}
}

// A replay is one that is under way. It goes through the letters by id.
type replay struct {
	store   *Store
	filter  Filter
	options ReplayOptions
	after   int64 // the last one replayed
	last    int64 // the last one there was when it began
}

// atOnce is the size of a step: a tenth of a second's worth.
func (r *replay) atOnce() int {
	if r.options.PerSecond <= 0 {
		return replayAtOnce
	}
	return min(replayAtOnce, max(1, int(r.options.PerSecond/10)))
}

func (r *replay) pause(step int) time.Duration {
	if r.options.PerSecond <= 0 {
		return 0
	}
	return time.Duration(float64(step) / r.options.PerSecond * float64(time.Second))
}

// step replays the next letters. One that has begun ends, whatever becomes of
// ctx: else nobody could say how many were replayed.
func (r *replay) step(ctx context.Context) (n int, err error) {
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	where, args := r.filter.where(4)
	b := r.store.newBatch()
	b.queue(strings.Replace(replaySQL, "%WHERE%", where, 1), append([]any{r.after, r.last, r.atOnce(), r.options.BypassInbox}, args...)...).
		QueryRow(func(row pgx.Row) error {
			var to int64
			err := row.Scan(&n, &to)
			r.after = max(r.after, to)
			return err
		})
	if err := b.run(ctx); err != nil {
		return 0, storeError("replay dead letters", err)
	}
	if n > 0 {
		r.store.consumers.wake(everyone)
	}
	return n, nil
}

// restore makes the subscriptions again that letters belong to and that were
// deleted.
func (r *replay) restore(ctx context.Context) error {
	where, args := r.filter.where(1)
	var missing []target
	var names []string
	err := r.store.ask(ctx, "replay dead letters", func(ctx context.Context, db *pgxpool.Pool) error {
		rows, err := db.Query(ctx, inSchema(r.store.cfg.Schema, replayMissingSQL+where), append([]any{r.last}, args...)...)
		if err != nil {
			return err
		}
		var t target
		var name string
		_, err = pgx.ForEachRow(rows, []any{&t.kind, &t.topic, &name}, func() error {
			missing, names = append(missing, t), append(names, name)
			return nil
		})
		return err
	})
	for i, t := range missing {
		if err == nil {
			_, err = r.store.subscription(ctx, t.kind, t.topic, names[i])
		}
	}
	return err
}

// lastDead returns the id of the newest dead letter.
func (s *Store) lastDead(ctx context.Context) (id int64, err error) {
	err = s.ask(ctx, "replay dead letters", func(ctx context.Context, db *pgxpool.Pool) error {
		return db.QueryRow(ctx, s.sql(`select coalesce(max(id), 0) from {schema}.dead`)).Scan(&id)
	})
	return id, err
}
