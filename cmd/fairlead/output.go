package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

// formats of what lists and shows.
var formats = []string{"table", "json", "yaml"}

// An output writes a result as the flag -o says.
type output struct{ format string }

func (o *output) flags(c *cobra.Command) {
	c.Flags().StringVarP(&o.format, "output", "o", "table", "`FORMAT`: table, json or yaml")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
}

func (o *output) check() error {
	for _, f := range formats {
		if o.format == f {
			return nil
		}
	}
	return usagef("--output: found %q, expected table, json or yaml", o.format)
}

// print writes v, or calls table where a person reads.
func (o *output) print(w io.Writer, v any, table func(io.Writer) error) error {
	if o.format == "table" {
		return table(w)
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	if o.format == "yaml" {
		y, err := yaml.JSONToYAML(text.Bytes())
		if err != nil {
			return fmt.Errorf("write YAML: %w", err)
		}
		text = *bytes.NewBuffer(y)
	}
	_, err := text.WriteTo(w)
	return err
}

// A table is rows under a heading, in columns.
type table struct{ tabs *tabwriter.Writer }

// columnGap is how many spaces are between columns.
const columnGap = 2

func newTable(w io.Writer, headings ...string) table {
	t := table{tabwriter.NewWriter(w, 0, 0, columnGap, ' ', 0)}
	t.row(headings...)
	return t
}

func (t table) row(cells ...string) {
	for i, c := range cells {
		if c == "" {
			cells[i] = "-"
		}
	}
	fmt.Fprintln(t.tabs, strings.Join(cells, "\t"))
}

func (t table) end() error { return t.tabs.Flush() }

// brief returns text as one line of at most most characters that a terminal shows
// as they are.
func brief(text string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range strings.Join(strings.Fields(text), " ") {
		if n++; n > most {
			return strings.TrimRight(b.String(), " ") + "…"
		}
		b.WriteRune(visible(r))
	}
	return b.String()
}

// visible returns r, or what stands for one that would do something to a terminal.
func visible(r rune) rune {
	if r == utf8.RuneError || unicode.IsControl(r) || !unicode.IsGraphic(r) {
		return '�'
	}
	return r
}

// clean returns text of several lines that does nothing to a terminal.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return visible(r)
	}, strings.ReplaceAll(text, "\r\n", "\n"))
}

// ago returns how far t is from now, in the one unit that says it best.
func ago(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return ""
	case d < 0:
		return "in " + span(-d)
	default:
		return span(d) + " ago"
	}
}

func agoIf(t *time.Time, now time.Time) string {
	if t == nil {
		return ""
	}
	return ago(*t, now)
}

func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/day)
}

// exactly returns t for a person who wants to know it well.
func exactly(t, now time.Time) string {
	return fmt.Sprintf("%s (%s)", t.Local().Format(time.RFC3339), ago(t, now))
}

// listing returns what a command does that lists all of something: get asks for
// it whatever with opens, show prints it as a table.
func listing[K, T any](out *output, with func(context.Context, func(context.Context, K) error) error, get func(K, context.Context) ([]T, error), show func(io.Writer, []T, time.Time) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, _ []string) error {
		if err := out.check(); err != nil {
			return err
		}
		return with(c.Context(), func(ctx context.Context, k K) error {
			all, err := get(k, ctx)
			if err != nil {
				return err
			}
			return out.print(c.OutOrStdout(), all, func(w io.Writer) error { return show(w, all, time.Now()) })
		})
	}
}
