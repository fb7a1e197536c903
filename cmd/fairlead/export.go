package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func exportCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "export",
		Short: "Print the configuration that runs, without secrets",
		Long: `Print the configuration of the running host as a document. References stay as they were written, and
a secret in clear becomes ${secret:PATH}. "fairlead plan" of it finds nothing to change.`,
		Args: between(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			host, err := o.running(c.Context())
			if err != nil {
				return err
			}
			d, err := host.Export(c.Context())
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(c.OutOrStdout(), d.Text)
			return err
		},
	}
}
