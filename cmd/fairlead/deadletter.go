package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/admin"
)

func deadLetterCommand(o *options) *cobra.Command {
	c := group("deadletter", "Look at what failed for good; replay or discard it",
		`A dead letter is a message or an event whose function has failed for good, with its story and its
original bytes and headers. The commands ask the running host; without one, the store that the
configuration names.`)
	c.AddCommand(deadLetterListCommand(o), deadLetterShowCommand(o), deadLetterReplayCommand(o), deadLetterDiscardCommand(o))
	return c
}

// A selection is the flags that select dead letters.
type selection struct {
	filter       admin.LetterFilter
	since, until string
}

func (s *selection) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&s.filter.Trigger, "trigger", "", "only of this `TRIGGER`")
	f.StringVar(&s.filter.Function, "function", "", "only of this `FUNCTION`")
	f.StringVar(&s.filter.Source, "source", "", "only from this `SOURCE`, as the list shows it")
	f.StringVar(&s.filter.EventID, "event", "", "only the event with this `ID`")
	f.StringVar(&s.filter.Cause, "cause", "", "only where the error contains this `TEXT`, in any case")
	f.StringVar(&s.since, "since", "", "only what died at this `TIME` or later; 2h means 2 hours ago")
	f.StringVar(&s.until, "until", "", "only what died before this `TIME`")
}

// read returns the filter that the flags, and ids as arguments, describe.
func (s *selection) read(ids []string, now time.Time) (admin.LetterFilter, error) {
	f := s.filter
	var err error
	if f.Since, err = parsePast(s.since, now); err != nil {
		return f, usagef("--since: %w", err)
	}
	if f.Until, err = parsePast(s.until, now); err != nil {
		return f, usagef("--until: %w", err)
	}
	for _, text := range ids {
		id, err := letterID(text)
		if err != nil {
			return f, err
		}
		f.IDs = append(f.IDs, id)
	}
	return f, nil
}

// parsePast reads a time, or how long ago it was.
func parsePast(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	t, err := parseTime(text)
	if err != nil {
		return t, fmt.Errorf("%w, or a duration such as 2h", err)
	}
	return t, nil
}

func letterID(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return 0, usagef("found %q, expected the id of a dead letter: a number", text)
	}
	return id, nil
}

func deadLetterListCommand(o *options) *cobra.Command {
	var out output
	var sel selection
	var limit int
	var before int64
	c := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, the newest first",
		Example: `  fairlead deadletter list
  fairlead deadletter list --trigger orders-in --cause timeout --since 2h
  fairlead deadletter list --limit 0 -o json`,
		Args: between(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			if limit < 0 {
				return usagef("--limit: found %d, expected a number from 0 (no limit)", limit)
			}
			f, err := sel.read(nil, time.Now())
			if err != nil {
				return err
			}
			if err := out.check(); err != nil {
				return err
			}
			k, done, err := o.keeper(c.Context())
			if err != nil {
				return err
			}
			defer done()
			page, err := letters(c.Context(), k, f, before, limit)
			if err != nil {
				return err
			}
			if err := out.print(c.OutOrStdout(), page.Letters, func(w io.Writer) error { return listLetters(w, page.Letters, time.Now()) }); err != nil {
				return err
			}
			if page.Next != 0 {
				fmt.Fprintf(os.Stderr, "These are %d of %d; the next ones: --before %d\n", len(page.Letters), page.Total, page.Next)
			}
			return nil
		},
	}
	sel.flags(c)
	c.Flags().IntVar(&limit, "limit", admin.DefaultLimit, "list at most `N`; 0: no limit")
	c.Flags().Int64Var(&before, "before", 0, "only those before the one with this `ID`: the next page")
	out.flags(c)
	return c
}

// letters gathers pages until limit (0: no limit) is reached.
func letters(ctx context.Context, k keeper, f admin.LetterFilter, before int64, limit int) (all admin.LetterPage, err error) {
	all.Next = before
	all.Letters = []admin.Letter{}
	for {
		size := admin.MaxLetters
		if limit > 0 {
			size = min(size, limit-len(all.Letters))
		}
		page, err := letterPage(ctx, k, f, all.Next, size)
		if err != nil {
			return all, err
		}
		all.Letters = append(all.Letters, page.Letters...)
		all.Total, all.Next = page.Total, page.Next
		if page.Next == 0 || len(all.Letters) == limit {
			return all, nil
		}
	}
}

func letterPage(ctx context.Context, k keeper, f admin.LetterFilter, before int64, size int) (admin.LetterPage, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return k.DeadLetters(ctx, f, before, size)
}

func listLetters(w io.Writer, letters []admin.Letter, now time.Time) error {
	if len(letters) == 0 {
		fmt.Fprintln(os.Stderr, "No dead letters.")
		return nil
	}
	t := newTable(w, "ID", "DIED", "SOURCE", "TRIGGER", "FUNCTION", "ATTEMPTS", "ERROR")
	for _, l := range letters {
		t.row(strconv.FormatInt(l.ID, 10), ago(l.Died, now), l.Source, l.Trigger, l.Function, strconv.Itoa(l.Attempts), brief(l.Error, errorWidth))
	}
	return t.end()
}

