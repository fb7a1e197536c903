package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// sendTimeout bounds what a command asks of a broker.
const sendTimeout = 30 * time.Second

func sendCommand(o *options) *cobra.Command {
	var d data
	var url string
	c := &cobra.Command{
		Use:   "send BINDING DESTINATION [DATA]",
		Short: "Send a message to a queue or topic",
		Long: `Send a message through a binding, or a connection, of the running host; without one, of the
configuration. It prints the message's id once the broker has taken charge of it.
Data comes from the argument, --file or the standard input, and goes out unchanged.`,
		Example: `  fairlead send customer.updates CUSTOMER.1 '{"id": 7}'
  fairlead send replies hello World --header reply-to=/queue/answers
  echo hello | fairlead send local topic:prices
  fairlead send --url stomp://127.0.0.1:61613 hello World`,
		Args: func(c *cobra.Command, args []string) error {
			if url != "" {
				return between(1, 2)(c, args)
			}
			return between(2, 3)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			op, binding, args, done, err := o.through(c.Context(), url, args)
			if err != nil {
				return err
			}
			defer done()
			m, err := d.message(args[1:])
			if err != nil {
				return err
			}
			m.Destination = args[0]
			ctx, cancel := context.WithTimeout(c.Context(), sendTimeout)
			defer cancel()
			id, err := op.Send(ctx, binding, m)
			if err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), id)
			return nil
		},
	}
	d.flags(c)
	c.Flags().StringVar(&url, "url", "", "send to the broker at `URL` instead; then leave the binding out")
	return c
}

// through returns who operates, the name of the binding or connection, which is
// the first argument unless a URL stands for it, and the other arguments.
func (o *options) through(ctx context.Context, url string, args []string) (_ operator, name string, rest []string, done func(), err error) {
	if url != "" {
		op, done, err := byURL(url)
		return op, urlName, args, done, err
	}
	op, done, err := o.operator(ctx)
	if l, ok := op.(local); ok {
		err = l.reachable(args[0])
	}
	return op, args[0], args[1:], done, err
}
