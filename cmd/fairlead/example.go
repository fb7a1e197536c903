package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/framework/config"
)

// exampleTimeout is how long an example's answer may take.
const exampleTimeout = 10 * time.Second

// showExamples sends the examples of the configuration whose connection is a
// broker that ends with this run, shows their answers, and says how to send the
// next message.
func showExamples(ctx context.Context, client *admin.Client, cfg *config.Config, v *voice) error {
	for _, name := range slices.Sorted(maps.Keys(cfg.Examples)) {
		e := cfg.Examples[name]
		connection := cfg.Bindings[e.Binding].Connection
		if !isEmbedded(cfg.Connections[connection]) {
			continue
		}
		text, err := showExample(ctx, client, connection, e)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		v.print(text) // at once: programs log meanwhile
	}
	return nil
}

// showExample sends an example, and returns what there is to show.
func showExample(ctx context.Context, client *admin.Client, connection string, e config.Example) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, exampleTimeout)
	defer cancel()
	m := admin.Message{Destination: e.Destination, ContentType: guess([]byte(e.Data))}
	m.SetBody([]byte(e.Data))
	begin := time.Now()
	if _, err := client.Send(ctx, e.Binding, m); err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n  %s ─► %s", e.Data, e.Destination)
	if e.Answer != "" {
		err := client.Receive(ctx, connection, e.Answer, 1, func(m admin.Message) error {
			fmt.Fprintf(&b, " ─► %s ─► %s   (%d ms)", e.Answer, m.Body(), time.Since(begin).Milliseconds())
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	me := invocation()
	fmt.Fprintf(&b, "\n\n  Send the next one:  %s send %s %s %s\n", me, e.Binding, e.Destination, quote(e.Data))
	if e.Answer != "" {
		fmt.Fprintf(&b, "  See its answer:     %s receive %s %s --count 1\n\n", me, connection, e.Answer)
	}
	return b.String(), nil
}

// invocation returns how this command was called, for a person to type again.
func invocation() string {
	if strings.Contains(os.Args[0], "go-build") {
		return "go run ./cmd/fairlead"
	}
	return "fairlead"
}

// quote returns s as a word of a shell.
func quote(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n'\"\\$`{}[]()<>|&;*?!#~") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
