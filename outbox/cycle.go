package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// linger is how long an outcome waits for company before it is written.
const linger = 2 * time.Millisecond

// plan begins a cycle if it is time for one, and returns how long to wait if
// nothing happens before.
func (l *loop) plan() time.Duration {
	if l.cycling {
		return checkUp
	}
	now := time.Now()
	if now.Before(l.nextTry) {
		return l.nextTry.Sub(now)
	}
	write := l.writeAt(now)
	look := l.lookAt(now)
	if now.Before(write) && now.Before(look) {
		return min(write.Sub(now), look.Sub(now))
	}
	l.begin(!l.paused() && l.want() > 0)
	return checkUp
}

// writeAt says when the outcomes shall be written: at once if nothing else is
// going on, or if there are many.
func (l *loop) writeAt(now time.Time) time.Time {
	switch n := len(l.outcomes); {
	case n == 0 && l.strays:
		return now
	case n == 0:
		return now.Add(checkUp)
	case l.hands.held() == 0 || n >= max(64, l.fetch.ahead/2):
		return now
	}
	return l.oldest.Add(linger)
}

// lookAt says when to claim.
func (l *loop) lookAt(now time.Time) time.Time {
	if l.paused() {
		return l.pausedUntil
	}
	if !l.store.lease.valid() {
		return now.Add(firstLook)
	}
	at := l.look.at()
	if want := l.want(); want == 0 || at.IsZero() && l.hands.held() > 0 && want < l.fetch.ahead/2 {
		return now.Add(checkUp) // a row that is finished changes this
	}
	return at
}

// want is how many rows to claim.
func (l *loop) want() int {
	if l.pauses > 0 { // find out with one row whether things are well again
		return max(0, l.batch-l.hands.held())
	}
	return max(0, l.fetch.ahead-l.hands.held())
}

// A cycleRequest is one transaction: what was done is written, then more is claimed.
type cycleRequest struct {
	number   int
	outcomes []outcome
	ours     []int32
	owner    int32
	strays   bool    // more than what is in hand may be ours by mistake
	hand     []int64 // rows in hand, whichever table they are in
	kept     []int64 // of these, deliveries that we hold
	changed  bool    // kept is not what the tables say
	newest   *row    // the last event that is done, to be noted; or nil

	want   int // rows to claim; 0: none
	window int
	perKey int
	sweep  bool
	water  lowWater
	from   [][ranks]int64 // where each claim begins
}

// A cycleResult is what became of it.
type cycleResult struct {
	cycleRequest
	rows      []*row
	windows   [][]windowRow
	due       int // parked rows claimed
	lastSeq   int64
	oldest    int64
	id        string
	snapshot  string
	sweepCost int64 // microseconds
	err       error
}

// begin starts a cycle.
func (l *loop) begin(claim bool) {
	l.cycles++
	l.cycling = true
	req := cycleRequest{number: l.cycles, outcomes: l.outcomes, owner: l.store.lease.id(), water: l.water}
	req.ours = l.ours(req.owner)
	l.outcomes = nil
	req.strays, req.changed = l.strays, l.strays || slices.ContainsFunc(req.outcomes, func(o outcome) bool { return !o.row.parked })
	req.hand, req.kept = l.hands.seqs(req.owner)
	if l.newest != nil && (time.Since(l.noted) >= noteEvery || l.look.idle > 10*firstLook) {
		req.newest, l.newest, l.noted = l.newest, nil, time.Now()
	}
	if claim && l.store.lease.valid() {
		if l.hands.held() == 0 && l.look.hungry {
			l.fetch.starved = true
		}
		l.ask(&req)
	}
	go func() { l.cycled <- l.cycle(req) }()
}

// ours are the ids under which rows in hand were claimed.
func (l *loop) ours(current int32) []int32 {
	ids := []int32{current}
	add := func(r *row) {
		if !slices.Contains(ids, r.owner) {
			ids = append(ids, r.owner)
		}
	}
	for _, r := range l.hands.running {
		add(r)
	}
	for _, o := range l.outcomes {
		add(o.row)
	}
	return ids
}

// ask says what the cycle shall claim.
func (l *loop) ask(req *cycleRequest) {
	req.want = l.want()
	req.window = req.want
	req.perKey = max(1, l.fetch.ahead/4)
	req.sweep = l.water.due(time.Now())
	req.from = [][ranks]int64{l.water.next}
	if l.water.keyed {
		req.window = min(max(4*req.want, 200), mostLooked)
		if l.water.deep {
			req.from = append(req.from, l.water.ahead)
		}
	}
}

// noteSQL remembers the last event of a queue, for people to see. It is noted at
// most once per noteEvery, and when nothing else happens.
const noteSQL = `update {schema}.subscription set last_at = $2, last_id = $3
where id = $1 and (last_at is null or last_at < $2)`

const noteEvery = time.Second

