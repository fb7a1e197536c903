// Package manifests makes the Kubernetes objects that run a function folder, from
// its configuration: a Knative Service, or a Deployment that KEDA scales by what
// waits in queues and in the store, or a Deployment that is a Knative event source.
//
// No object holds a secret. What the configuration reads from the environment, what
// stands in it in clear and what its files hold is read from one Secret, which
// whoever deploys makes; [Set.Secret] says with which keys.
package manifests

import (
	"fmt"
	"slices"

	"github.com/fairlead/fairlead/framework/config"
)

// Modes of running a function folder.
const (
	ModeAuto       = "auto"       // ModeService if HTTP is all that it needs, else ModeDeployment
	ModeService    = "service"    // a Knative Service, scaled by requests
	ModeDeployment = "deployment" // a Deployment, scaled by KEDA
	ModeSource     = "source"     // a Deployment that posts to a sink: "fairlead source"
)

// Defaults of Options.
const (
	DefaultNamespace = "default"
	DefaultMax       = 10
)

// Options is what the configuration does not say.
type Options struct {
	Name      string // of the objects
	Namespace string // default DefaultNamespace
	Image     string // of the container
	Mode      string // default ModeAuto

	Secret string // name of the Secret; default Name
	Min    int    // least number of replicas; below 0: as few as the triggers allow
	Max    int    // largest number of replicas; default DefaultMax

	Scalers     map[string]Scaler // by connection
	ScalerImage string            // with the fairlead command, for "fairlead scaler"; default: one is expected to run

	Sink *Sink // where ModeSource posts to

	Broker     string            // of Knative, whose events the functions get; empty: none
	Filter     map[string]string // attributes of these events
	DeadLetter *Sink             // for events that failed for good
}

// A Set is the objects that run a function folder, in the order to apply them.
type Set struct {
	Mode       string   // that was taken: never ModeAuto
	Namespace  string   // of the objects
	Objects    []Object // as Kubernetes has them
	SecretName string   // of the Secret that they read, and that is none of them
	Secret     Secret   // what it has to hold
	Notes      []string // what a person should know, a sentence each
}

// An Object is one Kubernetes object, ready to be written as JSON.
type Object map[string]any

// Kind returns the kind of the object, such as Deployment.
func (o Object) Kind() string { kind, _ := o["kind"].(string); return kind }

// Name returns the name of the object.
func (o Object) Name() string {
	metadata, _ := o["metadata"].(object)
	name, _ := metadata["name"].(string)
	return name
}

type (
	object = map[string]any
	list   = []any
)

// Make returns the objects that run the folder of a configuration. Its error says
// in a sentence what is wrong, and what to do.
func Make(cfg *config.Config, o Options) (*Set, error) {
	b := &builder{cfg: cfg, options: o.withDefaults()}
	for _, step := range []func() error{b.check, b.readDocument, b.checkConnections, b.readTriggers} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	b.chooseMode()
	if err := b.build(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(b.set.Objects, func(x, y Object) int { return rank(x) - rank(y) })
	b.set.Namespace, b.set.SecretName, b.set.Secret = b.options.Namespace, b.options.Secret, b.secret.result()
	return &b.set, nil
}

// rank orders objects: what others refer to comes before them.
func rank(o Object) int {
	return slices.Index([]string{"ConfigMap", "Deployment", "Service", "TriggerAuthentication", "ScaledObject"}, o.Kind()) & 7 // others come last
}

func (o Options) withDefaults() Options {
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	if o.Mode == "" {
		o.Mode = ModeAuto
	}
	if o.Secret == "" {
		o.Secret = o.Name
	}
	if o.Max == 0 {
		o.Max = DefaultMax
	}
	return o
}

// A builder makes one Set.
type builder struct {
	cfg     *config.Config
	options Options
	set     Set

	document document // the configuration as pods get it
	secret   *secretKeys
	load     load // what starts its functions
}

func (b *builder) note(format string, args ...any) {
	b.set.Notes = append(b.set.Notes, fmt.Sprintf(format, args...))
}

func (b *builder) add(apiVersion, kind, name string, content object) {
	o := Object{"apiVersion": apiVersion, "kind": kind, "metadata": b.metadata(name)}
	for key, value := range content {
		o[key] = value
	}
	b.set.Objects = append(b.set.Objects, o)
}

func (b *builder) metadata(name string) object {
	return object{"name": name, "namespace": b.options.Namespace, "labels": b.labels()}
}

// labels are on every object.
func (b *builder) labels() object {
	labels := b.selector()
	labels["app.kubernetes.io/managed-by"] = "fairlead"
	return labels
}

// selector selects the pods.
func (b *builder) selector() object { return object{"app.kubernetes.io/name": b.options.Name} }

// pods selects the pods that policies are about: those of a Knative Service by
// Knative's own label, so that it does not matter who made the Service.
func (b *builder) pods() object {
	if b.set.Mode == ModeService {
		return object{"serving.knative.dev/service": b.options.Name}
	}
	return b.selector()
}

func (b *builder) chooseMode() {
	b.set.Mode = b.options.Mode
	if b.set.Mode == ModeAuto {
		b.set.Mode = ModeService
		if b.load.pulls() {
			b.set.Mode = ModeDeployment
		}
	}
}

func (b *builder) build() error {
	b.addConfigMap()
	switch b.set.Mode {
	case ModeService:
		if err := b.addKnativeService(); err != nil {
			return err
		}
	default:
		if err := b.addDeployment(); err != nil {
			return err
		}
	}
	b.addNetworkPolicy()
	b.addDisruptionBudget()
	switch b.set.Mode {
	case ModeSource:
		return b.addSinkBinding()
	default:
		return b.addTrigger()
	}
}
