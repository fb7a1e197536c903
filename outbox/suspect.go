package outbox

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/outbox/ledger"
)

// An event whose function kills the process comes back, and would do so for
// ever. It is a suspect when the ledger of the replica says that its call ran
// when a process died, or, where no ledger outlived that, when it was claimed
// again and again and nobody said what came of it. Suspects run alone; one that
// kills even so goes to the dead letters.
const (
	mostKills    = 3 // processes that died while its call ran; the first may have been another's doing
	manyClaims   = 3 // claims without a word, this one included
	mostMarks    = 4 // calls that ran alone, marked in the store, and never ended
	markDeadline = 5 * time.Second
)

const (
	markSQL = `insert into {schema}.ledger (trigger, source, event_id, kills) values ($1, $2, $3, 0)
on conflict (trigger, source, event_id) do update set kills = ledger.kills + 1, at = now() returning kills`
	unmarkSQL = `delete from {schema}.ledger where trigger = $1 and source = $2 and event_id = $3`
)

// Mark records in the store that a call for a suspect begins, and returns how
// many such calls have begun before and never ended. Unmark removes the record
// when the call has ended, whatever came of it. They serve those whose ledger may
// not outlive the process, and cost a round trip each: mark only what a broker
// has delivered before.
func (s *Store) Mark(ctx context.Context, r Received) (kills int, err error) {
	ctx, cancel := context.WithTimeout(ctx, markDeadline)
	defer cancel()
	pool, err := s.own(ctx)
	if err == nil {
		trigger, source, id, _ := r.key()
		err = pool.QueryRow(ctx, s.sql(markSQL), trigger, source, id).Scan(&kills)
	}
	return kills, storeError("mark a suspect", err)
}

// Unmark is described at Mark. It works although ctx is over.
func (s *Store) Unmark(ctx context.Context, r Received) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), markDeadline)
	defer cancel()
	pool, err := s.own(ctx)
	if err == nil {
		trigger, source, id, _ := r.key()
		_, err = pool.Exec(ctx, s.sql(unmarkSQL), trigger, source, id)
	}
	return storeError("unmark a suspect", err)
}

// guard calls f for a row, and sees to it that one that kills the process is
// found out.
func (s *Store) guard(ctx context.Context, r *row, id Received, f func() error) error {
	if r.claims < manyClaims {
		s.calls.RLock()
		defer s.calls.RUnlock()
		call := s.cfg.Ledger.Begin(id.Trigger, id.Source, id.ID)
		defer call.End()
		return orKilled(call, r, f)
	}
	s.calls.Lock()
	defer s.calls.Unlock()
	call := s.cfg.Ledger.BeginAlone(id.Trigger, id.Source, id.ID)
	defer call.End()
	marks, err := s.Mark(ctx, id)
	if err != nil {
		return err
	}
	if marks >= mostMarks {
		err = killed(r, int(r.claims)-1)
	} else {
		err = orKilled(call, r, f)
	}
	if err := s.Unmark(ctx, id); err != nil {
		s.log.WarnContext(ctx, "a call has ended, and is still marked in the store", "err", err)
	}
	return err
}

func orKilled(call *ledger.Call, r *row, f func() error) error {
	if call.Kills >= mostKills {
		return killed(r, call.Kills)
	}
	return f()
}

// killed is the verdict on an event that killed n processes.
func killed(r *row, n int) error {
	r.attempts += n - 1 // and one for this error
	return framework.Terminal(fmt.Errorf("the process died %d times while the function worked on it", n))
}
