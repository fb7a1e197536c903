package outbox

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ranks is how many values the rank of a row has.
const ranks = 10

var allRanks = []int16{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}

// A lowWater says from where a claim has to look. Rows that are done leave index
// entries behind, and while any transaction of the whole database stays open
// these cannot be removed; reading them again for each claim would make a queue
// slower the longer it runs.
//
// A normal claim of a rank begins where the last one ended. Two kinds of rows
// come up below that: those of transactions that commit late, and those whose
// owner died. A sweep, some times a second, begins at the floor and finds them.
//
// Nothing is, or will ever be, below the floor. A row gets its seq after its
// transaction got its id. A sweep reads the last seq that was given out, then
// gets an id of its own, then looks for the oldest row. So what may come up later,
// below that row and that seq, belongs to transactions with smaller ids than the
// sweep's. Once a later sweep sees that all of those are over, the two of them
// bound everything. If some stay open for long, the bound holds as long as they
// do: the claim itself checks that.
type lowWater struct {
	next [ranks]int64 // where a normal claim begins

	floor int64
	fast  int64    // a higher floor, in force until one of held is over
	held  []string // transaction ids

	last      sweep
	swept     time.Time
	sweepCost time.Duration

	// Behind many rows of a busy key lie others that can be worked on. While the
	// window that begins at next is full of rows that have to wait, a second one
	// looks further on, and begins again now and then.
	keyed bool // the last windows had keys
	deep  bool
	ahead [ranks]int64
	began time.Time // when ahead began
}

// A sweep is what sweepSQL saw.
type sweep struct {
	id     uint64 // of its transaction; 0: there was no sweep yet
	oldest int64  // nothing was visible, or given out, below it
}

// parseRunning returns the ids of the transactions that run, as a pg_snapshot
// lists them. It lists all with smaller ids than any transaction that is over.
func parseRunning(snapshot string) (running []uint64, err error) {
	fields := strings.Split(snapshot, ":")
	if len(fields) != 3 {
		return nil, fmt.Errorf("snapshot %q: expected xmin:xmax:list", snapshot)
	}
	if fields[2] == "" {
		return nil, nil
	}
	for _, f := range strings.Split(fields[2], ",") {
		id, err := strconv.ParseUint(f, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("snapshot %q: %w", snapshot, err)
		}
		running = append(running, id)
	}
	return running, nil
}

// sweepEvery is how often a busy queue is swept, at most.
const sweepEvery = 200 * time.Millisecond

// due reports whether the next claim shall be a sweep: the first two, to find the
// floor, and then some times a second. Sweeps that take long are rarer, so that
// they, and the claims that begin as low, take a fifth of the time at most.
func (w *lowWater) due(now time.Time) bool {
	return w.fast == 0 || now.Sub(w.swept) >= max(sweepEvery, 10*w.sweepCost)
}

// observe takes in a sweep: the last seq that was given out before it, its id,
// the oldest row it saw (0: none), and the transactions that ran.
func (w *lowWater) observe(lastSeq int64, id uint64, oldest int64, running []uint64) {
	now := sweep{id: id, oldest: lastSeq + 1}
	if oldest != 0 {
		now.oldest = min(oldest, now.oldest)
	}
	if w.last.id != 0 {
		bound := min(w.last.oldest, now.oldest)
		w.held = []string{}
		for _, x := range running {
			if x < w.last.id {
				w.held = append(w.held, strconv.FormatUint(x, 10))
			}
		}
		if len(w.held) == 0 {
			w.floor = max(w.floor, bound)
		}
		w.fast = max(bound, w.floor)
	}
	w.last = now
}

// args returns the arguments of floorSQL.
func (w *lowWater) args() (held []string, fast, floor int64) {
	if w.held == nil {
		return []string{}, w.floor, w.floor
	}
	return w.held, w.fast, w.floor
}

// claimed moves on past a window of rows, but not past what was left in it. A
// sweep that filled its window has more to find right behind it.
func (w *lowWater) claimed(window []windowRow, sweep, full bool) {
	if sweep && full {
		for rank := range w.next {
			w.next[rank] = w.floor
		}
	}
	w.next = past(w.next, window)
	for _, r := range window {
		if !r.taken {
			w.next[r.rank] = min(w.next[r.rank], r.seq)
		}
	}
}

// past moves on past a window, whatever became of its rows.
func past(next [ranks]int64, window []windowRow) [ranks]int64 {
	for _, r := range window {
		next[r.rank] = max(next[r.rank], r.seq+1)
	}
	return next
}

// deepAgain is how often the second window begins again, at most.
const deepAgain = 500 * time.Millisecond

// windows takes in what the claims of a cycle looked at, and reports whether
// there is more to find.
func (w *lowWater) windows(r *cycleResult) (more bool) {
	first := r.windows[0]
	full := len(first) >= r.window
	end := past(r.from[0], first)
	w.claimed(first, r.sweep, full)
	w.keyed = hasKeys(r)
	if !full || !waits(first) {
		w.deep = false
		return full
	}
	switch {
	case !w.deep:
		w.deep, w.ahead, w.began = true, end, time.Now()
		return true
	case len(r.windows) < 2:
		return true
	}
	w.ahead = past(w.ahead, r.windows[1])
	if len(r.windows[1]) >= r.window {
		return true
	}
	if time.Since(w.began) > deepAgain {
		w.ahead, w.began = end, time.Now()
	}
	return len(r.rows) > 0
}

// waits reports whether any row of a window was left there.
func waits(window []windowRow) bool {
	return slices.ContainsFunc(window, func(r windowRow) bool { return !r.taken })
}

func hasKeys(r *cycleResult) bool {
	return slices.ContainsFunc(r.rows, func(r *row) bool { return r.keyed }) || slices.ContainsFunc(r.windows, waits)
}

// probe returns what the store's poll needs to know.
func (w *lowWater) probe() *probe {
	held, fast, floor := w.args()
	return &probe{strings.Join(held, ","), fast, floor}
}

// A windowRow is one row that a claim looked at.
type windowRow struct {
	rank  int16
	seq   int64
	taken bool
}
