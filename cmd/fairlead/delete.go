package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/admin"
)

func deleteCommand(o *options) *cobra.Command {
	var version int64
	c := &cobra.Command{
		Use:   "delete KIND NAME",
		Short: "Delete an object from the store",
		Long: `Delete an object (of bindings, connections, functions, security, triggers) from the store. What runs of it is
drained on every replica. What a file owns is removed from that file.`,
		Example: `  fairlead delete trigger orders-in
  fairlead delete connection orders --version 12`,
		Args: between(2, 2),
		RunE: func(c *cobra.Command, args []string) error {
			kind, err := kindOf(args[0])
			if err != nil {
				return err
			}
			if c.Flags().Changed("version") && version < 1 {
				return usagef("--version: found %d, expected the version that \"fairlead get\" shows", version)
			}
			host, err := o.running(c.Context())
			if err != nil {
				return err
			}
			if err := host.Delete(c.Context(), kind, args[1], version); err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), args[1], "deleted")
			return err
		},
		ValidArgsFunction: o.completeKindAndName,
	}
	c.Flags().Int64Var(&version, "version", admin.AnyVersion, "only if it has that `VERSION` (default: whichever)")
	c.Flags().Lookup("version").DefValue = ""
	return c
}
