package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestHelp walks the whole tree of commands: each says what it does, and each
// that takes arguments, flags or data shows how it is typed.
func TestHelp(t *testing.T) {
	root := newCommand()
	root.InitDefaultHelpCmd()
	n := 0
	walk(root, func(c *cobra.Command) {
		n++
		path := c.CommandPath()
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: Short is %q, want a phrase without a full stop", path, c.Short)
		}
		if c.Name() == "help" { // cobra's own
			return
		}
		if _, arguments, _ := strings.Cut(c.Use, " "); arguments != "" && c.Example == "" {
			t.Errorf("%s takes %s and has no Example", path, arguments)
		}
		for line := range strings.Lines(c.Example) {
			if !strings.Contains(line, path) || !strings.HasPrefix(line, "  ") {
				t.Errorf("%s: the example %q does not show the command, indented", path, line)
			}
		}
		if c.Runnable() && c.Args == nil {
			t.Errorf("%s does not check its arguments", path)
		}
	})
	if n < 10 {
		t.Errorf("saw %d commands, want the whole tree", n)
	}
}

// TestHelpHidesToken makes sure that a token of the environment is not shown as
// the default of its flag.
func TestHelpHidesToken(t *testing.T) {
	t.Setenv("FAIRLEAD_TOKEN", "geheim")
	root := newCommand()
	if usage := root.UsageString(); !strings.Contains(usage, "--token") || strings.Contains(usage, "geheim") {
		t.Errorf("got the help\n%s\nwant it to name --token, without its value", usage)
	}
	if token, err := root.PersistentFlags().GetString("token"); err != nil || token != "geheim" {
		t.Errorf("got the token %q and error %v, want that of the environment", token, err)
	}
}

func walk(c *cobra.Command, see func(*cobra.Command)) {
	see(c)
	for _, sub := range c.Commands() {
		walk(sub, see)
	}
}

// TestExamplesParse checks that the flags in the examples exist.
func TestExamplesParse(t *testing.T) {
	walk(newCommand(), func(c *cobra.Command) {
		for line := range strings.Lines(c.Example) {
			_, typed, _ := strings.Cut(line, c.CommandPath())
			typed, _, _ = strings.Cut(typed, " -- ") // what follows is for another program
			for _, word := range strings.Fields(typed) {
				name, long := strings.CutPrefix(word, "--")
				switch {
				case long && c.Flag(name) == nil:
					t.Errorf("%s: the example uses --%s, which does not exist", c.CommandPath(), name)
				case !long && len(word) == 2 && word[0] == '-' && c.Flags().ShorthandLookup(word[1:]) == nil && c.InheritedFlags().ShorthandLookup(word[1:]) == nil:
					t.Errorf("%s: the example uses %s, which does not exist", c.CommandPath(), word)
				}
			}
		}
	})
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"":          "''",
		"World":     "World",
		"two words": "'two words'",
		`{"a": 1}`:  `'{"a": 1}'`,
		"it's":      `'it'\''s'`,
		"a/b.c-d_e": "a/b.c-d_e",
	} {
		if got := quote(in); got != want {
			t.Errorf("quote(%q): got %s, want %s", in, got, want)
		}
	}
}

func TestGuess(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":1}`: "application/json",
		"7":       "application/json",
		"":        "text/plain",
		"World":   "text/plain",
		"{":       "text/plain",
		"\xff":    "application/octet-stream",
	} {
		if got := guess([]byte(in)); got != want {
			t.Errorf("guess(%q): got %s, want %s", in, got, want)
		}
	}
}
