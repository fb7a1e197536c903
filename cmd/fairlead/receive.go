package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/admin"
)

func receiveCommand(o *options) *cobra.Command {
	var count int
	var url, output string
	c := &cobra.Command{
		Use:   "receive CONNECTION DESTINATION",
		Short: "Take messages from a queue or topic and print them",
		Long: `Take messages from a queue, or from "topic:NAME", and print the data of each on a line. What was
printed is taken from the queue. It ends after --count messages, or with Ctrl-C.`,
		Example: `  fairlead receive local hello.replies --count 1
  fairlead receive orders topic:prices -o json
  fairlead receive --url amqp://127.0.0.1:5672 hello.replies`,
		Args: func(c *cobra.Command, args []string) error {
			if url != "" {
				return between(1, 1)(c, args)
			}
			return between(2, 2)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			if count < 0 {
				return usagef("--count: found %d, expected a number from 0 (no limit)", count)
			}
			show, err := messagePrinter(output)
			if err != nil {
				return err
			}
			op, connection, args, done, err := o.through(c.Context(), url, args)
			if err != nil {
				return err
			}
			defer done()
			return op.Receive(c.Context(), connection, args[0], count, show)
		},
	}
	c.Flags().IntVar(&count, "count", 0, "end after `N` messages; 0: no limit")
	c.Flags().StringVar(&url, "url", "", "receive from the broker at `URL` instead; then leave the connection out")
	c.Flags().StringVarP(&output, "output", "o", "text", "text: the data; json: all of the message")
	return c
}

func messagePrinter(format string) (func(admin.Message) error, error) {
	switch format {
	case "text":
		return func(m admin.Message) error {
			_, err := fmt.Fprintf(os.Stdout, "%s\n", m.Body())
			return err
		}, nil
	case "json":
		out := json.NewEncoder(os.Stdout)
		return func(m admin.Message) error { return out.Encode(m) }, nil
	}
	return nil, usagef("--output: found %q, expected text or json", format)
}
