package scaler

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/grpc"
)

// An object is what the metadata of a ScaledObject's trigger asks for.
type object struct {
	target     Target
	metric     string  // its name
	perReplica float64 // how many messages one replica shall have to do
	activation float64 // more wake the first replica
}

const (
	defaultPerReplica = 10
	defaultActivation = 0
)

// ours are the keys that we read, kedas those that KEDA reads and passes on.
var (
	ours  = []string{"activation", "connection", "function", "queue", "target", "topic", "trigger"}
	kedas = []string{"scalerAddress", "enableTLS", "unsafeSsl"}
)

// read reads the metadata of a ScaledObject's trigger.
func (s *Service) read(metadata map[string]string) (object, error) {
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		if !slices.Contains(ours, key) && !slices.Contains(kedas, key) {
			return object{}, wrong("found the key %.100q, expected some of %s", key, strings.Join(ours, ", "))
		}
	}
	var o object
	var err error
	if o.target, err = s.readTarget(metadata); err != nil {
		return o, err
	}
	if o.perReplica, err = number(metadata, "target", defaultPerReplica, "a number above 0"); err != nil {
		return o, err
	}
	if o.perReplica == 0 {
		return o, wrong("target: found %q, expected a number above 0", metadata["target"])
	}
	o.activation, err = number(metadata, "activation", defaultActivation, "a number from 0")
	o.metric = metricName(o.target)
	return o, err
}

// readTarget returns the target: one of trigger, connection with queue, topic and
// function.
func (s *Service) readTarget(metadata map[string]string) (Target, error) {
	var found []string
	for _, key := range []string{"trigger", "connection", "topic", "function"} {
		if metadata[key] != "" {
			found = append(found, key)
		}
	}
	if len(found) != 1 {
		return Target{}, wrong("found %s, expected one of trigger, connection (with queue), topic, function", either(found, "nothing that waits"))
	}
	if queue := metadata["queue"]; (queue != "") != (found[0] == "connection") {
		return Target{}, wrong("queue: found %.200q beside %s, expected the name of a queue beside connection, and none beside the others", queue, found[0])
	}
	switch found[0] {
	case "connection":
		return Target{Connection: metadata["connection"], Queue: metadata["queue"]}, nil
	case "topic":
		return Target{Published: "topic:" + metadata["topic"]}, nil
	case "function":
		return Target{Published: metadata["function"]}, nil
	}
	triggers := s.Gauge.Triggers()
	t, ok := triggers[metadata["trigger"]]
	if !ok {
		names := slices.Sorted(maps.Keys(triggers))
		return t, wrong("trigger: found %.100q, expected a trigger on a queue or on a topic of the store: %s", metadata["trigger"], either(names, "there is none"))
	}
	return t, nil
}

func either(names []string, none string) string {
	if len(names) == 0 {
		return none
	}
	return strings.Join(names, ", ")
}

// number reads a number that is not negative.
func number(metadata map[string]string, key string, otherwise float64, want string) (float64, error) {
	text := metadata[key]
	if text == "" {
		return otherwise, nil
	}
	const bits = 64
	n, err := strconv.ParseFloat(text, bits)
	if err != nil || n < 0 || math.IsInf(n, 0) || math.IsNaN(n) {
		return 0, wrong("%s: found %.50q, expected %s", key, text, want)
	}
	return n, nil
}

func wrong(format string, args ...any) error {
	return grpc.Errorf(grpc.InvalidArgument, "metadata: "+format, args...)
}

// metricName is a name that a path of the API of Kubernetes takes.
func metricName(t Target) string {
	name := "fairlead-" + t.Published
	if t.Published == "" {
		name = fmt.Sprintf("fairlead-%s-%s", t.Connection, t.Queue)
	}
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '-'
	}, strings.ToLower(name))
}
