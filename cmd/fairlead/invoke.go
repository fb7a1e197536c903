package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/framework/host"
)

func invokeCommand(o *options) *cobra.Command {
	var d data
	var dir string
	var as fakery
	c := &cobra.Command{
		Use:   "invoke FUNCTION [DATA]",
		Short: "Call a function and print its reply",
		Long: `Call a function of the running host and print its reply. Where none runs, the functions of the
folder are built and run for this one call, without their triggers.
Data comes from the argument, --file or the standard input. With --as it is called as for a message
of such a broker, which is encoded and decoded as on the wire, with the headers.`,
		Example: `  fairlead invoke greeting World
  fairlead invoke order.received --file order.json
  fairlead invoke order.received '{"id": "7"}' --as mq --header color=red --redelivered 2`,
		Args:              between(1, 2),
		ValidArgsFunction: o.completeObjects("functions"),
		RunE: func(c *cobra.Command, args []string) error {
			m, err := d.message(args[1:])
			if err != nil {
				return err
			}
			if err := as.apply(&m); err != nil {
				return err
			}
			client, done, err := o.invoker(c.Context(), dir)
			if err != nil {
				return err
			}
			reply, err := client.Invoke(c.Context(), args[0], m)
			if err = errors.Join(err, done()); err != nil || reply == nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", reply.Body())
			return err
		},
	}
	d.flags(c)
	as.flags(c)
	c.Flags().StringVar(&dir, "dir", ".", "folder of the functions, where no host runs")
	return c
}

// invoker returns a client of the running host, or of one that it starts for the
// occasion.
func (o *options) invoker(ctx context.Context, dir string) (_ *admin.Client, done func() error, _ error) {
	if c := o.client(ctx); c != nil {
		return c, func() error { return nil }, nil
	}
	a, err := findApp(dir)
	if err != nil {
		return nil, nil, err
	}
	file, args := o.childConfig(a)
	v := newVoice(os.Stderr, false)
	if err := a.build(ctx, file, v); err != nil {
		return nil, nil, err
	}
	with, err := readSetup(file, a.dir, len(args) > 0)
	if err != nil {
		return nil, nil, err
	}
	api, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer api.Close()
	server, err := host.NewServerFile(with.cfg, api.Addr(), rand.Text())
	if err != nil {
		return nil, nil, err
	}
	child, err := launch{
		program: a.program(), dir: a.dir, args: append(args, "-triggers=false"), voice: v,
		env:     append(with.env.environ(), "LISTEN_ADDRESS=127.0.0.1:0", "FAIRLEAD_LOG=warn"),
		inherit: host.Inheritance{Admin: api.(*net.TCPListener), Token: server.Token},
	}.start()
	if err != nil {
		return nil, nil, err
	}
	done = func() error {
		child.stop()
		<-child.done
		return child.err
	}
	if err := child.await(ctx, 0, nil); err != nil {
		return nil, nil, errors.Join(err, done())
	}
	return server.Client(), done, nil
}

// fakery says as a message of which broker a function is called.
type fakery struct {
	as          string
	redelivered int
}

func (f *fakery) flags(c *cobra.Command) {
	c.Flags().StringVar(&f.as, "as", "", "call it as for a message of `BROKER`: mq, stomp or amqp")
	c.Flags().IntVar(&f.redelivered, "redelivered", 0, "with --as: the broker has delivered the message `N` times before")
}

func (f *fakery) apply(m *admin.Message) error {
	switch {
	case f.as != "" && f.as != "mq" && f.as != "stomp" && f.as != "amqp":
		return usagef("--as: found %q, expected mq, stomp or amqp", f.as)
	case f.as == "" && f.redelivered != 0:
		return usagef("--redelivered needs --as, since only a broker delivers again")
	case f.redelivered < 0:
		return usagef("--redelivered: found %d, expected a number from 0", f.redelivered)
	}
	m.As, m.Redelivered = f.as, f.redelivered
	return nil
}
