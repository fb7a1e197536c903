package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/admin"
)

func auditCommand(o *options) *cobra.Command {
	var out output
	var f admin.AuditFilter
	var since, until string
	var limit int
	c := &cobra.Command{
		Use:   "audit",
		Short: "Say who changed what in the store, newest first",
		Long: `Say who created, changed, removed, paused or resumed what, newest first. -o json and -o yaml have each object
as it was before and after, with references in place of secrets.`,
		Example: `  fairlead audit --since 24h
  fairlead audit --kind triggers --name orders-in -o yaml`,
		Args: between(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			now := time.Now()
			var err error
			if f.Since, err = parsePast(since, now); err != nil {
				return usagef("--since: %w", err)
			}
			if f.Until, err = parsePast(until, now); err != nil {
				return usagef("--until: %w", err)
			}
			if f.Kind != "" && f.Kind != admin.SecretKind {
				if f.Kind, err = kindOf(f.Kind); err != nil {
					return err
				}
			}
			host, err := o.running(c.Context())
			if err != nil {
				return err
			}
			page, err := host.Audit(c.Context(), f, 0, limit)
			if err != nil {
				return usageIfBad(err)
			}
			if page.Next > 0 {
				fmt.Fprintf(os.Stderr, "There are more; --limit shows them.\n")
			}
			return out.print(c.OutOrStdout(), page.Entries, func(w io.Writer) error { return listAudit(w, page.Entries, now) })
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.Kind, "kind", "", "only objects of that `KIND`, or secrets")
	flags.StringVar(&f.Name, "name", "", "only objects of that `NAME`")
	flags.StringVar(&f.Action, "action", "", "only that `ACTION`: created, changed, removed, paused, resumed or rotated")
	flags.StringVar(&f.Actor, "actor", "", "only what `WHO` changed")
	flags.StringVar(&since, "since", "", "only at this `TIME` or later; 2h means 2 hours ago")
	flags.StringVar(&until, "until", "", "only before this `TIME`")
	flags.IntVar(&limit, "limit", admin.DefaultLimit, "at most so `MANY`")
	out.flags(c)
	return c
}

func listAudit(w io.Writer, entries []admin.AuditEntry, now time.Time) error {
	if len(entries) == 0 {
		fmt.Fprintln(os.Stderr, "Nothing was changed.")
		return nil
	}
	t := newTable(w, "WHEN", "WHO", "ACTION", "KIND", "NAME", "GENERATION")
	for _, e := range entries {
		t.row(ago(e.At, now), e.Actor, e.Action, e.Kind, e.Name, fmt.Sprint(e.Generation))
	}
	return t.end()
}
