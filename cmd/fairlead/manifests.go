package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/manifests"
	"github.com/fairlead/fairlead/connections/drivers"
	"github.com/fairlead/fairlead/framework/config"
)

func manifestsCommand(o *options) *cobra.Command {
	var m manifestFlags
	var format string
	c := &cobra.Command{
		Use:   "manifests",
		Short: "Print the Kubernetes objects that run the functions",
		Long: `Print the Kubernetes objects that run the functions of a configuration: a Knative Service where HTTP is
all that starts them, else a Deployment that KEDA scales by what waits in queues and in the store, or
with --mode source a Deployment that posts to a Knative sink. No object holds a secret: what they read
from a Secret is said on the standard error.`,
		Example: `  fairlead manifests --image registry.example.com/orders:1
  fairlead manifests --image registry.example.com/orders:1 --scaler broker=rabbitmq
  fairlead manifests --image registry.example.com/orders:1 --broker default --filter type=com.example.order.created
  fairlead manifests -f source.yaml --mode source --sink broker:default --image registry.example.com/fairlead:1`,
		Args: between(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			if format != "yaml" && format != "json" {
				return usagef("--output: found %q, expected yaml or json", format)
			}
			set, err := m.make(o.file())
			if err != nil {
				return err
			}
			if err := explainSet(c.ErrOrStderr(), set); err != nil {
				return err
			}
			if format == "json" {
				return set.JSON(c.OutOrStdout())
			}
			return set.YAML(c.OutOrStdout())
		},
	}
	m.add(c)
	c.Flags().StringVarP(&format, "output", "o", "yaml", "`FORMAT`: yaml or json")
	return c
}

// manifestFlags are what Kubernetes objects are made of beside the configuration.
type manifestFlags struct {
	manifests.Options

	scalers, filters     []string
	sink, deadLetterSink string
}

func (m *manifestFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&m.Name, "name", "", "`NAME` of the objects (default: the one in func.yaml, or of the folder)")
	f.StringVarP(&m.Namespace, "namespace", "n", "", "`NAMESPACE` of the objects (default \"default\")")
	f.StringVar(&m.Image, "image", "", "container `IMAGE` of the functions; with --mode source one with the fairlead command")
	f.StringVar(&m.Mode, "mode", manifests.ModeAuto, "`MODE`: auto, service, deployment or source")
	f.StringVar(&m.Secret, "secret", "", "name of the `SECRET` that holds what is secret (default: the name)")
	f.IntVar(&m.Min, "min", -1, "least `NUMBER` of replicas (default: 0 where something can start the first one, else 1)")
	f.IntVar(&m.Max, "max", manifests.DefaultMax, "largest `NUMBER` of replicas")
	f.StringArrayVar(&m.scalers, "scaler", nil, "how KEDA counts what waits at a connection: `CONNECTION=KIND[,KEY=VALUE…]`; kinds: activemq, artemis-queue, external, ibmmq, none, rabbitmq")
	f.StringVar(&m.ScalerImage, "scaler-image", "", "run \"fairlead scaler\", too, from this `IMAGE` with the fairlead command")
	f.StringVar(&m.Broker, "broker", "", "let the Knative broker `NAME` post events to the functions")
	f.StringArrayVar(&m.filters, "filter", nil, "only events with this `ATTRIBUTE=VALUE`")
	f.StringVar(&m.deadLetterSink, "dead-letter-sink", "", "`SINK` for events of that broker that failed for good: broker:NAME, ksvc:NAME, svc:NAME or a URL")
	f.StringVar(&m.sink, "sink", "", "`SINK` that --mode source posts to: broker:NAME, ksvc:NAME, svc:NAME or a URL")
}

// make makes the objects of a configuration.
func (m *manifestFlags) make(file string) (*manifests.Set, error) {
	cfg, err := m.load(file)
	if err != nil {
		return nil, err
	}
	o, err := m.parse(file)
	if err != nil {
		return nil, usageError{err}
	}
	set, err := manifests.Make(cfg, o)
	if err != nil {
		return nil, usageError{err}
	}
	return set, nil
}

// load reads the configuration. Variables that are not set here are set in the
// pods, so that what is missing is no problem where any text would do.
func (m *manifestFlags) load(file string) (*config.Config, error) {
	e, err := readEnv(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	var unset []string
	o := config.Options{
		Drivers: drivers.All(),
		LookupEnv: func(name string) (string, bool) {
			value, ok := e.lookup(name)
			if !ok {
				unset = append(unset, name)
			}
			return value, true
		},
		Secret: func(string) (string, error) { return "", nil }, // kept in the store
	}
	if m.Mode == manifests.ModeSource {
		o.Sink = manifests.ModeSource
	}
	cfg, err := config.Load(file, o)
	var problems config.Problems
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, usagef("there is no %s; name the configuration with -f", file)
	case errors.As(err, &problems) && len(unset) > 0:
		slices.Sort(unset)
		return nil, usagef("%w\n\nThese variables are not set here: %s. If one of them is what is wrong, set it, or write it to .env.", err, strings.Join(slices.Compact(unset), ", "))
	}
	return cfg, err
}

// parse returns the options that the flags and func.yaml say.
func (m *manifestFlags) parse(file string) (manifests.Options, error) {
	o := m.Options
	if o.Name == "" {
		o.Name = folderName(filepath.Dir(file))
	}
	o.Scalers = make(map[string]manifests.Scaler)
	for _, text := range m.scalers {
		connection, s, err := manifests.ParseScaler(text)
		if err != nil {
			return o, fmt.Errorf("--scaler: %w", err)
		}
		o.Scalers[connection] = s
	}
	o.Filter = make(map[string]string)
	for _, text := range m.filters {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" || value == "" {
			return o, fmt.Errorf("--filter: found %q, expected ATTRIBUTE=VALUE, such as type=com.example.order.created", text)
		}
		o.Filter[name] = value
	}
	var err error
	if o.Sink, err = manifests.ParseSink(m.sink); err != nil {
		return o, fmt.Errorf("--sink: %w", err)
	}
	if o.DeadLetter, err = manifests.ParseSink(m.deadLetterSink); err != nil {
		return o, fmt.Errorf("--dead-letter-sink: %w", err)
	}
	return o, nil
}

// folderName returns the name of a function: the one in its func.yaml, or that of
// its folder.
func folderName(dir string) string {
	var f struct {
		Name string `yaml:"name"`
	}
	if text, err := os.ReadFile(filepath.Join(dir, "func.yaml")); err == nil && yaml.Unmarshal(text, &f) == nil && f.Name != "" {
		return f.Name
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	return filepath.Base(abs)
}

// explainSet says what a person has to know to apply a set.
func explainSet(w io.Writer, set *manifests.Set) error {
	var b strings.Builder
	for _, note := range set.Notes {
		fmt.Fprintf(&b, "# %s\n", note)
	}
	if len(set.Secret) > 0 {
		b.WriteString(secretText(set))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// secretText says what the Secret has to hold.
func secretText(set *manifests.Set) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# The Secret %s in the namespace %s has to hold:\n", set.SecretName, set.Namespace)
	widest := 0
	for _, k := range set.Secret {
		widest = max(widest, len(k.Key))
	}
	for _, k := range set.Secret {
		means := k.Means
		if k.File != "" {
			means += " " + k.File
		}
		if k.Optional {
			means += ", or its default"
		}
		fmt.Fprintf(&b, "#   %-*s  %s\n", widest, k.Key, means)
	}
	return b.String()
}
