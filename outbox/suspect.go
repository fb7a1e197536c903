package outbox

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/framework"
)

// manyClaims is how many claims without a word make an event a suspect of killing
// its process (see [ledger.Guard]), and markDeadline how long marking one may take.
const (
	manyClaims   = 2
	markDeadline = 5 * time.Second
)

const (
	markSQL = `insert into {schema}.ledger (trigger, source, event_id, kills) values ($1, $2, $3, 0)
on conflict (trigger, source, event_id) do update set kills = ledger.kills + 1, at = now() returning kills`
	unmarkSQL = `delete from {schema}.ledger where trigger = $1 and source = $2 and event_id = $3`
)

// Mark implements [ledger.Marks]. It costs a round trip, as Unmark does.
func (s *Store) Mark(ctx context.Context, trigger, source, id string) (kills int, err error) {
	ctx, cancel := context.WithTimeout(ctx, markDeadline)
	defer cancel()
	pool, err := s.own(ctx)
	if err == nil {
		r := Received{Trigger: trigger, Source: source, ID: id}
		trigger, source, id, _ := r.key()
		err = pool.QueryRow(ctx, s.sql(markSQL), trigger, source, id).Scan(&kills)
	}
	return kills, storeError("mark a suspect", err)
}

// Unmark implements [ledger.Marks].
func (s *Store) Unmark(ctx context.Context, trigger, source, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), markDeadline)
	defer cancel()
	pool, err := s.own(ctx)
	if err == nil {
		r := Received{Trigger: trigger, Source: source, ID: id}
		trigger, source, id, _ := r.key()
		_, err = pool.Exec(ctx, s.sql(unmarkSQL), trigger, source, id)
	}
	return storeError("unmark a suspect", err)
}

// guard calls f for a row, and sees to it that one that kills the process is
// found out.
func (s *Store) guard(ctx context.Context, r *row, id Received, f func() error) error {
	kills, end, err := s.calls.Begin(ctx, id.Trigger, id.Source, id.ID, int(r.claims)-1)
	if kills > 0 {
		return killed(r, kills)
	}
	defer end()
	if err != nil {
		return err
	}
	return f()
}

// killed is the verdict on an event that killed n processes.
func killed(r *row, n int) error {
	r.attempts += n - 1 // and one for this error
	return framework.Terminal(fmt.Errorf("the process died %d times while the function worked on it", n))
}
