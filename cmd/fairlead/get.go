package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/framework/config"
)

// kinds of objects that get shows.
var kinds = config.Kinds()

func getCommand(o *options) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:   "get KIND [NAME]",
		Short: "Show what is configured, and how it is doing",
		Long: `Show the objects of one kind (` + strings.Join(kinds, ", ") + `) of the running host:
their settings with defaults, secrets masked, their state, and why a newer configuration of them was refused.`,
		Example: `  fairlead get triggers
  fairlead get connection orders -o yaml`,
		Args: between(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			kind, err := kindOf(args[0])
			if err != nil {
				return err
			}
			host, err := o.running(c.Context())
			if err != nil {
				return err
			}
			if len(args) == 2 {
				object, err := host.Object(c.Context(), kind, args[1])
				if err != nil {
					return err
				}
				return out.print(c.OutOrStdout(), object, func(w io.Writer) error { return showObject(w, object) })
			}
			objects, err := host.Objects(c.Context(), kind)
			if err != nil {
				return err
			}
			return out.print(c.OutOrStdout(), objects, func(w io.Writer) error { return listObjects(w, kind, objects) })
		},
		ValidArgsFunction: o.completeKindAndName,
	}
	out.flags(c)
	return c
}

// completeKindAndName completes the kind of an object, and then its name.
func (o *options) completeKindAndName(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return kinds, cobra.ShellCompDirectiveNoFileComp
	case 1:
		if kind, err := kindOf(args[0]); err == nil {
			return o.objectNames(c.Context(), kind), cobra.ShellCompDirectiveNoFileComp
		}
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// kindOf returns the kind that a person means, who may say trigger for triggers.
func kindOf(word string) (string, error) {
	for _, kind := range kinds {
		if word == kind || word == strings.TrimSuffix(kind, "s") {
			return kind, nil
		}
	}
	return "", usagef("found the kind %q, expected one of %s", word, strings.Join(kinds, ", "))
}

// settingsWidth is how many characters of an object's settings a list shows.
const settingsWidth = 80

func listObjects(w io.Writer, kind string, objects []admin.Object) error {
	if len(objects) == 0 {
		fmt.Fprintf(os.Stderr, "There are no %s.\n", kind)
		return nil
	}
	t := newTable(w, "NAME", "OWNER", "STATE", "SETTINGS")
	for _, o := range objects {
		t.row(o.Name, filepath.Base(cmp.Or(o.Owner, "-")), o.State, brief(strings.Join(settings(o.Spec), ", "), settingsWidth))
	}
	return t.end()
}

func showObject(w io.Writer, o admin.Object) error {
	d := newDetails(w)
	d.field("Name", o.Name)
	d.field("Kind", o.Kind)
	d.field("Owner", o.Owner)
	if o.Version > 0 {
		d.field("Version", strconv.FormatInt(o.Version, 10))
	}
	d.field("State", o.State)
	d.field("Error", o.Error)
	d.field("Refused", o.Refused)
	for _, s := range settings(o.Spec) {
		key, value, _ := strings.Cut(s, ": ")
		d.field(key, value)
	}
	return d.end()
}

// settings are the keys of an object with their values, sorted.
func settings(spec map[string]any) []string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(spec)) {
		text, ok := spec[key].(string)
		if !ok {
			if v, err := json.Marshal(spec[key]); err == nil {
				text = string(v)
			}
		}
		all = append(all, key+": "+text)
	}
	return all
}
