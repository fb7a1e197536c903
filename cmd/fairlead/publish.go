package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/admin"
)

// A publication is what the flags of publish say.
type publication struct {
	data
	id, key, at string
	after, ttl  time.Duration
	priority    int
}

func publishCommand(o *options) *cobra.Command {
	var p publication
	c := &cobra.Command{
		Use:   "publish TARGET [DATA]",
		Short: "Publish an event to a function or a topic",
		Long: `Publish an event to a function by name, or to every subscriber of a topic with "topic:NAME". It is
kept in the store until it is done; nobody needs to serve it yet. The event's id is printed once it is
stored. Data comes from the argument, --file or the standard input.

It goes through the running host; without one, straight to the store that the configuration names.`,
		Example: `  fairlead publish invoice.create '{"order": 7}'
  fairlead publish topic:orders.created --file order.json --key customer-7
  fairlead publish report.build now --id report-2026-01 --after 90s --ttl 1h
  fairlead publish report.build later --at 2026-01-02T03:04:05Z`,
		Args: between(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			event, err := p.event(c, args[1:])
			if err != nil {
				return err
			}
			return o.withKeeper(c.Context(), func(ctx context.Context, k keeper) error {
				id, err := k.Publish(ctx, args[0], event)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(c.OutOrStdout(), id)
				return err
			})
		},
		ValidArgsFunction: o.completeTargets(),
	}
	p.flags(c)
	f := c.Flags()
	f.StringVar(&p.id, "id", "", "the event's `ID`; publishing it a second time is publishing it once")
	f.StringVar(&p.key, "key", "", "events of one `KEY` are delivered in order")
	f.DurationVar(&p.after, "after", 0, "deliver it after `DURATION`, such as 90s or 1h30m")
	f.StringVar(&p.at, "at", "", "deliver it at `TIME`, as in 2026-01-02T15:04:05Z or \"2026-01-02 15:04\"")
	f.DurationVar(&p.ttl, "ttl", 0, "let it expire after `DURATION`")
	f.IntVar(&p.priority, "priority", 0, "`N` from 0 to 9, higher first (default 4)")
	return c
}

// event returns what the flags and the arguments, from the first that is data, describe.
func (p *publication) event(c *cobra.Command, args []string) (admin.Publication, error) {
	out := admin.Publication{Key: p.key, After: admin.Duration(p.after), TTL: admin.Duration(p.ttl)}
	given := c.Flags().Changed
	switch {
	case given("after") && p.after <= 0:
		return out, usagef("--after: found %v, expected a duration above 0", p.after)
	case given("ttl") && p.ttl <= 0:
		return out, usagef("--ttl: found %v, expected a duration above 0", p.ttl)
	case given("after") && given("at"):
		return out, usagef("found --after and --at, expected one of them")
	case given("priority") && (p.priority < 0 || p.priority > 9):
		return out, usagef("--priority: found %d, expected 0 to 9", p.priority)
	}
	if given("priority") {
		out.Priority = &p.priority
	}
	if given("at") {
		t, err := parseTime(p.at)
		if err != nil {
			return out, usagef("--at: %w", err)
		}
		out.At = &t
	}
	var err error
	if out.Message, err = p.message(args); err != nil {
		return out, err
	}
	out.ID = p.id
	out.Header = p.onlyHeaders(out.Message)
	out.ReplyTo, out.CorrelationID = "", ""
	return out, nil
}

// onlyHeaders returns all of a message's headers as such: an event has no fields
// for those that a message has.
func (p *publication) onlyHeaders(m admin.Message) map[string]any {
	for name, value := range map[string]string{"reply-to": m.ReplyTo, "correlation-id": m.CorrelationID} {
		if value != "" {
			if m.Header == nil {
				m.Header = make(map[string]any)
			}
			m.Header[name] = value
		}
	}
	return m.Header
}

// timeLayouts are how a person types a time; without a zone it is the local one.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateTime, "2006-01-02 15:04", time.DateOnly}

func parseTime(text string) (time.Time, error) {
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("found %q, expected a time such as 2026-01-02T15:04:05Z or \"2026-01-02 15:04\"", text)
}

// completeTargets completes what can be published to: what the store has, and
// the functions of the running host.
func (o *options) completeTargets() cobra.CompletionFunc {
	return o.completeWith(1, func(ctx context.Context, k keeper) ([]string, error) {
		var names []string
		if c, ok := k.(*admin.Client); ok {
			if s, err := c.Status(ctx); err == nil {
				names = s.Functions
			}
		}
		topics, err := k.Topics(ctx)
		for _, t := range topics {
			names = append(names, t.Target)
		}
		slices.Sort(names)
		return slices.Compact(names), err
	})
}
