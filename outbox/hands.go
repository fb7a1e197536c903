package outbox

import (
	"cmp"
	"slices"
)

// hands holds the rows that a consumer has claimed and not finished: in order,
// one row of a key at a time. It belongs to the consumer's loop.
type hands struct {
	ready   []*row           // may start, in order
	lanes   map[string]*lane // rows with a key
	running map[int64]*row   // by seq
	waiting int              // claimed and not started
	closed  int              // lanes with a failed row

	elsewhere bool // the worker sees to what has expired
}

// A lane is the rows of one key. Its first row is ready or running; the others
// wait for it.
type lane struct {
	rows []*row

	// failed is the seq of a row that will be tried again; nothing of the key may
	// start before that is written, by the cycle of that number.
	failed int64
	cycle  int
}

func newHands(elsewhere bool) *hands {
	return &hands{lanes: make(map[string]*lane), running: make(map[int64]*row), elsewhere: elsewhere}
}

// add takes in claimed rows, in any order, and returns what becomes of those
// that cannot be worked on now.
func (h *hands) add(rows []*row) (outcomes []outcome) {
	slices.SortFunc(rows, func(a, b *row) int { return cmp.Compare(a.seq, b.seq) }) // the order of a key
	before := len(h.ready)
	for _, r := range rows {
		switch {
		case h.running[r.seq] != nil:
			// Postgres forgot our claim in a crash, or our lease ended, and we have a new one.
			h.running[r.seq].owner = r.owner
		case r.expired() && !h.elsewhere:
			outcomes = append(outcomes, outcome{row: r, verdict: bury, cause: errExpired.Error()})
		case r.held:
			outcomes = append(outcomes, outcome{row: r, verdict: hold})
		case !r.keyed:
			h.ready = append(h.ready, r)
			h.waiting++
		default:
			if v, ok := h.enter(r); !ok {
				outcomes = append(outcomes, outcome{row: r, verdict: v})
			}
		}
	}
	// The order of what does not wait for its key.
	slices.SortStableFunc(h.ready[before:], func(a, b *row) int { return cmp.Compare(a.rank, b.rank) })
	return outcomes
}

// enter puts a row with a key into its lane; if that is closed, it says what
// becomes of the row.
func (h *hands) enter(r *row) (verdict, bool) {
	l := h.lanes[r.key]
	if l == nil {
		l = new(lane)
		h.lanes[r.key] = l
	}
	if l.failed != 0 {
		return behind(r, l.failed), false
	}
	l.rows = append(l.rows, r)
	h.waiting++
	if len(l.rows) == 1 {
		h.ready = append(h.ready, r)
	}
	return 0, true
}

// behind is the verdict for a row whose key has a failed row: what came after
// that one waits behind it; what came before it, and late, is free.
func behind(r *row, failed int64) verdict {
	if r.seq > failed {
		return hold
	}
	return release
}

// start marks the first n ready rows as running. No two of them have the same key.
func (h *hands) start(n int) {
	for _, r := range h.ready[:n] {
		h.running[r.seq] = r
	}
	h.ready = h.ready[n:]
	h.waiting -= n
}

// finish takes a row out and returns what becomes of the others of its key. The
// next cycle to begin writes its outcome.
func (h *hands) finish(r *row, v verdict, nextCycle int) (outcomes []outcome) {
	delete(h.running, r.seq)
	if !r.keyed {
		return nil
	}
	l := h.lanes[r.key]
	rest := l.rows[1:]
	switch v {
	case done, bury:
		l.rows = rest
		if len(rest) > 0 {
			h.ready = append(h.ready, rest[0])
		} else {
			delete(h.lanes, r.key)
		}
		return nil
	case again:
		l.rows, l.failed, l.cycle = nil, r.seq, nextCycle
		h.closed++
	default:
		delete(h.lanes, r.key)
	}
	h.waiting -= len(rest)
	for _, other := range rest {
		o := outcome{row: other, verdict: release}
		if v == again {
			o.verdict = behind(other, r.seq)
		}
		outcomes = append(outcomes, o)
	}
	return outcomes
}

// written opens the lanes whose failed rows the given cycle has written. If it
// did not, the next one will.
func (h *hands) written(cycle int, ok bool) {
	if h.closed == 0 {
		return
	}
	for key, l := range h.lanes {
		if l.failed == 0 || l.cycle > cycle {
			continue
		}
		if ok {
			delete(h.lanes, key)
			h.closed--
		} else {
			l.cycle = cycle + 1
		}
	}
}

// drop gives up what was not started, and returns it.
func (h *hands) drop() (dropped []*row) {
	for _, r := range h.ready {
		if !r.keyed {
			dropped = append(dropped, r)
		}
	}
	h.ready = nil
	for key, l := range h.lanes {
		if len(l.rows) == 0 {
			continue // closed
		}
		keep := 0
		if h.running[l.rows[0].seq] == l.rows[0] {
			keep = 1
		}
		dropped = append(dropped, l.rows[keep:]...)
		if l.rows = l.rows[:keep]; keep == 0 {
			delete(h.lanes, key)
		}
	}
	h.waiting = 0
	return dropped
}

// held is how many rows are in hand.
func (h *hands) held() int { return h.waiting + len(h.running) }

// seqs lists the rows in hand, and those of them that are deliveries claimed by
// owner. Neither is nil.
func (h *hands) seqs(owner int32) (all, deliveries []int64) {
	all, deliveries = make([]int64, 0, h.held()), make([]int64, 0, h.held())
	add := func(r *row) {
		all = append(all, r.seq)
		if !r.parked && r.owner == owner {
			deliveries = append(deliveries, r.seq)
		}
	}
	for _, r := range h.running {
		add(r)
	}
	for _, r := range h.ready {
		add(r)
	}
	for _, l := range h.lanes {
		for _, r := range l.rows[min(1, len(l.rows)):] {
			add(r)
		}
	}
	return all, deliveries
}
