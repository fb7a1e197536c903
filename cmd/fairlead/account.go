package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/admin/access"
	"github.com/fairlead/fairlead/framework/host"
)

// A registrar keeps accounts and tokens: a running host, or this process with the
// store.
type registrar interface {
	Accounts(ctx context.Context) ([]access.AccountInfo, error)
	CreateAccount(ctx context.Context, name string, role access.Role, password string) error
	DeleteAccount(ctx context.Context, name string) error
	SetRole(ctx context.Context, name string, role access.Role) error
	SetAccountPassword(ctx context.Context, name, password string) error
	Tokens(ctx context.Context) ([]access.TokenInfo, error)
	CreateToken(ctx context.Context, name string, role access.Role, expires time.Time) (string, error)
	RevokeToken(ctx context.Context, name string) error
}

var (
	_ registrar = (*admin.Client)(nil)
	_ registrar = ownRegistrar{}
)

// An ownRegistrar is one of this process.
type ownRegistrar struct{ *access.Access }

func (r ownRegistrar) SetAccountPassword(ctx context.Context, name, password string) error {
	return r.SetPassword(ctx, name, password)
}

// withRegistrar calls f with the running host if there is one, else with the store
// that the configuration names: whoever has its password may do all.
func (o *options) withRegistrar(ctx context.Context, f func(context.Context, registrar) error) error {
	return o.withKeeper(ctx, func(ctx context.Context, k keeper) error {
		if c, ok := k.(*admin.Client); ok {
			return f(ctx, c)
		}
		ctx = access.With(ctx, access.Identity{Name: localUser(), Role: access.Admin, Kind: access.Local})
		return f(ctx, ownRegistrar{k.(host.StoreOperator).Access()})
	})
}

// localUser names who uses the store directly.
func localUser() string {
	if u, err := user.Current(); err == nil {
		return access.LocalName + " (" + u.Username + ")"
	}
	return access.LocalName
}

func accountCommand(o *options) *cobra.Command {
	c := group("account", "Say who may sign in to the dashboard, and with which role",
		`An account lets a person sign in to the dashboard by name and password. Its role is viewer (sees
everything but secrets), operator (pauses, pings, sends, invokes, replays, too) or admin (changes the
configuration, secrets, accounts and tokens, too). Accounts are kept in the store. The commands ask
the running host; without one, the store that the configuration names.`)
	c.AddCommand(accountCreateCommand(o), accountListCommand(o), accountPasswordCommand(o), accountRoleCommand(o), accountDeleteCommand(o))
	return c
}

// roleFlag is the flag --role.
type roleFlag struct{ text string }

func (f *roleFlag) flags(c *cobra.Command) {
	c.Flags().StringVar(&f.text, "role", "", "`ROLE`: viewer, operator or admin (required)")
	_ = c.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(roleNames, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
}

var roleNames = []string{"viewer", "operator", "admin"}

func (f *roleFlag) role() (access.Role, error) {
	role, err := access.ParseRole(f.text)
	if err != nil {
		return role, usagef("--%w", err)
	}
	return role, nil
}

func accountCreateCommand(o *options) *cobra.Command {
	var role roleFlag
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Create an account",
		Long: `Create an account. Its password is asked for; where nobody can be asked, it is the first line of the
standard input. It has at least 12 characters, whichever they are.`,
		Example: `  fairlead account create jane --role operator
  pass show fairlead | fairlead account create jane --role admin`,
		Args: between(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := role.role()
			if err != nil {
				return err
			}
			password, err := readSecret(c.Context(), "Password of "+args[0], true)
			if err != nil {
				return err
			}
			return o.register(c, args[0], "created", func(ctx context.Context, k registrar) error { return k.CreateAccount(ctx, args[0], r, password) })
		},
	}
	role.flags(c)
	return c
}

// register does something to an account or a token, and says so.
func (o *options) register(c *cobra.Command, name, done string, do func(context.Context, registrar) error) error {
	if err := o.withRegistrar(c.Context(), do); err != nil {
		return err
	}
	_, err := fmt.Fprintln(c.OutOrStdout(), name, done)
	return err
}

func accountListCommand(o *options) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:   "list",
		Short: "List accounts",
		Args:  between(0, 0),
		RunE:  listing(&out, o.withRegistrar, registrar.Accounts, listAccounts),
	}
	out.flags(c)
	return c
}

func listAccounts(w io.Writer, accounts []access.AccountInfo, now time.Time) error {
	if len(accounts) == 0 {
		fmt.Fprintln(os.Stderr, "Nobody has an account yet.")
		return nil
	}
	t := newTable(w, "NAME", "ROLE", "CREATED", "SIGNED IN", "SESSIONS")
	for _, a := range accounts {
		t.row(a.Name, a.Role.String(), ago(a.Created, now), agoIf(a.SignedIn, now), strconv.Itoa(a.Sessions))
	}
	return t.end()
}

func accountPasswordCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "password NAME",
		Short: "Set the password of an account and end its sessions",
		Long: `Set the password of an account and end its sessions. The password is asked for; where nobody can be
asked, it is the first line of the standard input.`,
		Example: `  fairlead account password ann`,
		Args:    between(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			password, err := readSecret(c.Context(), "Password of "+args[0], true)
			if err != nil {
				return err
			}
			return o.register(c, args[0], "has another password", func(ctx context.Context, k registrar) error { return k.SetAccountPassword(ctx, args[0], password) })
		},
		ValidArgsFunction: o.completeAccounts(),
	}
}

func accountRoleCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "role NAME ROLE",
		Short:   "Change the role of an account and end its sessions",
		Example: "  fairlead account role jane admin",
		Args:    between(2, 2),
		RunE: func(c *cobra.Command, args []string) error {
			role, err := access.ParseRole(args[1])
			if err != nil {
				return usageError{err}
			}
			return o.register(c, args[0], "has the role "+args[1], func(ctx context.Context, k registrar) error { return k.SetRole(ctx, args[0], role) })
		},
		ValidArgsFunction: o.completeAccounts(),
	}
}

func accountDeleteCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "delete NAME",
		Short:   "Delete an account and end its sessions",
		Example: `  fairlead account delete ann`,
		Args:    between(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			return o.register(c, args[0], "deleted", func(ctx context.Context, k registrar) error { return k.DeleteAccount(ctx, args[0]) })
		},
		ValidArgsFunction: o.completeAccounts(),
	}
}

func (o *options) completeAccounts() cobra.CompletionFunc {
	return o.completeRegistered(func(ctx context.Context, k registrar) (names []string, err error) {
		accounts, err := k.Accounts(ctx)
		for _, a := range accounts {
			names = append(names, a.Name)
		}
		return names, err
	})
}

// completeRegistered completes the name of an account or a token.
func (o *options) completeRegistered(names func(context.Context, registrar) ([]string, error)) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) (found []cobra.Completion, _ cobra.ShellCompDirective) {
		if len(args) == 0 {
			ctx, cancel := context.WithTimeout(c.Context(), completionTimeout)
			defer cancel()
			_ = o.withRegistrar(ctx, func(ctx context.Context, k registrar) (err error) { // there is nobody to tell
				found, err = names(ctx, k)
				return err
			})
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

func signInCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "signin",
		Short: "Print a link that signs you in to the dashboard, once",
		Long: `Print a link that signs you in to the dashboard of the host that runs in this folder, as an admin, once
and within 15 minutes. It is for who may read .fairlead/server.json; others have accounts.`,
		Args: between(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			running, err := o.running(c.Context())
			if err != nil {
				return err
			}
			link, err := running.Link(c.Context())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), link)
			return err
		},
	}
}
