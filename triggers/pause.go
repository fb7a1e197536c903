package triggers

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/connections"
)

// pause holds a whole trigger back while something that its function needs is
// out of reach.
type pause struct {
	until atomic.Int64 // Unix nanoseconds; 0: not paused
	tries atomic.Int64 // pauses in a row
}

// begin starts a pause, or joins the one that has begun, and returns its length
// and whether it is the first in a row.
func (p *pause) begin(r connections.Reconnect) (d time.Duration, first bool) {
	now, until := time.Now(), p.until.Load()
	if until > now.UnixNano() {
		return time.Unix(0, until).Sub(now), false
	}
	n := p.tries.Add(1)
	d = r.Wait(int(n))
	p.until.CompareAndSwap(until, now.Add(d).UnixNano())
	return d, n == 1
}

// wait returns when the trigger is not paused, or with ctx's error.
func (p *pause) wait(ctx context.Context) error {
	for {
		until := p.until.Load()
		if until == 0 {
			return nil
		}
		d := time.Until(time.Unix(0, until))
		if d <= 0 {
			return nil
		}
		if err := Sleep(ctx, d); err != nil {
			return err
		}
	}
}

// reset ends the row of pauses after a success.
func (p *pause) reset() {
	if p.until.Load() != 0 {
		p.until.Store(0)
		p.tries.Store(0)
	}
}

// active reports whether no call has succeeded since the first pause of a row.
func (p *pause) active() bool { return p.tries.Load() > 0 }
