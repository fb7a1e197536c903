package manifests

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/fairlead/fairlead/framework/config"
)

// A Sink is where Knative delivers events.
type Sink struct {
	Kind string // ksvc, broker, svc; empty: URI says where
	Name string
	URI  string
}

// sinkKinds are Kubernetes' words for kinds of sinks.
func sinkKinds() map[string]object {
	return map[string]object{
		"ksvc":   {"apiVersion": "serving.knative.dev/v1", "kind": "Service"},
		"broker": {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker"},
		"svc":    {"apiVersion": "v1", "kind": "Service"},
	}
}

// ParseSink reads broker:NAME, ksvc:NAME, svc:NAME, or a URL. An empty text is no sink.
func ParseSink(text string) (*Sink, error) {
	if text == "" {
		return nil, nil
	}
	kind, name, _ := strings.Cut(text, ":")
	if _, ok := sinkKinds()[kind]; ok {
		if !label.MatchString(name) {
			return nil, fmt.Errorf("found the sink %q, after %s: %s", text, kind, labelRule)
		}
		return &Sink{Kind: kind, Name: name}, nil
	}
	if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("found the sink %q, expected broker:NAME, ksvc:NAME, svc:NAME, or a URL that begins with http:// or https://", text)
	}
	return &Sink{URI: text}, nil
}

// destination returns a sink as Knative has it.
func (s *Sink) destination() object {
	if s.Kind == "" {
		return object{"uri": s.URI}
	}
	ref := sinkKinds()[s.Kind]
	ref["name"] = s.Name
	return object{"ref": ref}
}

// addSinkBinding tells the source where it posts to.
func (b *builder) addSinkBinding() error {
	b.add("sources.knative.dev/v1", "SinkBinding", b.options.Name, object{"spec": object{
		"subject": object{"apiVersion": "apps/v1", "kind": "Deployment", "namespace": b.options.Namespace, "name": b.options.Name},
		"sink":    b.options.Sink.destination(),
	}})
	return nil
}

// addTrigger makes a Knative broker post events to the functions.
func (b *builder) addTrigger() error {
	if b.options.Broker == "" {
		return nil
	}
	if !b.load.events {
		return errors.New("a broker posts events to /, which is off beside http triggers: name the function that gets them as http.function")
	}
	if b.set.Mode == ModeDeployment && !b.load.http {
		return errors.New("a broker posts events by HTTP, which nothing here asks for: name the function that gets them as http.function")
	}
	kind := "svc"
	if b.set.Mode == ModeService {
		kind = "ksvc"
	}
	spec := object{
		"broker":     b.options.Broker,
		"subscriber": (&Sink{Kind: kind, Name: b.options.Name}).destination(),
		"delivery":   b.delivery(),
	}
	if len(b.options.Filter) > 0 {
		attributes := object{}
		for name, value := range b.options.Filter {
			attributes[name] = value
		}
		spec["filter"] = object{"attributes": attributes}
	}
	b.add("eventing.knative.dev/v1", "Trigger", b.options.Name, object{"spec": spec})
	return nil
}

// httpTrigger stands for the trigger that a broker's events come by.
func (b *builder) httpTrigger() config.Trigger {
	name := b.cfg.HTTP.Function
	if all := b.functions(); name == "" && len(all) == 1 {
		for name = range all {
		}
	}
	return config.Trigger{Function: name}
}

// mostRetries is how often Knative tries again at most.
const mostRetries = 100

// delivery is how the broker tries again: as the function that gets the events
// would be, if they came from a queue.
func (b *builder) delivery() object {
	policy := b.cfg.RetryOf(b.httpTrigger())
	retries := policy.Attempts - 1
	if policy.Attempts == 0 || retries > mostRetries {
		retries = mostRetries
		b.note("A Knative Trigger does not try for ever: %d times.", mostRetries)
	}
	d := object{"retry": retries, "backoffPolicy": "exponential", "backoffDelay": backOff(policy.First)}
	if b.options.DeadLetter != nil {
		d["deadLetterSink"] = b.options.DeadLetter.destination()
	}
	return d
}

// backOff writes a delay as ISO 8601 has it, in steps of 0.1 s: finer ones are no
// delay at all to Knative's dispatcher.
func backOff(d time.Duration) string {
	const step = 100 * time.Millisecond
	tenths := max(1, (d+step-1)/step)
	return fmt.Sprintf("PT%d.%dS", tenths/10, tenths%10)
}
