package outbox

import (
	"math/rand/v2"
	"time"
)

// How often rows are looked for, beside when something says that there are
// some. Nothing depends on it but how soon they are found.
const (
	firstLook = 5 * time.Millisecond   // after the last row; it doubles from there,
	lastLook  = 160 * time.Millisecond // until the store's own poll has to notice
	checkUp   = 5 * time.Second        // a look in any case
)

// A look is when a loop looks for rows.
type look struct {
	hungry bool      // there may be more rows
	next   time.Time // to look though nothing said so
	idle   time.Duration
	due    time.Time // when a row that was parked here is due; zero: none
}

// found adapts to what a claim found. more says that it could have found more.
func (l *look) found(now time.Time, rows int, more bool) {
	l.hungry = more
	switch {
	case rows > 0 || l.idle == 0:
		l.idle = firstLook
	case l.idle <= lastLook:
		l.idle *= 2
	}
	l.next = now.Add(l.idle)
	if l.idle > lastLook {
		l.next = now.Add(jitter(checkUp))
	}
	if !l.due.IsZero() && !now.Before(l.due) {
		l.due = time.Time{}
	}
}

// retry remembers that a parked row is due at t.
func (l *look) retry(t time.Time) {
	if l.due.IsZero() || t.Before(l.due) {
		l.due = t
	}
}

// at returns when to look.
func (l *look) at() time.Time {
	switch {
	case l.hungry:
		return time.Time{}
	case !l.due.IsZero() && l.due.Before(l.next):
		return l.due
	}
	return l.next
}

// A fetch is how many rows a loop has in hand at most: as many as keep its
// workers busy during a cycle, and no more, because others could do them.
type fetch struct {
	ahead   int     // rows in hand
	least   int     // of them, unless they are large
	workers int     // least of large ones
	bytes   float64 // of the data of a row, on average
	starved bool    // the workers ran out of rows while a cycle was on its way
	slow    bool    // a row waited long in hand
}

const (
	mostAhead  = 8000
	mostLooked = 4000                   // rows that a claim looks at where they have keys
	mostMemory = 8 << 20                // bytes of data fetched ahead, and claimed at once
	longWait   = 100 * time.Millisecond // in hand
)

// size takes in the data of rows that were claimed.
func (f *fetch) size(rows []*row) {
	for _, r := range rows {
		f.bytes += (float64(len(r.data)) - f.bytes) / 16
	}
}

// adapt follows from what happened during a cycle.
func (f *fetch) adapt() {
	switch {
	case f.slow:
		f.ahead /= 2
	case f.starved:
		f.ahead *= 2
	}
	f.slow, f.starved = false, false
	f.ahead = max(min(f.ahead, mostAhead), f.least)
	if f.bytes > 0 {
		f.ahead = max(min(f.ahead, int(mostMemory/f.bytes)), f.workers)
	}
}

// jitter returns d, more or less a fifth.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}
