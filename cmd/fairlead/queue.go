package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/admin"
)

func queueCommand(o *options) *cobra.Command {
	c := group("queue", "Look at what waits in the queues of brokers",
		`Look at what waits in the queues of brokers, without taking it. The commands ask the running host; without
one, they use the connections of the configuration. Not every broker lets itself be looked at.`)
	c.AddCommand(queueBrowseCommand(o), queueDepthCommand(o))
	return c
}

func queueBrowseCommand(o *options) *cobra.Command {
	var out output
	var skip, limit int
	var url string
	c := &cobra.Command{
		Use:   "browse CONNECTION QUEUE",
		Short: "Show messages that wait, without taking them",
		Long: `Show messages of a queue in the order in which they would be received. Nothing is taken or counted as
delivered; what a receiver holds may be shown. The table shows the beginning of the data; -o json has all of it.`,
		Example: `  fairlead queue browse orders ORDERS.IN
  fairlead queue browse orders ORDERS.IN.DLQ --skip 20 --limit 100 -o json
  fairlead queue browse --url amqp://127.0.0.1:5672 ORDERS.IN`,
		Args: connectionAnd(&url, 1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case skip < 0:
				return usagef("--skip: found %d, expected a number from 0", skip)
			case limit < 1 || limit > admin.MaxEvents:
				return usagef("--limit: found %d, expected a number from 1 to %d", limit, admin.MaxEvents)
			}
			if err := out.check(); err != nil {
				return err
			}
			return o.withQueues(c.Context(), url, args, func(ctx context.Context, v admin.QueueViewer, connection string, queues []string) error {
				messages, err := v.BrowseQueue(ctx, connection, queues[0], skip, limit)
				if err != nil {
					return err
				}
				return out.print(c.OutOrStdout(), messages, func(w io.Writer) error { return listMessages(w, messages) })
			})
		},
	}
	c.Flags().IntVar(&skip, "skip", 0, "leave out the first `N`")
	c.Flags().IntVar(&limit, "limit", pageSize, "show at most `N`")
	c.Flags().StringVar(&url, "url", "", "ask the broker at `URL` instead; then leave the connection out")
	out.flags(c)
	return c
}

func listMessages(w io.Writer, messages []admin.Message) error {
	if len(messages) == 0 {
		fmt.Fprintln(os.Stderr, "Nothing waits.")
		return nil
	}
	t := newTable(w, "ID", "CONTENT TYPE", "CORRELATION ID", "REPLY TO", "DATA")
	for _, m := range messages {
		t.row(brief(m.ID, idWidth), brief(m.ContentType, idWidth), brief(m.CorrelationID, idWidth), brief(m.ReplyTo, keyWidth), brief(string(m.Body()), dataWidth))
	}
	return t.end()
}

func queueDepthCommand(o *options) *cobra.Command {
	var out output
	var url string
	c := &cobra.Command{
		Use:   "depth CONNECTION QUEUE...",
		Short: "Say how many messages wait in queues",
		Long: `Say how many messages wait in queues, as their broker counts them: most brokers count those that a receiver
holds, too. If one of several queues cannot be counted, the others are shown all the same.`,
		Example: `  fairlead queue depth orders ORDERS.IN ORDERS.IN.DLQ
  fairlead queue depth orders ORDERS.IN -o json
  fairlead queue depth --url amqp://127.0.0.1:5672 ORDERS.IN`,
		Args: connectionAnd(&url, 1, math.MaxInt-1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			return o.withQueues(c.Context(), url, args, func(ctx context.Context, v admin.QueueViewer, connection string, queues []string) error {
				counted, err := depths(ctx, v, connection, queues)
				if len(counted) == 0 {
					return err
				}
				return errors.Join(err, out.print(c.OutOrStdout(), counted, func(w io.Writer) error { return listDepths(w, counted) }))
			})
		},
	}
	c.Flags().StringVar(&url, "url", "", "ask the broker at `URL` instead; then leave the connection out")
	out.flags(c)
	return c
}

// depths returns those that the broker tells, and why it does not tell the others.
func depths(ctx context.Context, v admin.QueueViewer, connection string, queues []string) (counted []admin.QueueDepth, err error) {
	for _, queue := range queues {
		d, wrong := v.Depth(ctx, connection, queue)
		if wrong != nil {
			err = errors.Join(err, wrong)
			continue
		}
		counted = append(counted, d)
	}
	return counted, err
}

func listDepths(w io.Writer, counted []admin.QueueDepth) error {
	t := newTable(w, "QUEUE", "DEPTH")
	for _, d := range counted {
		t.row(d.Queue, strconv.Itoa(d.Depth))
	}
	return t.end()
}

// connectionAnd wants a connection, unless there is a URL in its place, and from
// least to most more arguments.
func connectionAnd(url *string, least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if *url != "" {
			return between(least, most)(c, args)
		}
		return between(least+1, most+1)(c, args)
	}
}

// withQueues calls f, which is to be done within sendTimeout, with who looks at
// queues, the connection, and the other arguments.
func (o *options) withQueues(ctx context.Context, url string, args []string, f func(_ context.Context, _ admin.QueueViewer, connection string, queues []string) error) error {
	op, connection, queues, done, err := o.through(ctx, url, args)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return f(ctx, op, connection, queues)
}
