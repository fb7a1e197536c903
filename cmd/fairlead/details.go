package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// details are the fields of one thing, a line each; those that are empty are
// left out.
type details struct{ tabs *tabwriter.Writer }

func newDetails(w io.Writer) details {
	return details{tabwriter.NewWriter(w, 0, 0, columnGap, ' ', 0)}
}

func (d details) field(name, value string) {
	if value != "" {
		fmt.Fprintf(d.tabs, "%s:\t%s\n", name, clean(value))
	}
}

func (d details) moment(name string, t *time.Time, now time.Time) {
	if t != nil {
		d.field(name, exactly(*t, now))
	}
}

func (d details) end() error { return d.tabs.Flush() }
