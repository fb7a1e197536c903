package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/admin"
)

func applyCommand(o *options) *cobra.Command {
	var out output
	var how admin.ApplyOptions
	c := &cobra.Command{
		Use:   "apply [FILE]",
		Short: "Put the objects of a document into the store",
		Long: `Put the objects of a document (bindings, connections, functions, security, triggers) into the store of the
running host, all of them or none. Every replica runs them within a second. What the host's own file has
with the same content is passed over; what it has with another is refused, as the file owns it. Secrets in
clear are kept encrypted. FILE is "-" for the standard input; without it, the file of -f.`,
		Example: `  fairlead apply orders.yaml --dry-run
  fairlead apply -f orders.yaml --prune
  fairlead export --server https://staging:8183 | fairlead apply -`,
		Args: between(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			host, d, err := o.proposal(c, args)
			if err != nil {
				return err
			}
			done, err := host.Apply(c.Context(), d, how)
			if err != nil {
				return usageIfBad(err)
			}
			if err := out.print(c.OutOrStdout(), done, func(w io.Writer) error { return showApplied(w, done, how.DryRun) }); err != nil {
				return err
			}
			if done.Plan.Refused != "" {
				return fmt.Errorf("the host would refuse this: %s", done.Plan.Refused)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&how.Prune, "prune", false, "delete what is in the store and not in the document")
	c.Flags().BoolVar(&how.DryRun, "dry-run", false, "only say what would be done")
	out.flags(c)
	return c
}

func showApplied(w io.Writer, a admin.Applied, dry bool) error {
	if len(a.Objects) == 0 {
		fmt.Fprintln(os.Stderr, "There are no objects in the document.")
		return nil
	}
	effects := make(map[string]string)
	for _, s := range a.Plan.Steps {
		effects[s.Kind+"."+s.Name] = s.Effect
	}
	t := newTable(w, "KIND", "NAME", "ACTION", "EFFECT")
	for _, o := range a.Objects {
		t.row(o.Kind, o.Name, o.Action, effects[o.Kind+"."+o.Name])
		delete(effects, o.Kind+"."+o.Name)
	}
	for _, s := range a.Plan.Steps { // what is not in the document, and restarted
		if effects[s.Kind+"."+s.Name] != "" {
			t.row(s.Kind, s.Name, s.Action, s.Effect)
		}
	}
	if err := t.end(); err != nil {
		return err
	}
	if dry {
		fmt.Fprintln(os.Stderr, "Nothing was changed.")
	}
	return nil
}
