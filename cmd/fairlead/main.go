// Command fairlead creates, runs and operates functions. See "fairlead help".
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/framework/config"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // bad usage or configuration
)

// A usageError is the fault of whoever typed the command.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	err := newCommand().ExecuteContext(ctx)
	stop()
	os.Exit(report(err))
}

// report says what went wrong and returns the exit code for it.
func report(err error) int {
	var child *exec.ExitError
	var usage usageError
	var problems config.Problems
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return exitDone
	case errors.As(err, &child): // it has said so itself
		return max(child.ExitCode(), exitFailed)
	case strings.HasPrefix(err.Error(), "unknown command"): // cobra has no type for it
		fmt.Fprintf(os.Stderr, "%s\n\n\"fairlead help\" lists the commands.\n", strings.TrimSpace(err.Error()))
		return exitUsage
	case errors.As(err, &problems), errors.As(err, &usage):
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	}
	fmt.Fprintln(os.Stderr, "fairlead:", err)
	return exitFailed
}

// newCommand returns the whole command tree.
func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "fairlead",
		Short:         "Functions fed by message brokers",
		Long:          "Fairlead runs plain Go functions with the messages of IBM MQ, STOMP and AMQP 1.0 brokers.",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%w\n\nSee \"%s --help\".", err, c.CommandPath())
	})
	o := &options{}
	flags := root.PersistentFlags()
	flags.StringVarP(&o.config, "config", "f", os.Getenv("FAIRLEAD_CONFIG"), "configuration `file` (default ./fairlead.yaml)")
	flags.StringVar(&o.server, "server", os.Getenv("FAIRLEAD_SERVER"), "`URL` of a running host's management API (default: the one that runs in this folder)")
	flags.StringVar(&o.token, "token", os.Getenv("FAIRLEAD_TOKEN"), "the `TOKEN` of that API")
	flags.Lookup("token").DefValue = "" // help prints the default, and this one is a secret
	root.AddCommand(
		createCommand(), runCommand(o), invokeCommand(o), sendCommand(o), receiveCommand(o), publishCommand(o), pingCommand(o),
		queueCommand(o), topicCommand(o), deadLetterCommand(o),
		tokenCommand(o), accountCommand(o), signInCommand(o),
		getCommand(o), planCommand(o), applyCommand(o), exportCommand(o), deleteCommand(o), pauseCommand(o), resumeCommand(o),
		secretCommand(o), passwordCommand(o), auditCommand(o),
		sourceCommand(o), scalerCommand(o),
		manifestsCommand(o), deployCommand(o), doctorCommand(o), configCommand(o), migrationsCommand(), versionCommand(),
	)
	return root
}

// between is cobra.RangeArgs with an error that counts as bad usage and names what is wanted.
func between(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return usagef("found %s, expected: %s\n\nSee \"%s --help\".", count(len(args), "argument"), c.UseLine(), c.CommandPath())
		}
		return nil
	}
}

// count is n things, in words.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
