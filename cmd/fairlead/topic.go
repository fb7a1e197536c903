package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/admin"
)

func topicCommand(o *options) *cobra.Command {
	c := group("topic", "Look at what was published and is not done",
		`A topic is all that was published to one function, or to "topic:NAME", and is not done. The commands
ask the running host; without one, the store that the configuration names.`)
	c.AddCommand(topicListCommand(o), topicShowCommand(o), topicBrowseCommand(o), topicPurgeCommand(o))
	return c
}

// group returns a command that has only subcommands.
func group(name, short, long string) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Long: long,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			var names []string
			for _, sub := range c.Commands() {
				if sub.IsAvailableCommand() {
					names = append(names, sub.Name())
				}
			}
			return usagef("found \"%s %s\", expected one of %s after %s\n\nSee \"%s --help\".", c.CommandPath(), args[0], strings.Join(names, ", "), name, c.CommandPath())
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
}

func topicListCommand(o *options) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:   "list",
		Short: "List functions and topics with how much waits, and since when",
		Long: `List every function and topic that was ever published or subscribed to: how many events wait, how old
the oldest of them is, and when the last one was published.`,
		Args: between(0, 0),
		RunE: listing(&out, o.withKeeper, keeper.Topics, listTopics),
	}
	out.flags(c)
	return c
}

func listTopics(w io.Writer, topics []admin.Topic, now time.Time) error {
	if len(topics) == 0 {
		fmt.Fprintln(os.Stderr, "Nothing was published or subscribed to yet.")
		return nil
	}
	t := newTable(w, "NAME", "KIND", "DEPTH", "DELAYED", "OLDEST", "LAST", "SERVED")
	for _, topic := range topics {
		t.row(topic.Name, topic.Kind, strconv.Itoa(topic.Depth), strconv.Itoa(topic.Delayed), agoIf(topic.Oldest, now), agoIf(topic.Last, now), served(topic))
	}
	return t.end()
}

// served says whether somebody works on what waits.
func served(t admin.Topic) string {
	n, all := 0, 0
	for _, s := range t.Subscriptions {
		if s.Name != "" {
			all++
		}
		if s.Served {
			n++
		}
	}
	switch {
	case all == 0:
		return "nobody yet"
	case n == all && all == 1:
		return "yes"
	case all == 1:
		return "no"
	}
	return fmt.Sprintf("%d of %d", n, all)
}

func topicShowCommand(o *options) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:   "show NAME",
		Short: "Show one function or topic and its subscriptions",
		Example: `  fairlead topic show invoice.create
  fairlead topic show topic:orders.created -o yaml`,
		Args: between(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			return o.withKeeper(c.Context(), func(ctx context.Context, k keeper) error {
				topic, err := k.Topic(ctx, args[0])
				if err != nil {
					return err
				}
				return out.print(c.OutOrStdout(), topic, func(w io.Writer) error { return showTopic(w, topic, time.Now()) })
			})
		},
		ValidArgsFunction: o.completeTopics(),
	}
	out.flags(c)
	return c
}