// cycleTimeout bounds one cycle.
const cycleTimeout = 10 * time.Second

// cycle runs the transaction.
func (c *Consumer) cycle(req cycleRequest) (res cycleResult) {
	res.cycleRequest = req
	ctx, cancel := context.WithTimeout(context.Background(), cycleTimeout)
	defer cancel()
	b := c.store.newBatch()
	c.queueCycle(b, &req, &res)
	if err := b.run(ctx); err != nil {
		res.err = fmt.Errorf("%s: %w", c, err)
		return res
	}
	if c.prepare != nil {
		for _, r := range res.rows {
			c.prepare(r)
		}
	}
	return res
}

// queueCycle puts the statements of a cycle into b and arranges for their results.
func (c *Consumer) queueCycle(b *batch, req *cycleRequest, res *cycleResult) {
	b.queue(beginSQL, c.store.lockClass, int32(c.queue), len(req.outcomes) == 0 && !req.changed)
	if req.sweep {
		b.queue(lastSeqSQL).QueryRow(func(row pgx.Row) error { return row.Scan(&res.lastSeq) })
	}
	w := new(writer)
	for _, o := range req.outcomes {
		w.add(o)
	}
	w.queue(b, c, req.ours)
	if req.strays {
		b.queue(parkedStraysSQL, c.queue, req.ours, req.hand)
	}
	if r := req.newest; r != nil {
		b.queue(noteSQL, c.queue, r.created, r.id)
	}
	held, fast, floor := req.water.args()
	if req.want == 0 {
		if req.changed {
			b.queue(keepSQL, c.queue, held, fast, floor, req.kept, req.owner, true)
		}
		return
	}
	b.queue(inheritSQL, c.queue, held, fast, floor, allRanks)
	if req.sweep {
		b.queue(sweepSQL, c.queue, held, fast, floor, allRanks).QueryRow(func(row pgx.Row) error {
			return row.Scan(&res.oldest, &res.id, &res.snapshot, &res.sweepCost)
		})
	}
	b.queue(claimParkedSQL, c.queue, held, fast, floor, req.ours, req.owner, req.want, mostMemory).Query(func(rows pgx.Rows) error {
		taken, _, err := scanRows(rows, true)
		res.rows, res.due = append(res.rows, taken...), len(taken)
		return err
	})
	for i, from := range req.from {
		sweep, kept := req.sweep && i == 0, req.kept
		if i > 0 {
			kept = nil // as the first claim has left it
		}
		b.queue(claimSQL, c.queue, held, fast, floor, kept, req.owner, req.changed && i == 0,
			req.ours, allRanks, from[:], sweep, req.window, req.want, req.perKey, mostMemory).
			Query(func(rows pgx.Rows) error {
				taken, window, err := scanRows(rows, false)
				res.rows, res.windows = append(res.rows, taken...), append(res.windows, window)
				return err
			})
	}
}

// apply takes in the result of a cycle.
func (l *loop) apply(r cycleResult) {
	l.cycling = false
	l.hands.written(r.number, r.err == nil)
	if r.err != nil {
		l.failed(r)
		return
	}
	if l.tries > 0 {
		l.log.Info("store is back", "after", l.tries)
		l.tries = 0
	}
	if l.pauses == 0 {
		l.status.set(Running, nil)
	}
	l.strays = l.strays && !r.strays
	if r.want == 0 {
		return
	}
	l.learn(r)
	l.fetch.size(r.rows)
	l.fetch.adapt()
	if r.number <= l.dropped {
		l.giveBack(r.rows)
		return
	}
	for _, o := range l.hands.add(r.rows) {
		l.outcome(o)
	}
}

// failed keeps the outcomes for the next cycle. What was claimed and not begun
// is given up: nobody knows whether the claim was committed, or is still in force.
func (l *loop) failed(r cycleResult) {
	l.outcomes = append(r.outcomes, l.outcomes...)
	l.giveUp()
	l.water = lowWater{}
	l.tries++
	l.nextTry = time.Now().Add(backOff(l.tries))
	l.status.set(Waiting, r.err)
	l.store.failed(r.err)
	if l.tries == 1 {
		l.log.Warn("store out of reach", "err", r.err)
	}
}

// learn adapts to what the claims of a cycle saw.
func (l *loop) learn(r cycleResult) {
	now := time.Now()
	full := l.water.windows(&r)
	if r.sweep {
		id, err := strconv.ParseUint(r.id, 10, 64)
		running, err2 := parseRunning(r.snapshot)
		if err := errors.Join(err, err2); err != nil {
			l.log.Error("sweep not understood", "err", err)
		} else {
			l.water.observe(r.lastSeq, id, r.oldest, running)
		}
		l.water.swept, l.water.sweepCost = now, time.Duration(r.sweepCost)*time.Microsecond
	}
	l.look.found(now, len(r.rows), full || r.due == r.want)
	l.probe.Store(l.water.probe())
}
