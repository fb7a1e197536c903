package outbox

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// How long a replica's claims last. All times of the tables are by the clock of
// Postgres; a replica measures only how long ago it renewed.
const (
	leaseTime  = 20 * time.Second // after the last renewal, others take what it holds
	leaseRenew = 5 * time.Second
	leaseSafe  = 15 * time.Second // after the last renewal, it begins nothing any more
)

const (
	leaseSQL = `insert into {schema}.replica (name, expires_at)
values ($1, clock_timestamp() + $2::bigint * interval '1 ms') returning id`
	renewSQL = `update {schema}.replica set expires_at = clock_timestamp() + $2::bigint * interval '1 ms', queues = $3, elsewhere = $4
where id = $1 and expires_at > clock_timestamp()`
	endLeaseSQL = `delete from {schema}.replica where id = $1`
)

// A lease is what makes the claims of a replica count. It is renewed as long as
// the replica lives. One that was not renewed in time is lost for good: others
// may have taken over, so the replica goes on under a new id.
type lease struct {
	store *Store

	served chan struct{} // holds one: what this replica serves has changed

	mu      sync.Mutex
	replica int32
	renewed time.Time
}

// id returns the id to claim with; 0 before the first lease.
func (l *lease) id() int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.replica
}

// valid reports whether what was claimed may be begun.
func (l *lease) valid() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.replica != 0 && time.Since(l.renewed) < leaseSafe
}

func (l *lease) set(replica int32, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.replica, l.renewed = replica, at
}

// begin takes a new lease.
func (l *lease) begin(ctx context.Context, db queryRower) error {
	start := time.Now()
	var id int32
	err := db.QueryRow(ctx, l.store.sql(leaseSQL), l.store.cfg.Name, leaseTime.Milliseconds()).Scan(&id)
	if err != nil {
		return storeError("take a lease", err)
	}
	l.set(id, start)
	return nil
}

// keep renews the lease until ctx ends.
func (l *lease) keep(ctx context.Context) {
	wait := jitter(leaseRenew)
	for try := 1; l.wait(ctx, wait) == nil; {
		err := l.renew(ctx)
		if err == nil {
			l.store.worked()
			wait, try = jitter(leaseRenew), 1
			continue
		}
		if ctx.Err() != nil {
			return
		}
		l.store.failed(err)
		wait = min(backOff(try), leaseRenew)
		try++
	}
}

// wait waits for d, or until what is served has changed.
func (l *lease) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-l.served:
		return sleep(ctx, firstLook) // more may change at once
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// changed makes the lease say soon what this replica serves.
func (l *lease) changed() {
	select {
	case l.served <- struct{}{}:
	default:
	}
}

func (l *lease) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaseRenew)
	defer cancel()
	pool, err := l.store.own(ctx)
	if err != nil {
		return err
	}
	start := time.Now()
	tag, err := pool.Exec(ctx, l.store.sql(renewSQL), l.id(), leaseTime.Milliseconds(), l.store.consumers.queues(everyone),
		l.store.consumers.queues(func(c *Consumer) bool { return c.elsewhere }))
	if err != nil {
		return storeError("renew the lease", err)
	}
	if tag.RowsAffected() == 1 {
		l.set(l.id(), start)
		return nil
	}
	l.store.log.Warn("the lease ended before it was renewed; others may have taken over what was claimed", "replica", l.id())
	return l.begin(ctx, pool)
}

// end gives the lease back, so that others need not wait for its end.
func (l *lease) end() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	pool, err := l.store.own(ctx)
	if err == nil {
		_, err = pool.Exec(ctx, l.store.sql(endLeaseSQL), l.id())
	}
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		l.store.log.Warn("lease not given back", "err", err)
	}
	l.set(0, time.Time{})
}
