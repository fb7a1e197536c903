package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// A confirmation asks before what cannot be undone.
type confirmation struct{ yes bool }

func (c *confirmation) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&c.yes, "yes", "y", false, "do not ask")
}

// errDeclined is returned when the answer is no.
var errDeclined = errors.New("nothing was done")

// need returns an error where a confirmation is needed and nobody can be asked.
func (c *confirmation) need(what string) error {
	if !c.yes && !attended(os.Stdin) {
		return usagef("%s cannot be undone, and nobody can be asked here: add --yes", what)
	}
	return nil
}

// ask asks, unless --yes has answered already.
func (c *confirmation) ask(ctx context.Context, question string) error {
	if c.yes {
		return nil
	}
	fmt.Fprintf(os.Stderr, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() { // it ends with the input, or with the program
		line, _ := bufio.NewReader(os.Stdin).ReadString('\n') // without a line, no
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case a := <-answer:
		if a == "y" || a == "yes" {
			return nil
		}
	case <-ctx.Done():
		fmt.Fprintln(os.Stderr)
	}
	return errDeclined
}

// interrupted returns err, or, if Ctrl-C ended what cannot be undone, what that means.
func interrupted(err error) error {
	if errors.Is(err, context.Canceled) {
		return errors.New("stopped: what was removed is gone, the rest is still there")
	}
	return err
}

// attended reports whether a person sits at f.
func attended(f *os.File) bool {
	info, err := f.Stat()
	null, nullErr := os.Stat(os.DevNull)
	return err == nil && nullErr == nil && isTerminal(f) && !os.SameFile(info, null)
}
