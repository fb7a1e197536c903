package manifests

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kinds of scalers: those of KEDA by its own names, and none.
const (
	scalerExternal   = "external" // fairlead scaler
	scalerNone       = "none"     // the queue does not count
	scalerPostgreSQL = "postgresql"
)

// A Scaler says how KEDA finds out what waits at a broker.
type Scaler struct {
	Kind     string            // such as rabbitmq
	Metadata map[string]string // of KEDA, beside what the configuration says
}

// ParseScaler reads CONNECTION=KIND, with ,KEY=VALUE for each entry of its metadata.
func ParseScaler(text string) (connection string, s Scaler, err error) {
	parts := strings.Split(text, ",")
	connection, s.Kind, _ = strings.Cut(parts[0], "=")
	if connection == "" || s.Kind == "" {
		return "", Scaler{}, fmt.Errorf("found %q, expected CONNECTION=KIND, such as orders=rabbitmq, and after it maybe ,KEY=VALUE", text)
	}
	s.Metadata = make(map[string]string)
	for _, pair := range parts[1:] {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return "", Scaler{}, fmt.Errorf("found %q in %q, expected KEY=VALUE", pair, text)
		}
		s.Metadata[key] = value
	}
	return connection, s, nil
}

// A kind is what KEDA wants to be told about one kind of broker.
type kind struct {
	queue      string            // metadata that names the queue
	target     string            // metadata that says how many messages a replica shall have
	activation string            // metadata that says how many wake the first one
	fixed      map[string]string // metadata that is always the same
	required   []string          // metadata that only a person knows
	optional   []string          // and that KEDA has a default for
	auth       []string          // parameters that come from the Secret
}

// defaultTarget is how many messages a replica shall have to do.
const defaultTarget = "20"

// kinds are the scalers that there are for brokers, with KEDA's own names.
func kinds() map[string]kind {
	login := []string{"username", "password"}
	return map[string]kind{
		"activemq": {
			queue: "destinationName", target: "targetQueueSize", activation: "activationTargetQueueSize",
			required: []string{"managementEndpoint", "brokerName"}, optional: []string{"restAPITemplate", "corsHeader"}, auth: login,
		},
		"artemis-queue": {
			queue: "queueName", target: "queueLength", activation: "activationQueueLength",
			required: []string{"managementEndpoint", "brokerName"}, optional: []string{"brokerAddress", "restApiTemplate", "corsHeader", "unsafeSsl"}, auth: login,
		},
		"ibmmq": {
			queue: "queueName", target: "queueDepth", activation: "activationQueueDepth",
			required: []string{"host"}, optional: []string{"operation", "unsafeSsl"}, auth: login,
		},
		"rabbitmq": {
			queue: "queueName", target: "value", activation: "activationValue", fixed: map[string]string{"mode": "QueueLength"},
			optional: []string{"host", "protocol", "vhostName", "excludeUnacknowledged", "timeout", "unsafeSsl"}, auth: []string{"host"},
		},
		scalerExternal: {
			queue: "queue", target: "target", activation: "activation",
			optional: []string{"scalerAddress", "enableTLS", "unsafeSsl"},
		},
		scalerNone: {},
	}
}

// keys returns the metadata that a person may give.
func (k kind) keys() []string {
	keys := append(slices.Clone(k.required), k.optional...)
	for _, key := range []string{k.target, k.activation} {
		if key != "" {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// check checks the scaler of a connection.
func (s Scaler) check(connection string) error {
	k, ok := kinds()[s.Kind]
	if !ok {
		return fmt.Errorf("--scaler %s=%s: found %q, expected one of %s", connection, s.Kind, s.Kind, names(kinds()))
	}
	for _, key := range slices.Sorted(maps.Keys(s.Metadata)) {
		if !slices.Contains(k.keys(), key) {
			return fmt.Errorf("--scaler %s=%s: found the key %q, expected one of %s", connection, s.Kind, key, orNone(k.keys()))
		}
	}
	for _, key := range k.required {
		if s.Metadata[key] == "" {
			return fmt.Errorf("--scaler %s=%s: KEDA asks the broker's management port, so it has to know %s: --scaler %s=%s,%s; or let \"fairlead scaler\" ask over the connection itself: --scaler %s=external",
				connection, s.Kind, strings.Join(k.required, " and "), connection, s.Kind, strings.Join(k.required, "=…,")+"=…", connection)
		}
	}
	return nil
}

func orNone(keys []string) string {
	if len(keys) == 0 {
		return "none"
	}
	return strings.Join(keys, ", ")
}

// scalerOf returns how KEDA finds out what waits at a connection: as a person
// says, or by "fairlead scaler" where the protocol can tell.
func (b *builder) scalerOf(connection string) (Scaler, error) {
	if s, ok := b.options.Scalers[connection]; ok {
		return s, nil
	}
	if c := b.cfg.Connections[connection]; c.Type == "stomp" {
		return Scaler{}, fmt.Errorf("connections.%s: by STOMP nobody can ask how many messages wait, so KEDA has to ask the broker's management port: "+
			"--scaler %s=rabbitmq, or --scaler %s=artemis-queue,managementEndpoint=HOST:8161,brokerName=NAME, or the same with activemq; --scaler %s=none keeps the number of replicas fixed",
			connection, connection, connection, connection)
	}
	return Scaler{Kind: scalerExternal}, nil
}

// scalerPort is where "fairlead scaler" listens.
const scalerPort = 9090

// metadata returns what KEDA is told about a queue.
func (b *builder) metadataOf(q queue, s Scaler) object {
	k := kinds()[s.Kind]
	m := object{k.queue: q.name, k.target: defaultTarget, k.activation: "0"}
	for key, value := range k.fixed {
		m[key] = value
	}
	switch s.Kind {
	case scalerExternal:
		m["connection"] = q.connection
		m["scalerAddress"] = fmt.Sprintf("%s.%s:%d", b.scalerName(), b.options.Namespace, scalerPort)
	case "artemis-queue":
		m["brokerAddress"] = q.name
	}
	for key, value := range s.Metadata {
		m[key] = value
	}
	return m
}
