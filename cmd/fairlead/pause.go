package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/admin"
)

func pauseCommand(o *options) *cobra.Command {
	return o.switchCommand(&cobra.Command{
		Use:   "pause TRIGGER",
		Short: "Make a trigger receive nothing more",
		Long: `Make a trigger receive nothing more, and wait until what it has in hand is done. It stays paused,
whatever else changes in the configuration, and when the program is started again, until "fairlead resume".`,
		Example: "  fairlead pause customers-in",
	}, "paused", (*admin.Client).Pause)
}

func resumeCommand(o *options) *cobra.Command {
	return o.switchCommand(&cobra.Command{
		Use:     "resume TRIGGER",
		Short:   "Let a paused trigger receive again",
		Example: "  fairlead resume customers-in",
	}, "resumed", (*admin.Client).Resume)
}

// switchCommand completes a command that turns a trigger on or off.
func (o *options) switchCommand(c *cobra.Command, done string, do func(*admin.Client, context.Context, string) error) *cobra.Command {
	c.Args = between(1, 1)
	c.RunE = func(c *cobra.Command, args []string) error {
		host, err := o.running(c.Context())
		if err != nil {
			return err
		}
		if err := do(host, c.Context(), args[0]); err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.OutOrStdout(), args[0], done)
		return err
	}
	c.ValidArgsFunction = o.completeObjects("triggers")
	return c
}

// completeObjects completes the name of an object of a kind.
func (o *options) completeObjects(kind string) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return o.objectNames(c.Context(), kind), cobra.ShellCompDirectiveNoFileComp
	}
}

func (o *options) objectNames(ctx context.Context, kind string) []string {
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	host, err := o.running(ctx)
	if err != nil {
		return nil
	}
	objects, err := host.Objects(ctx, kind)
	if err != nil {
		return nil
	}
	var names []string
	for _, object := range objects {
		names = append(names, object.Name)
	}
	return names
}
