package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

func runCommand(o *options) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "run [DIR]",
		Short: "Build the functions of a folder and serve them",
		Long: `Build the functions of a folder (default: this one) and serve them until Ctrl-C. The folder is a Go
package with func New() *host.Host, or a program of its own. What its configuration (fairlead.yaml)
asks for and nothing provides is started, too: a broker in memory for a connection with
"url: embedded", a Postgres for a store without a URL. Examples in the configuration are sent once,
and their answers shown.

When the code, the configuration or the file .env changes, the functions are built again, and a new
program takes over: the old one finishes what it has in hand. What does not compile or start is shown,
and the old program goes on.`,
		Example: `  fairlead run
  fairlead run ./functions/orders -f orders.yaml`,
		Args: between(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			return o.run(c.Context(), dir, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "log in JSON, a line each, and say in JSON what happens, too")
	return c
}

func (o *options) run(ctx context.Context, dir string, asJSON bool) error {
	a, err := findApp(dir)
	if err != nil {
		return err
	}
	s, err := newSession(ctx, o, a, newVoice(os.Stderr, asJSON))
	if err != nil {
		return err
	}
	defer s.close()
	return s.run(ctx)
}

// childConfig returns the configuration file that the app reads, and the
// arguments that tell it so.
func (o *options) childConfig(a *app) (file string, args []string) {
	if o.config == "" {
		return filepath.Join(a.dir, "fairlead.yaml"), nil
	}
	file, err := filepath.Abs(o.config)
	if err != nil { // the working folder is gone: let the child say that there is no such file
		file = o.config
	}
	return file, []string{"-f", file}
}
