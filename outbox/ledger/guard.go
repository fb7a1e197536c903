package ledger

import (
	"context"
	"log/slog"
)

// An event whose function kills the process comes back, and would do so for ever.
// It is a suspect when the ledger says that its call ran when a process died, or,
// where no ledger outlived that, when it came back often and nobody said what
// became of it. Suspects run alone; one that kills even so is condemned.
const (
	mostKills = 3 // processes that died while its call ran; the first may have been another's doing
	mostMarks = 4 // calls that ran alone, were marked, and never ended
)

// Marks are records of calls, kept where they outlive every ledger. They cost
// more: only suspects are marked.
type Marks interface {
	// Mark records that a call begins for an event, and returns how many such calls
	// have begun before and never ended. Unmark records that it has ended; it works
	// although ctx is over.
	Mark(ctx context.Context, trigger, source, id string) (kills int, err error)
	Unmark(ctx context.Context, trigger, source, id string) error
}

// A Guard lets calls of functions begin.
type Guard struct {
	Ledger *Ledger
	Marks  Marks // nil: there are none
	Often  int   // an event that came back so often is a suspect
	Log    *slog.Logger
}

// Begin records that a call begins for the event with that identity, which came
// back that often before without a word of what became of it. If too many
// processes have died in such calls, it returns how many, and the call must not
// begin. Else end is to be called when it is over. err says that a suspect could
// not be marked, although it is to run alone all the same.
func (g Guard) Begin(ctx context.Context, trigger, source, id string, back int) (kills int, end func(), err error) {
	suspect := back >= g.Often
	begin := g.Ledger.Begin
	if suspect {
		begin = g.Ledger.BeginAlone
	}
	c := begin(trigger, source, id)
	switch {
	case c.Kills >= mostKills:
		c.End()
		return c.Kills, nil, nil
	case !suspect || g.Marks == nil:
		return 0, c.End, nil
	}
	marks, err := g.Marks.Mark(ctx, trigger, source, id)
	if err != nil {
		return 0, c.End, err
	}
	end = func() {
		if err := g.Marks.Unmark(ctx, trigger, source, id); err != nil {
			g.Log.WarnContext(ctx, "a call has ended, and is still marked in the store", "err", err)
		}
		c.End()
	}
	if marks >= mostMarks {
		end()
		return back, nil, nil
	}
	return 0, end, nil
}
