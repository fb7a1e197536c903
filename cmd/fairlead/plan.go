package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/admin"
)

func planCommand(o *options) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:   "plan [FILE]",
		Short: "Say what a configuration would change in the running host",
		Long: `Say, for each object, what would happen if a configuration took the place of the one that runs: what is
created, changed, removed, and what is restarted though it stays the same. Nothing is changed, and no
broker is asked. FILE is "-" for the standard input; without it, the file of -f, or ./fairlead.yaml.`,
		Example: `  fairlead plan
  fairlead plan next.yaml
  fairlead plan -f next.yaml -o json`,
		Args: between(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			host, d, err := o.proposal(c, args)
			if err != nil {
				return err
			}
			p, err := host.Plan(c.Context(), d)
			if err != nil {
				return usageIfBad(err)
			}
			if err := out.print(c.OutOrStdout(), p, func(w io.Writer) error { return showPlan(w, p) }); err != nil {
				return err
			}
			if p.Refused != "" {
				return fmt.Errorf("the host would refuse this: %s", p.Refused)
			}
			return nil
		},
	}
	out.flags(c)
	return c
}

// proposal returns the configuration that a command is about, and the host that
// is asked about it.
func (o *options) proposal(c *cobra.Command, args []string) (*admin.Client, admin.Document, error) {
	d, err := o.document(c.InOrStdin(), args)
	if err != nil {
		return nil, d, err
	}
	host, err := o.running(c.Context())
	return host, d, err
}

// document reads the configuration that a command is about.
func (o *options) document(stdin io.Reader, args []string) (admin.Document, error) {
	file := o.file()
	if len(args) > 0 {
		file = args[0]
	}
	if file == "-" {
		text, err := io.ReadAll(stdin)
		return admin.Document{File: "stdin", Text: string(text)}, err
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return admin.Document{}, usagef("there is no %s; name the configuration, as an argument or with -f", file)
	}
	return admin.Document{File: file, Text: string(text)}, err
}

func showPlan(w io.Writer, p admin.Plan) error {
	if len(p.Steps) == 0 {
		fmt.Fprintln(os.Stderr, "Nothing would change.")
		return nil
	}
	t := newTable(w, "KIND", "NAME", "ACTION", "EFFECT")
	for _, s := range p.Steps {
		t.row(s.Kind, s.Name, s.Action, s.Effect)
	}
	return t.end()
}

// running returns the running host. It is looked for beside the configuration of
// -f, and then from the working folder upward.
func (o *options) running(ctx context.Context) (*admin.Client, error) {
	if c := o.client(ctx); c != nil {
		return c, nil
	}
	here := *o
	here.config = ""
	if c := here.client(ctx); c != nil {
		return c, nil
	}
	return nil, usagef("no host runs here; start one with \"fairlead run\", or name one with --server")
}

// usageIfBad returns err as one of usage, if the host says that what it was asked
// is wrong.
func usageIfBad(err error) error {
	if p, ok := errors.AsType[*admin.Problem](err); ok && p.Status == 400 {
		return usageError{err}
	}
	return err
}
