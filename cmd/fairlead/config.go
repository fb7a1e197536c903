package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/connections/drivers"
	"github.com/fairlead/fairlead/framework/config"
)

func configCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Check a configuration, or print its JSON Schema",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("found \"fairlead config %s\", expected check or schema after config\n\nSee \"fairlead config --help\".", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		&cobra.Command{
			Use:     "schema",
			Short:   "Print the JSON Schema of fairlead.yaml, for editors",
			Example: "  fairlead config schema > .fairlead/schema.json",
			Args:    between(0, 0),
			RunE: func(c *cobra.Command, _ []string) error {
				_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", config.Schema(drivers.All()))
				return err
			},
		},
		&cobra.Command{
			Use:   "check [FILE]",
			Short: "Check a configuration and report every problem with its line",
			Example: `  fairlead config check
  fairlead config check examples/orders.yaml`,
			Args: between(0, 1),
			RunE: func(c *cobra.Command, args []string) error {
				file := o.file()
				if len(args) > 0 {
					file = args[0]
				}
				_, err := loadConfig(file)
				switch {
				case errors.Is(err, fs.ErrNotExist):
					return usagef("there is no %s; name the configuration: fairlead config check FILE", file)
				case err != nil:
					return usageError{err}
				}
				_, err = fmt.Fprintf(c.OutOrStdout(), "%s: ok\n", file)
				return err
			},
		},
	)
	return c
}
