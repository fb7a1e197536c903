package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// answer asks a question and returns the next line, without spaces around it.
func answer(ctx context.Context, lines *bufio.Scanner, out io.Writer, question string) (string, error) {
	fmt.Fprint(out, question)
	more := make(chan bool, 1)
	go func() { more <- lines.Scan() }() // it ends with the line, or with the program
	select {
	case found := <-more:
		if found {
			return strings.TrimSpace(lines.Text()), nil
		}
		fmt.Fprintln(out)
		return "", cmp.Or(lines.Err(), usagef("found no answer, and no other line to come"))
	case <-ctx.Done():
		fmt.Fprintln(out)
		return "", ctx.Err()
	}
}

// readSecret asks for a secret that is not shown while it is typed. Where nobody
// can be asked it is the first line of the standard input. again asks twice, and
// wants the same.
func readSecret(ctx context.Context, prompt string, again bool) (string, error) {
	if !attended(os.Stdin) {
		line, err := bufio.NewReader(io.LimitReader(os.Stdin, maxSecret)).ReadString('\n')
		if err != nil && line == "" {
			return "", usagef("%s: found none in the standard input", prompt)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	first, err := typed(ctx, prompt)
	if err != nil || !again {
		return first, err
	}
	second, err := typed(ctx, "The same again")
	if err == nil && second != first {
		err = usagef("%s: found two that differ", prompt)
	}
	return first, err
}

// maxSecret is the longest secret that is read, in bytes.
const maxSecret = 64 << 10

// typed reads what a person types at the terminal.
func typed(ctx context.Context, prompt string) (string, error) {
	fd := int(os.Stdin.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(os.Stderr, "%s: ", prompt)
	defer fmt.Fprintln(os.Stderr)
	type answer struct {
		text []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() { // it ends with the line, or with the program
		text, err := term.ReadPassword(fd)
		answers <- answer{text, err}
	}()
	select {
	case a := <-answers:
		return string(a.text), a.err
	case <-ctx.Done():
		if err := term.Restore(fd, state); err != nil {
			return "", err
		}
		return "", ctx.Err()
	}
}
