package outbox

import (
	"cmp"
	"slices"
)

// A writer sorts outcomes by the statement that writes them.
type writer struct {
	delivery, parked tableWriter

	payloads   []int64  // that may have lost their last reader
	freed      []string // keys whose parked row is gone
	failedKeys []string // keys whose parked row failed again,
	failedSeqs []int64  // and its seq
}

// A tableWriter has the outcomes of one table's rows.
type tableWriter struct {
	release, done, hold keys
	again, bury         columns
}

// keys are rows as the arrays that a statement takes.
type keys struct {
	seqs  []int64
	ranks []int16
}

// columns are outcomes with their story.
type columns struct {
	keys
	delays   []int64
	attempts []int32
	errors   []*string
	stacks   []*string
}

func (w *writer) add(o outcome) {
	t := &w.delivery
	if o.row.parked {
		t = &w.parked
	}
	switch o.verdict {
	case release:
		if o.row.parked { // a delivery is released by not being kept
			t.release.add(o.row.rank, o.row.seq)
		}
	case done:
		t.done.add(o.row.rank, o.row.seq)
	case again:
		t.again.add(o)
	case hold:
		t.hold.add(o.row.rank, o.row.seq)
	case bury:
		t.bury.add(o)
	}
	gone := o.verdict == done || o.verdict == bury
	if gone && o.row.payload != 0 {
		w.payloads = append(w.payloads, o.row.payload)
	}
	if o.row.parked && o.row.keyed {
		if gone {
			w.freed = append(w.freed, o.row.key)
		} else if o.verdict == again {
			w.failedKeys = append(w.failedKeys, o.row.key)
			w.failedSeqs = append(w.failedSeqs, o.row.seq)
		}
	}
}

func (k *keys) add(rank int16, seq int64) {
	k.seqs = append(k.seqs, seq)
	k.ranks = append(k.ranks, rank)
}

// Runs of rows: how far apart two neighbours are at most, how many rows are worth
// a statement of their own, and how many such statements a cycle has.
const (
	runGap   = 64
	runLeast = 32
	mostRuns = 4
)

// runs takes the longest runs of rows that follow each other out of k.
func (k *keys) runs() (runs []keys) {
	if len(k.seqs) < runLeast {
		return nil
	}
	order := make([]int, len(k.seqs))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(k.ranks[a], k.ranks[b]), cmp.Compare(k.seqs[a], k.seqs[b]))
	})
	for n, i := range order {
		if n == 0 || k.ranks[i] != k.ranks[order[n-1]] || k.seqs[i]-k.seqs[order[n-1]] > runGap {
			runs = append(runs, keys{})
		}
		runs[len(runs)-1].add(k.ranks[i], k.seqs[i])
	}
	slices.SortStableFunc(runs, func(a, b keys) int { return cmp.Compare(len(b.seqs), len(a.seqs)) })
	*k = keys{}
	for n := len(runs) - 1; n >= 0 && (n >= mostRuns || len(runs[n].seqs) < runLeast); n-- {
		k.seqs, k.ranks = append(k.seqs, runs[n].seqs...), append(k.ranks, runs[n].ranks...)
		runs = runs[:n]
	}
	return runs
}

func (c *columns) add(o outcome) {
	c.keys.add(o.row.rank, o.row.seq)
	c.delays = append(c.delays, o.delay.Milliseconds())
	c.attempts = append(c.attempts, int32(o.row.attempts))
	c.errors = append(c.errors, textOrNull(o.cause, maxCause))
	c.stacks = append(c.stacks, textOrNull(o.stack, maxStack))
}

func textOrNull(s string, longest int) *string {
	if s == "" {
		return nil
	}
	s = printable(s, longest)
	return &s
}

// queue adds the statements to b. What waits behind a row is written after that
// row, and keys are freed and held after all rows have changed.
func (w *writer) queue(b *batch, c *Consumer, ours []int32) {
	d, p := &w.delivery, &w.parked
	if len(p.release.seqs) > 0 {
		b.queue(releaseParkedSQL, c.queue, ours, p.release.seqs)
	}
	for _, r := range d.done.runs() {
		b.queue(doneRunSQL, c.queue, ours, r.seqs, r.ranks[0], r.seqs[0], r.seqs[len(r.seqs)-1])
	}
	if len(d.done.seqs) > 0 {
		b.queue(doneSQL, c.queue, ours, d.done.seqs, d.done.ranks)
	}
	if len(p.done.seqs) > 0 {
		b.queue(doneParkedSQL, c.queue, ours, p.done.seqs)
	}
	d.again.park(b, parkSQL, c.queue, ours)
	p.again.park(b, parkAgainSQL, c.queue, ours)
	d.bury.bury(b, burySQL, c, ours)
	p.bury.bury(b, buryParkedSQL, c, ours)
	if len(d.hold.seqs) > 0 {
		b.queue(holdSQL, c.queue, ours, d.hold.seqs, d.hold.ranks)
	}
	if len(p.hold.seqs) > 0 {
		b.queue(holdParkedSQL, c.queue, ours, p.hold.seqs)
	}
	if len(w.freed) > 0 {
		b.queue(nextOfKeySQL, c.queue, w.freed)
	}
	if len(w.failedKeys) > 0 {
		b.queue(holdKeySQL, c.queue, w.failedKeys, w.failedSeqs)
	}
	if len(w.payloads) > 0 {
		b.queue(freePayloadSQL, w.payloads)
	}
}

func (c *columns) park(b *batch, sql string, queue int64, ours []int32) {
	if len(c.seqs) > 0 {
		b.queue(sql, queue, ours, c.seqs, c.ranks, c.delays, c.attempts, c.errors, c.stacks)
	}
}

func (c *columns) bury(b *batch, sql string, of *Consumer, ours []int32) {
	if len(c.seqs) > 0 {
		b.queue(sql, of.queue, ours, c.seqs, c.ranks, c.attempts, c.errors, c.stacks,
			of.kind, of.topic, of.name, of.trigger, of.function, of.destination)
	}
}
