package manifests

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/connections"
)

// label is what Kubernetes takes as the name of a service and of a namespace (RFC 1035).
var label = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

// subdomain is what it takes as the name of most other objects (RFC 1123).
var subdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)

const labelRule = "expected one that Kubernetes takes: at most 63 of a to z, 0 to 9 and -, from a letter to a letter or digit"

// image is the reference of a container image: a registry and its port, which may be
// left out, a path, and a tag, a digest, both or neither.
var image = regexp.MustCompile(`^([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$`)

// check checks the options.
func (b *builder) check() error {
	o := b.options
	switch {
	case !label.MatchString(o.Name):
		return fmt.Errorf("found the name %q, %s; --name gives another", o.Name, labelRule)
	case !label.MatchString(o.Namespace):
		return fmt.Errorf("found the namespace %q, %s", o.Namespace, labelRule)
	case !subdomain.MatchString(o.Secret) || len(o.Secret) > 253:
		return fmt.Errorf("found the Secret %q, expected a name that Kubernetes takes: a to z, 0 to 9, - and dots", o.Secret)
	case o.Broker != "" && !subdomain.MatchString(o.Broker):
		return fmt.Errorf("found the broker %q, expected a name that Kubernetes takes: a to z, 0 to 9, - and dots", o.Broker)
	case o.Image == "":
		return fmt.Errorf("no image is named: --image registry.example.com/%s:1 says which one the pods run", o.Name)
	case !image.MatchString(o.Image):
		return fmt.Errorf("found the image %q, expected one such as registry.example.com/%s:1", o.Image, o.Name)
	case o.ScalerImage != "" && !image.MatchString(o.ScalerImage):
		return fmt.Errorf("found the image %q for the scaler, expected one such as registry.example.com/fairlead:1", o.ScalerImage)
	case !slices.Contains([]string{ModeAuto, ModeService, ModeDeployment, ModeSource}, o.Mode):
		return fmt.Errorf("found the mode %q, expected auto, service, deployment or source", o.Mode)
	case o.Max < 1:
		return fmt.Errorf("found at most %d replicas, expected 1 or more", o.Max)
	case o.Min > o.Max:
		return fmt.Errorf("found at least %d and at most %d replicas, expected the first to be the smaller number", o.Min, o.Max)
	case o.Broker == "" && (len(o.Filter) > 0 || o.DeadLetter != nil):
		return fmt.Errorf("a filter and a dead letter sink are for events of a broker: expected --broker, too, such as --broker default")
	case o.Mode == ModeSource && o.Sink == nil:
		return fmt.Errorf("a source posts to a sink: expected --sink broker:NAME, ksvc:NAME, svc:NAME or a URL")
	case o.Mode != ModeSource && o.Sink != nil:
		return fmt.Errorf("only a source has a sink: expected --mode source with --sink")
	}
	for _, name := range slices.Sorted(maps.Keys(o.Scalers)) {
		if _, ok := b.cfg.Connections[name]; !ok {
			return fmt.Errorf("found a scaler for the connection %q, expected one of the configuration: %s", name, names(b.cfg.Connections))
		}
		if err := o.Scalers[name].check(name); err != nil {
			return err
		}
	}
	return nil
}

// checkConnections refuses what no pod can reach.
func (b *builder) checkConnections() error {
	for _, name := range slices.Sorted(maps.Keys(b.cfg.Connections)) {
		c := b.cfg.Connections[name]
		if c.Type == "memory" {
			return fmt.Errorf("connections.%s is of type memory, a broker inside one process: expected one that all pods reach", name)
		}
		if e, ok := c.Settings.(connections.Embeddable); ok && e.WantsEmbedded() && !b.overridable(name) {
			return fmt.Errorf("connections.%s is the broker inside \"fairlead run\" (embedded): expected one that pods reach, such as url: \"${env:BROKER_URL:-embedded}\"", name)
		}
	}
	return nil
}

// names lists what there is.
func names[V any](m map[string]V) string {
	if len(m) == 0 {
		return "it has none"
	}
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}
