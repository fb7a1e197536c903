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

	"github.com/fairlead/fairlead/admin/access"
)

func tokenCommand(o *options) *cobra.Command {
	c := group("token", "Let programs use the management API, each with a role",
		`A token lets a program, such as this one on another machine, use the management API: FAIRLEAD_SERVER
says where it is, and FAIRLEAD_TOKEN is the token. Roles are those of accounts. Tokens are kept in the
store, as hashes. The commands ask the running host; without one, the store that the configuration
names.`)
	c.AddCommand(tokenCreateCommand(o), tokenListCommand(o), tokenRevokeCommand(o))
	return c
}

func tokenCreateCommand(o *options) *cobra.Command {
	var role roleFlag
	var expires string
	var out output
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a token and print it, for the only time",
		Example: `  fairlead token create ci --role operator --expires 30d
  export FAIRLEAD_TOKEN="$(fairlead token create deploy --role admin)"`,
		Args: between(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			r, err := role.role()
			if err != nil {
				return err
			}
			until, err := expiry(expires, time.Now())
			if err != nil {
				return err
			}
			return o.withRegistrar(c.Context(), func(ctx context.Context, k registrar) error {
				token, err := k.CreateToken(ctx, args[0], r, until)
				if err != nil {
					return err
				}
				shown := map[string]any{"name": args[0], "role": r, "token": token}
				return out.print(c.OutOrStdout(), shown, func(w io.Writer) error {
					_, err := fmt.Fprintln(w, token)
					return err
				})
			})
		},
	}
	role.flags(c)
	c.Flags().StringVar(&expires, "expires", "", "it expires after that `TIME`, such as 12h or 30d (default: never)")
	out.flags(c)
	return c
}

// expiry returns when a token expires that does so after a time, such as 12h or
// 30d; zero for none.
func expiry(after string, now time.Time) (time.Time, error) {
	if after == "" {
		return time.Time{}, nil
	}
	const day = 24 * time.Hour
	d, err := time.ParseDuration(after)
	if days, ok := strings.CutSuffix(after, "d"); ok {
		var n uint64
		const bits = 16
		n, err = strconv.ParseUint(days, 10, bits)
		d = time.Duration(n) * day
	}
	if err != nil || d <= 0 {
		return time.Time{}, usagef("--expires: found %q, expected a time such as 12h or 30d", after)
	}
	return now.Add(d), nil
}

func tokenListCommand(o *options) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:   "list",
		Short: "List tokens, without what they are",
		Args:  between(0, 0),
		RunE:  listing(&out, o.withRegistrar, registrar.Tokens, listTokens),
	}
	out.flags(c)
	return c
}

func listTokens(w io.Writer, tokens []access.TokenInfo, now time.Time) error {
	if len(tokens) == 0 {
		fmt.Fprintln(os.Stderr, "There are no tokens yet.")
		return nil
	}
	t := newTable(w, "NAME", "ROLE", "CREATED", "BY", "EXPIRES", "USED")
	for _, k := range tokens {
		expires := "never"
		if k.Expires != nil {
			expires = ago(*k.Expires, now)
		}
		t.row(k.Name, k.Role.String(), ago(k.Created, now), k.CreatedBy, expires, agoIf(k.Used, now))
	}
	return t.end()
}

func tokenRevokeCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "revoke NAME",
		Short:   "Make a token useless",
		Example: `  fairlead token revoke ci`,
		Args:    between(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			return o.register(c, args[0], "revoked", func(ctx context.Context, k registrar) error { return k.RevokeToken(ctx, args[0]) })
		},
		ValidArgsFunction: o.completeRegistered(func(ctx context.Context, k registrar) (names []string, err error) {
			tokens, err := k.Tokens(ctx)
			for _, t := range tokens {
				names = append(names, t.Name)
			}
			return names, err
		}),
	}
}
