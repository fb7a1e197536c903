package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/admin"
)

func deadLetterReplayCommand(o *options) *cobra.Command {
	var sel chosen
	var replay admin.ReplayOptions
	c := &cobra.Command{
		Use:   "replay [ID...]",
		Short: "Hand dead letters back to what failed on them",
		Long: `Hand the dead letters with these ids, or those that the flags select, back to the functions that failed
on them, with the same event ids and new attempts. Ctrl-C stops it: what was not replayed by then stays
a dead letter.

An event whose effects are committed is recognised, and done without running the function again, unless
--bypass-inbox is given.`,
		Example: `  fairlead deadletter replay 7 8
  fairlead deadletter replay --trigger orders-in --cause timeout --rate 50
  fairlead deadletter replay --all`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("rate") && (replay.PerSecond == 0 || replay.Check() != nil) {
				return usagef("--rate: found %v, expected a number above 0", replay.PerSecond)
			}
			f, err := sel.read(args)
			if err != nil {
				return err
			}
			k, done, err := o.keeper(c.Context())
			if err != nil {
				return err
			}
			defer done()
			return replayLetters(c, k, f, replay)
		},
		ValidArgsFunction: o.completeLetters(manyArgs),
	}
	sel.flags(c)
	c.Flags().Float64Var(&replay.PerSecond, "rate", 0, "replay at most `N` a second")
	c.Flags().BoolVar(&replay.BypassInbox, "bypass-inbox", false, "run functions though an event's effects are committed")
	return c
}

func replayLetters(c *cobra.Command, k keeper, f admin.LetterFilter, options admin.ReplayOptions) error {
	total, err := selected(c.Context(), k, f)
	if err != nil {
		return err
	}
	bar := newProgressBar(os.Stderr, "replaying", total)
	n, err := k.Replay(c.Context(), f, options, bar.show)
	bar.end()
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("stopped: replayed %d of %s; the others are still there", n, count(total, "dead letter"))
	case err != nil && n > 0:
		return fmt.Errorf("replayed %d of %s, and then: %w", n, count(total, "dead letter"), err)
	case err != nil:
		return err
	case n < len(f.IDs):
		return fmt.Errorf("replayed %d of %s; the others are no dead letters, or not selected", n, count(len(f.IDs), "dead letter"))
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "replayed %s\n", count(n, "dead letter"))
	return err
}

// A progressBar shows how far something is, where a person sees it.
type progressBar struct {
	w     io.Writer // nil: nobody sees it
	what  string
	of    int
	begun time.Time
	shown time.Time
}

func newProgressBar(f *os.File, what string, of int) *progressBar {
	b := &progressBar{what: what, of: of, begun: time.Now()}
	if attended(f) {
		b.w = f
	}
	return b
}

// showEvery is how often a progress bar changes at most.
const showEvery = 100 * time.Millisecond

func (b *progressBar) show(n int) {
	now := time.Now()
	if b.w == nil || now.Sub(b.shown) < showEvery {
		return
	}
	b.shown = now
	fmt.Fprintf(b.w, "\r\033[K%s", b.line(n, now))
}

// barWidth is how many characters a bar has.
const barWidth = 30

func (b *progressBar) line(n int, now time.Time) string {
	of := max(n, b.of, 1) // others may add to what there was
	full := barWidth * n / of
	line := fmt.Sprintf("%s %s%s %d/%d", b.what, strings.Repeat("█", full), strings.Repeat("░", barWidth-full), n, b.of)
	passed := now.Sub(b.begun)
	if n == 0 || passed < time.Second {
		return line
	}
	rate := float64(n) / passed.Seconds()
	left := time.Duration(float64(of-n) / rate * float64(time.Second))
	return fmt.Sprintf("%s  %.0f/s  %s left", line, rate, left.Round(time.Second))
}

func (b *progressBar) end() {
	if b.w != nil {
		fmt.Fprint(b.w, "\r\033[K")
	}
}
