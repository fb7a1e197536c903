package outbox

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// consumers are the consumers that run, by queue.
type consumers struct {
	mu     sync.Mutex
	byID   map[int64]*Consumer
	change chan struct{} // closed when one has gone
}

// attach adds a consumer. There is one for each queue at a time: the next one
// waits until the one before has ended.
func (s *Store) attach(ctx context.Context, c *Consumer) (detach func(), err error) {
	for {
		gone, ok := s.consumers.add(c)
		if ok {
			s.lease.changed()
			return func() {
				s.consumers.remove(c)
				s.lease.changed()
			}, nil
		}
		select {
		case <-gone:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// add adds c, or returns a channel that is closed when it is worth another try.
func (cs *consumers) add(c *Consumer) (gone <-chan struct{}, ok bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.byID == nil {
		cs.byID, cs.change = make(map[int64]*Consumer), make(chan struct{})
	}
	if cs.byID[c.queue] != nil {
		return cs.change, false
	}
	cs.byID[c.queue] = c
	return nil, true
}

func (cs *consumers) remove(c *Consumer) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.byID, c.queue)
	close(cs.change)
	cs.change = make(chan struct{})
}

// queues lists the ids of what is served by consumers that match.
func (cs *consumers) queues(match func(*Consumer) bool) []int64 {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	ids := make([]int64, 0, len(cs.byID))
	for id, c := range cs.byID {
		if match(c) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// wake wakes the consumers that match.
func (cs *consumers) wake(match func(*Consumer) bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for _, c := range cs.byID {
		if match(c) {
			c.wake()
		}
	}
}

func everyone(*Consumer) bool { return true }

// listening returns a match for the subscriptions of a topic.
func listening(kind, topic string) func(*Consumer) bool {
	return func(c *Consumer) bool { return c.kind == kind && c.topic == topic }
}

// listen wakes consumers when a notification comes, on a connection of its own.
// Notifications are hints; none is missed for long, because poll looks anyway.
func (s *Store) listen(ctx context.Context, cfg *pgx.ConnConfig) {
	for try := 1; ctx.Err() == nil; try++ {
		start := time.Now()
		err := s.listenOnce(ctx, cfg)
		if ctx.Err() != nil {
			return
		}
		if time.Since(start) > time.Minute {
			try = 1
		}
		s.log.Debug("listening ended, polling goes on", "err", err)
		if sleep(ctx, backOff(try)) != nil {
			return
		}
	}
}

// quiet is how long a connection may bring nothing before it is tested.
const quiet = 30 * time.Second

func (s *Store) listenOnce(ctx context.Context, cfg *pgx.ConnConfig) error {
	conn, err := s.subscribeChannel(ctx, cfg)
	if err != nil {
		return err
	}
	defer closeConn(conn)
	s.consumers.wake(everyone)
	for {
		n, err := waitFor(ctx, conn)
		switch {
		case err == nil:
			kind, topic, _ := strings.Cut(n.Payload, " ")
			if kind == configured && s.cfg.Configured != nil {
				s.cfg.Configured()
			}
			s.consumers.wake(listening(kind, topic))
		case ctx.Err() == nil && pgconn.Timeout(err):
			if err := ping(ctx, conn); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

func (s *Store) subscribeChannel(ctx context.Context, cfg *pgx.ConnConfig) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, cfg.Copy())
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "listen "+pgx.Identifier{schemaName(s.cfg.Schema)}.Sanitize()); err != nil {
		closeConn(conn)
		return nil, err
	}
	return conn, nil
}

func waitFor(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	ctx, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	return conn.WaitForNotification(ctx)
}

func ping(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return conn.Ping(ctx)
}

func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := conn.Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return // it is gone all the same
	}
}

// A probe is what the poll needs to know of a queue: its floor (see lowwater.go).
type probe struct {
	held        string
	fast, floor int64
}

// pollEvery is how often the store looks whether any queue has work, whatever
// was notified: no less than every 250 ms.
const pollEvery = 200 * time.Millisecond

// pollSQL returns the queues that have rows to claim, and 0 if delayed events
// are due. One statement asks for all of a process.
//
//	$1 queues · $2 held · $3 fast · $4 floor, of each · $5 ranks
const pollSQL = `with live as materialized (
	select array(select id from {schema}.replica where expires_at > now()) as ids
), q as materialized (
	select q.id, case when exists (
		select from unnest(string_to_array(q.held, ',')) x where pg_visible_in_snapshot(x::xid8, pg_current_snapshot())
	) then q.floor else q.fast end as floor
	from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) q (id, held, fast, floor)
), h as materialized (
	select unnest(c.seqs) as seq from q, lateral (
		select c.seqs from {schema}.claim c where c.queue = q.id and c.top >= q.floor and c.replica = any ((select ids from live)::int[])) c
)
select q.id from q where exists (
	select from unnest($5::smallint[]) l (rank), lateral (
		select from {schema}.delivery d where d.queue = q.id and d.rank = l.rank and d.seq >= q.floor
			and d.seq not in (select seq from h)
		limit 1) d
) or exists (
	select from {schema}.parked d where d.queue = q.id and d.run_at <= now()
		and (d.owner = 0 or d.owner <> all ((select ids from live)::int[]))
)
union all
select 0 where exists (select from {schema}.delayed where run_at <= now())`

// poll looks for work of all consumers until ctx ends.
func (s *Store) poll(ctx context.Context) {
	for sleep(ctx, jitter(pollEvery)) == nil {
		queues, err := s.pollOnce(ctx)
		if err != nil {
			if ctx.Err() == nil {
				s.failed(err)
			}
			continue
		}
		s.worked()
		if slices.Contains(queues, 0) {
			s.promote(ctx)
		}
		s.consumers.wake(func(c *Consumer) bool { return slices.Contains(queues, c.queue) })
	}
}

func (s *Store) pollOnce(ctx context.Context) (queues []int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, cycleTimeout)
	defer cancel()
	ids := s.consumers.queues(everyone)
	held, fast, floor := make([]string, len(ids)), make([]int64, len(ids)), make([]int64, len(ids))
	for i, id := range ids {
		c := s.consumers.find(id)
		if c == nil {
			continue
		}
		if p := c.probe.Load(); p != nil {
			held[i], fast[i], floor[i] = p.held, p.fast, p.floor
		}
	}
	b := s.newBatch()
	b.queue(planSQL)
	b.queue(pollSQL, ids, held, fast, floor, allRanks).Query(func(rows pgx.Rows) error {
		queues, err = pgx.CollectRows(rows, pgx.RowTo[int64])
		return err
	})
	if err := b.run(ctx); err != nil {
		return nil, storeError("look for work", err)
	}
	return queues, nil
}

// find returns the consumer of a queue; nil if there is none.
func (cs *consumers) find(id int64) *Consumer {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.byID[id]
}
