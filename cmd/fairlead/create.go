package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/templates"
)

func createCommand() *cobra.Command {
	var template string
	c := &cobra.Command{
		Use:   "create [NAME]",
		Short: "Write a new function into a folder of its own",
		Long:  "Write a new function into the folder NAME, from a template: a module with the function, its\ntest, its configuration and a README. The templates:\n\n" + templateList() + "\nOn a terminal it asks for what is missing.",
		Example: `  fairlead create orders
  fairlead create orders -t stomp-trigger`,
		Args: between(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			n := novelty{template: template}
			if len(args) > 0 {
				n.name = args[0]
			}
			err := n.complete(c.Context())
			if err == nil {
				err = n.create(c.Context(), c.OutOrStdout())
			}
			if errors.Is(err, context.Canceled) { // whoever goes on with "&&" has no function
				return errors.New("stopped; nothing was created")
			}
			return err
		},
	}
	names := make([]string, len(templates.All()))
	for i, t := range templates.All() {
		names[i] = t.Name
	}
	c.Flags().StringVarP(&template, "template", "t", "", "`TEMPLATE` to begin with (default "+templates.All()[0].Name+")")
	_ = c.RegisterFlagCompletionFunc("template", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	return c
}

func templateList() string {
	var b strings.Builder
	for _, t := range templates.All() {
		fmt.Fprintf(&b, "  %-15s %s\n", t.Name, t.Summary)
	}
	return b.String()
}

// A novelty is a function that is to be created.
type novelty struct {
	name     string // of the function and its folder
	template string
}

// complete asks for what is missing, where there is somebody to ask.
func (n *novelty) complete(ctx context.Context) error {
	if isTerminal(os.Stdin) && isTerminal(os.Stderr) {
		return n.ask(ctx, os.Stdin, os.Stderr)
	}
	if n.name == "" {
		return usagef("no name: expected fairlead create NAME")
	}
	return nil
}

// ask asks for what is missing.
func (n *novelty) ask(ctx context.Context, in io.Reader, out io.Writer) (err error) {
	lines := bufio.NewScanner(in)
	if n.name == "" {
		if n.name, err = answer(ctx, lines, out, "Name of the function: "); err != nil {
			return err
		}
		if err := checkName(n.name); err != nil { // before the next question
			return err
		}
	}
	if n.template == "" {
		n.template, err = answer(ctx, lines, out, templateList()+"Template ["+templates.All()[0].Name+"]: ")
	}
	return err
}

// create writes the function and says how to go on.
func (n *novelty) create(ctx context.Context, out io.Writer) error {
	if err := checkName(n.name); err != nil {
		return err
	}
	t, err := n.find()
	if err != nil {
		return err
	}
	if err := free(n.name); err != nil {
		return err
	}
	origin, err := whereFrom()
	if err != nil {
		return err
	}
	if err := n.write(ctx, t, origin); err != nil {
		return fmt.Errorf("create %s: %w", n.name, err)
	}
	_, err = fmt.Fprintf(out, `Created %s, a function that %s. Next:

  cd %s
  go test ./...
  fairlead run

and, while that serves it, in another terminal in the same folder:

  %s

README.md there says more.
`, n.name, t.Summary, n.name, t.Try)
	return err
}

// find returns the template.
func (n *novelty) find() (templates.Template, error) {
	name := cmp.Or(n.template, templates.All()[0].Name)
	for _, t := range templates.All() {
		if t.Name == name {
			return t, nil
		}
	}
	return templates.Template{}, usagef("--template: found %q, expected one of\n\n%s", name, strings.TrimRight(templateList(), "\n"))
}

// label is what Kubernetes takes as the name of a service (RFC 1035).
var label = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

func checkName(name string) error {
	if label.MatchString(name) {
		return nil
	}
	return usagef("found the name %q, expected one that Kubernetes takes: at most 63 of a to z, 0 to 9 and -, from a letter to a letter or digit", name)
}

// free makes sure that nothing is overwritten.
func free(dir string) error {
	if _, err := os.Lstat(dir); err == nil {
		return usagef("there is a %s here already; choose another name, or remove it", dir)
	}
	return nil
}

// write puts the files into a folder beside the one that is wanted and renames
// it in the end, so that nobody finds half a function.
func (n *novelty) write(ctx context.Context, t templates.Template, o origin) (err error) {
	files, err := templates.Files(t.Name)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(".", "."+n.name+"-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir) // nothing that anybody needs is in it
		}
	}()
	for _, f := range files {
		if err := n.writeFile(dir, f, o); err != nil {
			return err
		}
	}
	if err := o.complete(ctx, dir); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // MkdirTemp's is for its owner only
		return err
	}
	return os.Rename(dir, n.name)
}

func (n *novelty) writeFile(dir string, f templates.File, o origin) error {
	text := string(f.Data)
	switch f.Name {
	case "manifest.yaml": // Knative func's, about the template
		return nil
	case "go.mod":
		text = o.require(text)
	case "func.yaml":
		text = line(text, "name: ", n.name)
		text = line(text, "created: ", time.Now().UTC().Format(time.RFC3339))
	case "README.md":
		text = line(text, "# ", n.name)
	}
	path := filepath.Join(dir, filepath.FromSlash(f.Name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// line replaces what follows prefix on the first line that begins with it and
// is no comment of two words or more.
func line(text, prefix, value string) string {
	lines := strings.SplitAfter(text, "\n")
	for i, l := range lines {
		if rest, ok := strings.CutPrefix(l, prefix); ok && !strings.Contains(rest, " ") {
			lines[i] = prefix + value + "\n"
			break
		}
	}
	return strings.Join(lines, "")
}
