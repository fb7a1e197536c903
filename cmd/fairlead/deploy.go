package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/manifests"
	"github.com/fairlead/fairlead/framework/config"
)

func deployCommand(o *options) *cobra.Command {
	var d deployment
	c := &cobra.Command{
		Use:   "deploy [-- FUNC FLAGS]",
		Short: "Build the functions and run them in a Kubernetes cluster",
		Long: `Build the functions of this folder and run them in the cluster that kubectl talks to. What HTTP starts
is built and deployed by Knative's func (func deploy --builder=host, which needs no Docker). What fetches
its messages is built by func, and its manifests are applied by kubectl. With --image nothing is built.
Arguments after -- go to func. Everything is checked before anything is changed; see "fairlead manifests".`,
		Example: `  fairlead deploy --registry registry.example.com/me
  fairlead deploy --image registry.example.com/me/orders:1 --scaler broker=rabbitmq
  fairlead deploy --registry registry.example.com/me -- --remote`,
		Args: func(c *cobra.Command, args []string) error {
			if c.ArgsLenAtDash() != 0 && len(args) > 0 {
				return usagef("found %q, expected flags, and arguments of func after --\n\nSee \"%s --help\".", args[0], c.CommandPath())
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			d.file, d.dir, d.funcArgs, d.out = o.file(), filepath.Dir(o.file()), args, c.ErrOrStderr()
			return d.run(c.Context())
		},
	}
	d.manifestFlags.add(c)
	c.Flags().StringVar(&d.registry, "registry", os.Getenv("FUNC_REGISTRY"), "`REGISTRY` that images are pushed to, such as registry.example.com/me")
	return c
}

// A deployment is one "fairlead deploy".
type deployment struct {
	manifestFlags

	registry string
	funcArgs []string
	file     string // the configuration
	dir      string // of the functions
	out      io.Writer

	kubectl string // the programs
	fn      string
	keys    map[string]bool // of the Secret, in the cluster
}

// run checks everything first, so that nothing is left half done.
func (d *deployment) run(ctx context.Context) error {
	prebuilt := d.Image != ""
	if !prebuilt {
		if err := d.planImage(); err != nil {
			return err
		}
	}
	set, err := d.make(d.file)
	if err != nil {
		return err
	}
	if err := d.checkTools(prebuilt); err != nil {
		return err
	}
	if err := explainSet(d.out, set); err != nil {
		return err
	}
	if err := d.checkCluster(ctx, set); err != nil {
		return err
	}
	byFunc := !prebuilt && set.Mode == manifests.ModeService
	if byFunc {
		if set, err = d.forFunc(set); err != nil {
			return err
		}
	}
	if err := d.apply(ctx, set, "--dry-run=server"); err != nil {
		return err
	}
	switch {
	case byFunc:
		err = d.build(ctx, append([]string{"deploy"}, d.deployFlags(set)...)...)
	case !prebuilt:
		err = d.build(ctx, "build", "--push")
	}
	if err != nil {
		return err
	}
	return d.apply(ctx, set)
}

// planImage names the image that is going to be built, one of its own each time,
// so that pods are replaced.
func (d *deployment) planImage() error {
	cfg, err := d.load(d.file)
	if err != nil {
		return err
	}
	switch {
	case d.Mode == manifests.ModeSource:
		return usagef("a source runs the fairlead command: name an image that has it, --image registry.example.com/fairlead:1 (the Dockerfile of Fairlead builds one)")
	case slices.ContainsFunc(slices.Collect(maps.Values(cfg.Connections)), func(c config.Connection) bool { return c.Type == "mq" }):
		return usagef("a connection of type mq needs IBM's client, which is no Go: --builder=host cannot put it into an image. Build one with Dockerfile.mq:\n\n" +
			"  docker build -f Dockerfile.mq -t registry.example.com/me/NAME:1 . && docker push registry.example.com/me/NAME:1\n" +
			"  fairlead deploy --image registry.example.com/me/NAME:1")
	}
	var f struct {
		Registry string `yaml:"registry"`
	}
	text, err := os.ReadFile(filepath.Join(d.dir, funcFile))
	if err != nil || yaml.Unmarshal(text, &f) != nil {
		return usagef("there is no %s in %s that func can read: deploy in the folder of a function, or name an image with --image", funcFile, d.dir)
	}
	if d.registry = cmp.Or(d.registry, f.Registry); d.registry == "" {
		return usagef("no registry is named, and the image has to come from one: --registry registry.example.com/me")
	}
	name := cmp.Or(d.Name, folderName(d.dir))
	d.Image = strings.TrimSuffix(d.registry, "/") + "/" + name + ":" + time.Now().UTC().Format("20060102-150405")
	return nil
}

const funcFile = "func.yaml" // Knative func's

// checkTools finds the programs that are needed.
func (d *deployment) checkTools(prebuilt bool) (err error) {
	if d.kubectl, err = exec.LookPath("kubectl"); err != nil {
		return errors.New("kubectl is needed to talk to the cluster, and there is none on the PATH; install it: https://kubernetes.io/docs/tasks/tools")
	}
	if prebuilt {
		return nil
	}
	if err := needGo(); err != nil {
		return err
	}
	d.fn, err = findFunc()
	return err
}

// findFunc finds Knative's func: on the PATH, or else the one that a checkout pins.
func findFunc() (string, error) {
	if path, err := exec.LookPath("func"); err == nil {
		return path, nil
	}
	if o, err := whereFrom(); err == nil && o.checkout != "" {
		out, err := exec.Command("go", "-C", filepath.Join(o.checkout, "tools"), "tool", "-n", "func").Output()
		if path := strings.TrimSpace(string(out)); err == nil && path != "" {
			return path, nil
		}
	}
	return "", errors.New("the func of Knative is needed to build the image, and there is none on the PATH; install it (https://knative.dev/docs/functions/install-func), or build an image yourself and name it with --image")
}

// checkCluster checks that there is a cluster, and in it the namespace and the Secret.
func (d *deployment) checkCluster(ctx context.Context, set *manifests.Set) error {
	if _, said, err := d.ask(ctx, "version", "--output=json", "--request-timeout=20s"); err != nil {
		return fmt.Errorf("kubectl reaches no cluster (%s); choose one with \"kubectl config use-context\" or KUBECONFIG", lastLine(said))
	}
	if _, said, err := d.ask(ctx, "get", "namespace", set.Namespace); err != nil {
		return fmt.Errorf("the namespace %s cannot be used (%s); make it with \"kubectl create namespace %s\", or name another with --namespace", set.Namespace, lastLine(said), set.Namespace)
	}
	if len(set.Secret) == 0 {
		return nil
	}
	out, said, err := d.ask(ctx, "get", "secret", set.SecretName, "--namespace", set.Namespace, "--ignore-not-found", "--output=json")
	if err != nil {
		return fmt.Errorf("the Secret %s cannot be read: %s", set.SecretName, lastLine(said))
	}
	var secret struct{ Data map[string]any }
	if len(out) > 0 {
		if err := json.Unmarshal(out, &secret); err != nil {
			return fmt.Errorf("read the Secret %s: %w", set.SecretName, err)
		}
	}
	d.keys = make(map[string]bool)
	for key := range secret.Data {
		d.keys[key] = true
	}
	return d.checkSecret(set)
}

// checkSecret says which keys the Secret lacks.
func (d *deployment) checkSecret(set *manifests.Set) error {
	var missing []string
	for _, k := range set.Secret {
		if d.keys[k.Key] || k.Optional {
			continue
		}
		if k.File != "" {
			missing = append(missing, "--from-file="+k.Key+"="+k.File)
		} else {
			missing = append(missing, "--from-literal="+k.Key+"=…")
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("the Secret %s in the namespace %s lacks what the functions read from it; make it, or add to it:\n\n  kubectl create secret generic %s -n %s \\\n    %s",
		set.SecretName, set.Namespace, set.SecretName, set.Namespace, strings.Join(missing, " \\\n    "))
}

// forFunc returns what func does not make itself.
func (d *deployment) forFunc(set *manifests.Set) (*manifests.Set, error) {
	if name := folderName(d.dir); d.Name != "" && d.Name != name {
		return nil, usagef("found --name %s, but func deploys it as %s, the name in %s: change that one", d.Name, name, funcFile)
	}
	for _, k := range set.Secret {
		if k.File != "" {
			return nil, usagef("the configuration reads the file %s, which func cannot mount: build an image with the Dockerfile, and name it with --image", k.File)
		}
	}
	rest := *set
	rest.Objects = slices.DeleteFunc(slices.Clone(set.Objects), func(o manifests.Object) bool {
		return o.Kind() == "ConfigMap" || o.Kind() == "Service"
	})
	return &rest, nil
}

// deployFlags are the flags of "func deploy" that the manifests say.
func (d *deployment) deployFlags(set *manifests.Set) []string {
	flags := []string{"--namespace", set.Namespace}
	for _, k := range set.Secret {
		if d.keys[k.Key] {
			flags = append(flags, "--env", fmt.Sprintf("%s={{ secret:%s:%s }}", k.Key, set.SecretName, k.Key))
		}
	}
	return flags
}

// build lets func build the image and push it. What func wrote into func.yaml stays
// only if it came to the end.
func (d *deployment) build(ctx context.Context, args ...string) (err error) {
	path := filepath.Join(d.dir, funcFile)
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	args = append(args, "--builder=host", "--image", d.Image)
	args = append(args, d.funcArgs...)
	fmt.Fprintf(d.out, "+ func %s\n", quoteAll(args))
	cmd := exec.CommandContext(ctx, d.fn, args...)
	cmd.Dir = d.dir
	cmd.Env = append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -mod=mod")) // func does not complete the go.mod that it generates
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(d.out, &said), io.MultiWriter(d.out, &said)
	if err := cmd.Run(); err != nil {
		return errors.Join(d.explainBuild(said.String(), err), os.WriteFile(path, before, 0o644))
	}
	return nil
}

// unauthorized is how registries refuse those who have not logged in.
var unauthorized = regexp.MustCompile(`(?i)unauthorized|authentication required|\b401\b|denied`)

func (d *deployment) explainBuild(said string, err error) error {
	host, _, _ := strings.Cut(d.Image, "/")
	if unauthorized.MatchString(said) {
		return fmt.Errorf("the registry %s refused the image: log in with \"docker login %s\" (or podman login, or crane auth login), and deploy again", host, host)
	}
	return fmt.Errorf("func ended without success (%v); what it said is above, and no other object was applied", err) //nolint:errorlint // report says nothing to an exit code
}

// apply lets kubectl apply the objects.
func (d *deployment) apply(ctx context.Context, set *manifests.Set, flags ...string) error {
	var text bytes.Buffer
	if err := set.JSON(&text); err != nil {
		return err
	}
	args := append([]string{"apply", "--server-side", "--field-manager=fairlead", "--filename=-"}, flags...)
	fmt.Fprintf(d.out, "+ kubectl %s\n", quoteAll(args))
	cmd := exec.CommandContext(ctx, d.kubectl, args...)
	cmd.Stdin = &text
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = d.out, &said
	if len(flags) > 0 {
		cmd.Stdout = io.Discard
	}
	if err := cmd.Run(); err != nil {
		return explainApply(said.String(), err)
	}
	return nil
}

// operators are those that a cluster may lack, by the API groups of their objects.
var operators = []struct{ group, name, where string }{
	{"keda.sh", "KEDA", "https://keda.sh/docs/latest/deploy"},
	{"serving.knative.dev", "Knative Serving", "https://knative.dev/docs/install"},
	{"eventing.knative.dev", "Knative Eventing", "https://knative.dev/docs/install"},
	{"sources.knative.dev", "Knative Eventing", "https://knative.dev/docs/install"},
}

func explainApply(said string, err error) error {
	for _, o := range operators {
		if strings.Contains(said, "no matches for kind") && strings.Contains(said, o.group+"/") {
			return fmt.Errorf("the cluster has no %s, which the objects are for; install it: %s", o.name, o.where)
		}
	}
	return fmt.Errorf("the cluster does not take the objects (%v):\n%s", err, strings.TrimSpace(said)) //nolint:errorlint // report says nothing to an exit code
}

// ask runs kubectl, and returns what it printed and what it said.
func (d *deployment) ask(ctx context.Context, args ...string) (out []byte, said string, err error) {
	cmd := exec.CommandContext(ctx, d.kubectl, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err = cmd.Output()
	return out, stderr.String(), err
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return brief(lines[len(lines)-1], 200)
}

// quoteAll writes arguments as a shell reads them.
func quoteAll(args []string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = quote(a)
	}
	return strings.Join(quoted, " ")
}
