package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// pingTimeout is how long a broker may take to answer.
const pingTimeout = 10 * time.Second

func pingCommand(o *options) *cobra.Command {
	var url string
	c := &cobra.Command{
		Use:   "ping CONNECTION",
		Short: "Connect to a broker and measure a round trip",
		Example: `  fairlead ping local
  fairlead ping --url amqp://127.0.0.1:5672`,
		Args: func(c *cobra.Command, args []string) error {
			if url != "" {
				return between(0, 0)(c, args)
			}
			return between(1, 1)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			op, name, _, done, err := o.through(c.Context(), url, args)
			if err != nil {
				return err
			}
			defer done()
			ctx, cancel := context.WithTimeout(c.Context(), pingTimeout)
			defer cancel()
			d, err := op.Ping(ctx, name)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "ok %dms\n", d.Milliseconds())
			return nil
		},
	}
	c.Flags().StringVar(&url, "url", "", "ping the broker at `URL` instead")
	return c
}
