package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/framework/host"
)

// storeTimeout bounds what a command asks of the store.
const storeTimeout = 10 * time.Second

// completionTimeout bounds what a press of the tab key asks of it.
const completionTimeout = 2 * time.Second

// A keeper answers for what the store keeps: a running host, or this process.
type keeper interface {
	admin.TopicStore
	admin.LetterStore
}

var (
	_ keeper = (*admin.Client)(nil)
	_ keeper = host.StoreOperator{}
)

// keeper returns the running host if there is one, else this process with the
// store that the configuration names.
func (o *options) keeper(ctx context.Context) (_ keeper, close func(), _ error) {
	if c := o.client(ctx); c != nil {
		return c, func() {}, nil
	}
	cfg, err := loadConfig(o.file())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, usagef("no host runs here and there is no %s; start one with \"fairlead run\", or name with -f a configuration that has store.url", o.file())
	}
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	op, stop, err := host.OpenStore(ctx, cfg, slog.New(slog.DiscardHandler)) // what goes wrong is in the errors, too
	if errors.Is(err, admin.ErrNoStore) {
		return nil, nil, usagef("no host runs here and %s has no store.url; start one with \"fairlead run\", or say where the store is", o.file())
	}
	if err != nil {
		return nil, nil, err
	}
	return op, stop, nil
}

// withKeeper calls f, which is to be done within storeTimeout.
func (o *options) withKeeper(ctx context.Context, f func(context.Context, keeper) error) error {
	k, done, err := o.keeper(ctx)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return f(ctx, k)
}

// completeWith returns what completes an argument of a command: names says what
// fits, given the arguments before it.
func (o *options) completeWith(most int, names func(context.Context, keeper) ([]string, error)) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(c.Context(), completionTimeout)
		defer cancel()
		k, done, err := o.keeper(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer done()
		found, err := names(ctx, k)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}
