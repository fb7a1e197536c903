package host

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/fairlead/fairlead/framework/config/stored"
)

const (
	followEvery   = 800 * time.Millisecond // between looks at the store, whatever it notifies
	followTimeout = 10 * time.Second       // of one look
	followRetry   = 2 * time.Second        // between attempts at a configuration that is refused, as watchRetry
)

// A follower makes what the store holds run, on each replica. One goroutine uses
// it.
type follower struct {
	host  *host
	from  *storage  // that was read last
	tried int64     // its generation then
	again time.Time // when to try that again; zero: it runs
}

// run looks at the store when it notifies a change, and from time to time, until
// ctx ends.
func (f *follower) run(ctx context.Context) {
	for {
		timer := time.NewTimer(time.Duration(float64(followEvery) * (0.75 + 0.5*rand.Float64()))) // at most a second
		select {
		case <-timer.C:
		case <-f.host.sources.poke:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
		if s := f.host.stored.Load(); s != nil && s.Ready() {
			f.look(ctx, s)
		}
	}
}

// look reads the configuration in the store if it has changed. A store that does
// not answer is its status, and changes nothing.
func (f *follower) look(ctx context.Context, s *storage) {
	ctx, cancel := context.WithTimeout(ctx, followTimeout)
	defer cancel()
	l, err := stored.LookUp(ctx, s.Store)
	if err != nil {
		f.host.log.Debug("the configuration in the store was not looked at", "err", err)
		return
	}
	due := !f.again.IsZero() && !time.Now().Before(f.again)
	if known := f.host.sources.snapshot(); f.from != s || known == nil || l.Generation != max(known.Generation, f.tried) || due {
		f.follow(ctx, s)
	}
	f.acknowledge(ctx, s, l.Replicas)
}

// follow reads what the store holds and makes it run.
func (f *follower) follow(ctx context.Context, s *storage) {
	h := f.host
	h.sources.mu.Lock()
	defer h.sources.mu.Unlock()
	next, err := stored.Read(ctx, s.Store)
	if err != nil {
		if h.progress.refuse(err) {
			h.log.Error("the configuration in the store cannot be read; the one before goes on", "err", err)
		}
		return
	}
	f.from, f.tried, f.again = s, next.Generation, time.Time{}
	switch err := h.reload(h.sources.base, &next); {
	case err == nil:
	case wasRefused(err):
		f.again = time.Now().Add(proofRetry)
	default:
		f.again = time.Now().Add(followRetry)
	}
}

// acknowledge tells the other replicas what this one runs, if they do not know.
func (f *follower) acknowledge(ctx context.Context, s *storage, all []stored.Replica) {
	h := f.host
	me := stored.Replica{ID: s.Status().Replica, Refused: text(h.progress.get().Refused)}
	if known := h.sources.snapshot(); known != nil && f.from == s {
		me.Generation = known.Generation
	}
	for i, r := range all {
		if r.ID != me.ID || r.Generation == me.Generation && r.Refused == me.Refused {
			continue
		}
		if err := stored.Acknowledge(ctx, s.Store, me); err != nil {
			h.log.Debug("the other replicas were not told which configuration runs", "err", err)
			return
		}
		all[i].Generation, all[i].Refused = me.Generation, me.Refused
	}
	h.sources.replicas.Store(&all)
}