func deadLetterShowCommand(o *options) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show a dead letter: its story, headers and data",
		Long: `Show one dead letter with its story, its headers and its data. -o json has the data unchanged: as text,
or in base64 as "data" if it is not UTF-8.`,
		Example: `  fairlead deadletter show 7
  fairlead deadletter show 7 -o json`,
		Args: between(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := letterID(args[0])
			if err != nil {
				return err
			}
			if err := out.check(); err != nil {
				return err
			}
			return o.withKeeper(c.Context(), func(ctx context.Context, k keeper) error {
				l, err := k.DeadLetter(ctx, id)
				if err != nil {
					return err
				}
				return out.print(c.OutOrStdout(), l, func(w io.Writer) error { return showLetter(w, l, time.Now()) })
			})
		},
		ValidArgsFunction: o.completeLetters(1),
	}
	out.flags(c)
	return c
}

func showLetter(w io.Writer, l admin.Letter, now time.Time) error {
	d := newDetails(w)
	d.field("Dead letter", strconv.FormatInt(l.ID, 10))
	d.field("Event", l.EventID)
	d.field("Type", l.Type)
	d.field("Source", l.Source)
	d.field("Trigger", l.Trigger)
	d.field("Function", l.Function)
	d.field("Key", l.Key)
	d.field("Attempts", strconv.Itoa(l.Attempts))
	d.moment("First failure", &l.First, now)
	d.moment("Last failure", &l.Last, now)
	d.moment("Died", &l.Died, now)
	m := l.Message
	if m == nil {
		m = &admin.Message{}
	}
	d.field("Message id", m.ID)
	d.field("Correlation id", m.CorrelationID)
	d.field("Reply to", m.ReplyTo)
	d.field("Content type", m.ContentType)
	if err := d.end(); err != nil {
		return err
	}
	section(w, "Error", l.Error)
	section(w, "Headers", headerText(m.Header))
	section(w, fmt.Sprintf("Data (%s)", count(len(m.Body()), "byte")), string(m.Body()))
	section(w, "Stack", l.Stack)
	return nil
}

// section writes text under a heading, indented.
func section(w io.Writer, heading, text string) {
	if text == "" {
		return
	}
	fmt.Fprintf(w, "\n%s:\n", heading)
	for line := range strings.Lines(clean(text)) {
		fmt.Fprintf(w, "  %s\n", strings.TrimRight(line, "\n"))
	}
}

func headerText(header map[string]any) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(header)) {
		fmt.Fprintf(&b, "%s: %v\n", name, header[name])
	}
	return b.String()
}

func deadLetterDiscardCommand(o *options) *cobra.Command {
	var sel chosen
	var sure confirmation
	c := &cobra.Command{
		Use:   "discard [ID...]",
		Short: "Remove dead letters, for good",
		Long: `Remove the dead letters with these ids, or those that the flags select, for good. Where it may be more
than one it asks first; --yes answers.`,
		Example: `  fairlead deadletter discard 7
  fairlead deadletter discard --trigger orders-in --until 2026-01-01
  fairlead deadletter discard --all --yes`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			f, err := sel.read(args)
			if err != nil {
				return err
			}
			if len(f.IDs) == 1 {
				sure.yes = true
			}
			if err := sure.need("discarding"); err != nil {
				return err
			}
			k, done, err := o.keeper(c.Context())
			if err != nil {
				return err
			}
			defer done()
			return discard(c, k, f, &sure)
		},
		ValidArgsFunction: o.completeLetters(manyArgs),
	}
	sel.flags(c)
	sure.flags(c)
	return c
}

func discard(c *cobra.Command, k keeper, f admin.LetterFilter, sure *confirmation) error {
	total, err := selected(c.Context(), k, f)
	if err != nil {
		return err
	}
	if total > 0 {
		if err := sure.ask(c.Context(), fmt.Sprintf("Discard %s for good?", count(total, "dead letter"))); err != nil {
			return err
		}
	}
	n, err := k.Discard(c.Context(), f)
	if err != nil {
		return interrupted(err)
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "discarded %s\n", count(n, "dead letter"))
	return err
}

// selected counts what a filter selects. None of the ids being there is an error.
func selected(ctx context.Context, k keeper, f admin.LetterFilter) (int, error) {
	page, err := letterPage(ctx, k, f, 0, 1)
	if err == nil && page.Total == 0 && len(f.IDs) > 0 {
		return 0, fmt.Errorf("%w: there is no such dead letter", admin.ErrNotFound)
	}
	return page.Total, err
}

// A chosen is a selection of what something is done to: everything must be
// asked for.
type chosen struct {
	selection
	all bool
}

func (s *chosen) flags(c *cobra.Command) {
	s.selection.flags(c)
	c.Flags().BoolVar(&s.all, "all", false, "all dead letters")
}

func (s *chosen) read(ids []string) (admin.LetterFilter, error) {
	f, err := s.selection.read(ids, time.Now())
	switch {
	case err != nil:
		return f, err
	case f.All() && !s.all:
		return f, usagef("found nothing that selects dead letters, expected ids, a filter such as --trigger NAME, or --all")
	case !f.All() && s.all:
		return f, usagef("found --all and ids or a filter, expected one of them")
	}
	return f, nil
}

// manyArgs is more arguments than anybody completes.
const manyArgs = 1 << 10

func (o *options) completeLetters(most int) cobra.CompletionFunc {
	return o.completeWith(most, func(ctx context.Context, k keeper) ([]string, error) {
		page, err := k.DeadLetters(ctx, admin.LetterFilter{}, 0, admin.DefaultLimit)
		var ids []string
		for _, l := range page.Letters {
			ids = append(ids, cobra.CompletionWithDesc(strconv.FormatInt(l.ID, 10), l.Trigger+": "+brief(l.Error, dataWidth)))
		}
		return ids, err
	})
}
