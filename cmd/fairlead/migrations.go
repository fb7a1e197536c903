package main

import (
	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/outbox"
)

func migrationsCommand() *cobra.Command {
	var schema string
	var from int
	c := &cobra.Command{
		Use:   "migrations",
		Short: "Print the SQL that makes the store's tables, for those who apply their own",
		Long: `Print the SQL that makes the store's tables, or brings them up to date.

Programs do this themselves when they start. Where their user may not, say
"migrate: false" below "store" in the configuration and apply this instead.`,
		Example: `  fairlead migrations | psql "$DATABASE_URL"
  fairlead migrations --schema events --from 1`,
		Args: between(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			sql, err := outbox.MigrationSQL(schema, from)
			if err != nil {
				return usageError{err}
			}
			_, err = c.OutOrStdout().Write([]byte(sql))
			return err
		},
	}
	c.Flags().StringVar(&schema, "schema", config.DefaultSchema, "`name` of the tables' schema")
	c.Flags().IntVar(&from, "from", 0, "`version` that the tables have; 0: there are none")
	return c
}
