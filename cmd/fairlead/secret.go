package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/admin"
)

func secretCommand(o *options) *cobra.Command {
	c := group("secret", "Keep secrets encrypted in the store",
		`A secret NAME is what ${secret:NAME} in a configuration stands for. It is kept encrypted in the store, under
a master key that every replica is given (FAIRLEAD_MASTER_KEY or FAIRLEAD_MASTER_KEY_FILE), and is never
shown. Changing one restarts what refers to it, on every replica, and nothing else.`)
	c.AddCommand(secretSetCommand(o), secretListCommand(o), secretDeleteCommand(o), secretRotateCommand(o))
	return c
}

func secretSetCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "set NAME",
		Short: "Set a secret, which is typed or the first line of the standard input",
		Example: `  fairlead secret set orders.key
  openssl rand -hex 20 | fairlead secret set partners.key`,
		Args: between(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			return o.setSecret(c, args[0], "Secret", (*admin.Client).SetSecret)
		},
		ValidArgsFunction: o.completeSecrets,
	}
}

// setSecret reads a secret and has the host keep it.
func (o *options) setSecret(c *cobra.Command, name, prompt string, set func(*admin.Client, context.Context, string, string) error) error {
	host, err := o.running(c.Context())
	if err != nil {
		return err
	}
	value, err := readSecret(c.Context(), prompt, true)
	if err != nil {
		return err
	}
	if err := set(host, c.Context(), name, value); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.OutOrStdout(), name, "set")
	return err
}

func secretListCommand(o *options) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:   "list",
		Short: "List the names of secrets, and what refers to them",
		Args:  between(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			host, err := o.running(c.Context())
			if err != nil {
				return err
			}
			secrets, err := host.Secrets(c.Context())
			if err != nil {
				return err
			}
			return out.print(c.OutOrStdout(), secrets, func(w io.Writer) error { return listSecrets(w, secrets, time.Now()) })
		},
	}
	out.flags(c)
	return c
}

func listSecrets(w io.Writer, secrets []admin.Secret, now time.Time) error {
	if len(secrets) == 0 {
		fmt.Fprintln(os.Stderr, "There are no secrets yet.")
		return nil
	}
	t := newTable(w, "NAME", "CHANGED", "BY", "MASTER KEY", "USED BY")
	for _, s := range secrets {
		key := s.Key
		if !s.Usable {
			key += " (not here)"
		}
		t.row(s.Name, ago(s.Changed, now), s.By, key, strings.Join(s.UsedBy, ", "))
	}
	return t.end()
}

func secretDeleteCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "delete NAME",
		Short:   "Delete a secret that nothing refers to",
		Example: "  fairlead secret delete partners.key",
		Args:    between(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			host, err := o.running(c.Context())
			if err != nil {
				return err
			}
			if err := host.DeleteSecret(c.Context(), args[0]); err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), args[0], "deleted")
			return err
		},
		ValidArgsFunction: o.completeSecrets,
	}
}

func secretRotateCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "rotate",
		Short: "Keep all secrets under a new master key",
		Long: `Keep all secrets under a new master key. First give it to every replica as FAIRLEAD_MASTER_KEY (or
FAIRLEAD_MASTER_KEY_FILE), and the old one as FAIRLEAD_MASTER_KEY_OLD (or FAIRLEAD_MASTER_KEY_OLD_FILE). Then
run this once. After it nothing needs the old one any more. The secrets themselves stay what they are.`,
		Args: between(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			host, err := o.running(c.Context())
			if err != nil {
				return err
			}
			n, err := host.RotateSecrets(c.Context())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), "rotated", count(n, "secret"))
			return err
		},
	}
}

func passwordCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "password CONNECTION",
		Short: "Set the password of a connection, while it runs",
		Long: `Set the password of a connection: it is typed, or the first line of the standard input. Every replica signs in
with it, and what was received with the old one is done first. A password that the broker refuses
changes nothing. It is kept encrypted in the store, as the secret connections.CONNECTION.password. A
connection of a file takes one if its file gives it a user and no password.`,
		Example: `  fairlead password orders
  fairlead password orders < orders.password`,
		Args: between(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			return o.setSecret(c, args[0], "Password of "+args[0], (*admin.Client).SetPassword)
		},
		ValidArgsFunction: o.completeObjects("connections"),
	}
}

// completeSecrets completes the name of a secret.
func (o *options) completeSecrets(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	const nothing = cobra.ShellCompDirectiveNoFileComp
	ctx, cancel := context.WithTimeout(c.Context(), completionTimeout)
	defer cancel()
	host, err := o.running(ctx)
	if err != nil || len(args) > 0 {
		return nil, nothing
	}
	secrets, err := host.Secrets(ctx)
	if err != nil {
		return nil, nothing
	}
	var names []string
	for _, s := range secrets {
		names = append(names, s.Name)
	}
	return names, nothing
}
