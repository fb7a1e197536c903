package dashboard

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	"github.com/fairlead/fairlead/admin"
)

// How many replays may run at once, and how many that have ended are remembered.
const (
	replaysMost = 4
	replaysKept = 20
)

// replays are bulk replays that go on while nobody waits for them. The zero value
// is ready to use.
type replays struct {
	mu    sync.Mutex
	all   []*replay // the oldest first
	end   bool      // no more
	alive sync.WaitGroup
}

type replay struct {
	admin.ReplayProgress
	cancel context.CancelFunc
}

// begin starts a replay of that many dead letters, for who asks in ctx, and
// returns its id.
func (s *replays) begin(ctx context.Context, of int, work func(context.Context, func(int)) (int, error)) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end {
		return "", fmt.Errorf("%w: the program is stopping", admin.ErrConflict)
	}
	if s.count() >= replaysMost {
		return "", fmt.Errorf("%w: %d replays run already; cancel one, or wait until one has ended", admin.ErrConflict, replaysMost)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &replay{admin.ReplayProgress{ID: rand.Text(), State: admin.ReplayRunning, Of: of}, cancel}
	if len(s.all) >= replaysKept {
		s.forget()
	}
	s.all = append(s.all, r)
	s.alive.Go(func() {
		defer cancel()
		n, err := work(ctx, func(n int) { s.set(r, n, admin.ReplayRunning, "") })
		switch {
		case err == nil:
			s.set(r, n, admin.ReplayDone, "")
		case errors.Is(err, context.Canceled):
			s.set(r, n, admin.ReplayStopped, "")
		default:
			s.set(r, n, admin.ReplayFailed, err.Error())
		}
	})
	return r.ID, nil
}

// count returns how many run; s.mu is held.
func (s *replays) count() (n int) {
	for _, r := range s.all {
		if r.State == admin.ReplayRunning {
			n++
		}
	}
	return n
}

// forget drops the oldest that has ended; s.mu is held.
func (s *replays) forget() {
	for i, r := range s.all {
		if r.State != admin.ReplayRunning {
			s.all = append(s.all[:i:i], s.all[i+1:]...)
			return
		}
	}
}

func (s *replays) set(r *replay, n int, state admin.ReplayState, err string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Replayed, r.State, r.Error = n, state, err
}

// get returns how far a replay is.
func (s *replays) get(id string) (admin.ReplayProgress, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.all {
		if r.ID == id {
			return r.ReplayProgress, true
		}
	}
	return admin.ReplayProgress{}, false
}

// running returns those that run.
func (s *replays) running() (all []admin.ReplayProgress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.all {
		if r.State == admin.ReplayRunning {
			all = append(all, r.ReplayProgress)
		}
	}
	return all
}

// stop stops a replay, and reports whether it ran.
func (s *replays) stop(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.all {
		if r.ID == id && r.State == admin.ReplayRunning {
			r.cancel()
			return true
		}
	}
	return false
}

// close stops all and returns when they have ended.
func (s *replays) close() {
	s.mu.Lock()
	s.end = true
	for _, r := range s.all {
		r.cancel()
	}
	s.mu.Unlock()
	s.alive.Wait()
}