func showTopic(w io.Writer, topic admin.Topic, now time.Time) error {
	d := newDetails(w)
	d.field("Name", topic.Name)
	d.field("Kind", topic.Kind)
	d.field("Depth", depthText(topic))
	d.moment("Oldest", topic.Oldest, now)
	d.moment("Last published", topic.Last, now)
	d.field("Last id", topic.LastID)
	if err := d.end(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	t := newTable(w, "SUBSCRIPTION", "SERVED", "DEPTH", "IN FLIGHT", "RETRYING", "OLDEST", "SINCE", "LAST ERROR")
	for _, s := range topic.Subscriptions {
		name, served := s.Name, "no"
		if name == "" {
			name, served = "(kept for the first)", "nobody yet"
		}
		if s.Served {
			served = "yes"
		}
		t.row(name, served, strconv.Itoa(s.Depth), strconv.Itoa(s.InFlight), strconv.Itoa(s.Retrying), agoIf(s.Oldest, now), ago(s.Created, now), brief(s.Error, errorWidth))
	}
	return t.end()
}

func depthText(t admin.Topic) string {
	if t.Delayed == 0 {
		return strconv.Itoa(t.Depth)
	}
	return fmt.Sprintf("%d, of these %d not due yet", t.Depth, t.Delayed)
}

// pageSize is how many events are shown if nothing is said.
const pageSize = 20

func topicBrowseCommand(o *options) *cobra.Command {
	var out output
	var skip, limit int
	c := &cobra.Command{
		Use:   "browse NAME",
		Short: "Show events that wait, without taking them",
		Long: `Show events of a function or topic as they wait: what is retried first, then what is queued, then what
is not due yet. Nothing is taken. The table shows the beginning of the data; -o json has all of it.`,
		Example: `  fairlead topic browse invoice.create
  fairlead topic browse topic:orders.created --skip 20 --limit 100 -o json`,
		Args: between(1, 1),
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
			return o.withKeeper(c.Context(), func(ctx context.Context, k keeper) error {
				events, err := k.Browse(ctx, args[0], skip, limit)
				if err != nil {
					return err
				}
				return out.print(c.OutOrStdout(), events, func(w io.Writer) error { return listEvents(w, events, time.Now()) })
			})
		},
		ValidArgsFunction: o.completeTopics(),
	}
	c.Flags().IntVar(&skip, "skip", 0, "leave out the first `N`")
	c.Flags().IntVar(&limit, "limit", pageSize, "show at most `N`")
	out.flags(c)
	return c
}

// Widths of columns that may be cut.
const (
	idWidth    = 36
	keyWidth   = 20
	dataWidth  = 48
	errorWidth = 72
)

func listEvents(w io.Writer, events []admin.StoredEvent, now time.Time) error {
	if len(events) == 0 {
		fmt.Fprintln(os.Stderr, "Nothing waits.")
		return nil
	}
	t := newTable(w, "ID", "SUBSCRIPTION", "PLACE", "PUBLISHED", "DUE", "FAILED", "KEY", "DATA")
	for _, e := range events {
		t.row(brief(e.ID, idWidth), e.Subscription, e.Place, ago(e.Published, now), agoIf(e.Due, now), strconv.Itoa(e.Attempts), brief(e.Key, keyWidth), brief(string(e.Body()), dataWidth))
	}
	return t.end()
}

func topicPurgeCommand(o *options) *cobra.Command {
	var sure confirmation
	c := &cobra.Command{
		Use:   "purge NAME",
		Short: "Remove everything that waits in a function or topic, for good",
		Long: `Remove all events of a function or topic, for good, but those that are being worked on. It asks first;
--yes answers.`,
		Example: `  fairlead topic purge invoice.create
  fairlead topic purge topic:orders.created --yes`,
		Args: between(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := sure.need("purging " + args[0]); err != nil {
				return err
			}
			k, done, err := o.keeper(c.Context())
			if err != nil {
				return err
			}
			defer done()
			return purge(c, k, args[0], &sure)
		},
		ValidArgsFunction: o.completeTopics(),
	}
	sure.flags(c)
	return c
}

// purge takes as long as it takes, but looking the topic up does not.
func purge(c *cobra.Command, k keeper, name string, sure *confirmation) error {
	ctx, cancel := context.WithTimeout(c.Context(), storeTimeout)
	defer cancel()
	topic, err := k.Topic(ctx, name)
	if err != nil {
		return err
	}
	if err := sure.ask(c.Context(), fmt.Sprintf("Remove %s of %s %s for good?", count(topic.Depth, "event"), topic.Kind, topic.Name)); err != nil {
		return err
	}
	n, err := k.Purge(c.Context(), topic.Target)
	if err != nil {
		return interrupted(err)
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "removed %s\n", count(n, "event"))
	return err
}

func (o *options) completeTopics() cobra.CompletionFunc {
	return o.completeWith(1, func(ctx context.Context, k keeper) ([]string, error) {
		topics, err := k.Topics(ctx)
		var names []string
		for _, t := range topics {
			names = append(names, t.Target)
		}
		return names, err
	})
}
