package cluster

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// everything is a configuration with all that manifests are made of.
const everything = `version: 1
store: {url: "${env:DATABASE_URL}"}
http: {function: order.received, tls: {cert: tls/server.pem, key: tls/server-key.pem}}
metrics: {listen: "0.0.0.0:9100"}
connections:
  orders: {type: amqp, url: "amqps://broker:5671", user: app, password: literal, tls: {ca: tls/ca.pem}}
  Prices.EU: {type: stomp, url: "${env:PRICES_URL:-embedded}", user: "${env:PRICES_USER}", password: "${file:secrets/prices}"}
  mq: {type: mq, address: "mq(1414)", channel: APP, user: "${env:MQ_USER}", password: "${env:MQ_PASSWORD}"}
triggers:
  orders: {connection: orders, queue: ORDERS.IN, function: order.received}
  prices: {connection: Prices.EU, queue: "on", function: order.received}
  ticks: {connection: Prices.EU, topic: ticks, function: order.received}
  customers: {connection: mq, queue: CUSTOMER.1, function: order.received}
  indexed: {topic: orders.created, function: order.received}
  nightly: {schedule: "0 2 * * *", function: order.received}
bindings:
  audit: {connection: orders, queue: audit, outbox: true}
`

// forwarding is a configuration for "fairlead source".
const forwarding = `version: 1
store: none
connections:
  orders: {type: amqp, url: "${env:ORDERS_URL:-amqp://127.0.0.1:5672}"}
triggers:
  orders: {connection: orders, queue: ORDERS.IN}
`

// A folder is a configuration, and the flags that its objects are made with.
type folder struct {
	name  string
	file  string // of the repository
	text  string // or the document itself
	flags []string
}

func folders(t *testing.T) []folder {
	t.Helper()
	all := []folder{
		{name: "everything", text: everything, flags: []string{
			"--scaler", "Prices.EU=artemis-queue,managementEndpoint=artemis:8161,brokerName=main", "--scaler-image", "registry.example.com/fairlead:1",
			"--scaler", "mq=ibmmq,host=https://mq:9443/ibmmq/rest/v2/admin/action/qmgr/QM1/mqsc", "--broker", "default", "--filter", "type=com.example.order"}},
		{name: "activemq", text: everything, flags: []string{"--scaler", "Prices.EU=activemq,managementEndpoint=broker:8161,brokerName=main", "--scaler", "orders=none"}},
		{name: "source", text: forwarding, flags: []string{"--mode", "source", "--sink", "broker:default"}},
		{name: "source-to-url", text: forwarding, flags: []string{"--mode", "source", "--sink", "http://orders.default.svc/events"}},
		{name: "events", file: "templates/go/cloudevents/fairlead.yaml", flags: []string{"--broker", "default", "--filter", "type=com.example.order", "--dead-letter-sink", "ksvc:dead"}},
		{name: "publish-service", file: "templates/go/publish/fairlead.yaml", flags: []string{"--mode", "service"}},
	}
	for _, pattern := range []string{"templates/go/*/fairlead.yaml", "examples/*.yaml"} {
		files, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: found %v, error %v", pattern, files, err)
		}
		for _, file := range files {
			file = strings.TrimPrefix(filepath.ToSlash(file), "../../")
			name := strings.NewReplacer("/fairlead.yaml", "", ".yaml", "", "templates/go/", "template-", "examples/", "example-").Replace(file)
			f := folder{name: name, file: file}
			if name == "template-stomp-trigger" {
				f.flags = []string{"--scaler", "broker=rabbitmq"}
			}
			all = append(all, f)
		}
	}
	return all
}

// config returns the path of the configuration.
func (f folder) config(t *testing.T) string {
	t.Helper()
	if f.file != "" {
		return filepath.Join("../..", filepath.FromSlash(f.file))
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"fairlead.yaml": f.text, "secrets/prices": "file-password"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "fairlead.yaml")
}

// manifests returns the objects of a configuration, as "fairlead manifests" writes them.
func (c *cluster) manifests(t *testing.T, config string, flags ...string) []object {
	t.Helper()
	var list struct{ Items []object }
	if err := json.Unmarshal(c.fairlead(t, nil, append([]string{"manifests", "-o", "json", "-f", config}, flags...)...), &list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// fairlead runs a command that must succeed, and returns what it prints.
func (c *cluster) fairlead(t *testing.T, env []string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), c.program("fairlead"), args...)
	cmd.Env = append(os.Environ(), env...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("fairlead %s: %v\n%s%s", strings.Join(args, " "), err, out, &said)
	}
	return out
}

// TestManifests checks that a real API server and Knative's own code accept every
// object of every template and example.
func TestManifests(t *testing.T) {
	c := control(t)
	c.namespace(t, "manifests")
	schemas := scalerSchemas(t)
	for _, f := range folders(t) {
		t.Run(f.name, func(t *testing.T) {
			config := f.config(t)
			flags := append([]string{"--name", f.name, "-n", "manifests", "--image", "registry.example.com/app:1"}, f.flags...)
			objects := c.manifests(t, config, flags...)
			for _, o := range objects {
				if err := c.client.apply(o, "dryRun=All"); err != nil {
					t.Errorf("the API server says to %s %s: %v", o.text("kind"), o.text("metadata", "name"), err)
				}
				if err := validate(o); err != nil {
					t.Errorf("Knative says to %s %s: %v", o.text("kind"), o.text("metadata", "name"), err)
				}
			}
			checkScalers(t, schemas, objects)
			text := c.fairlead(t, nil, append([]string{"manifests", "-f", config}, flags...)...)
			if got := documents(t, text); !reflect.DeepEqual(got, objects) {
				t.Errorf("the YAML has other objects than the JSON:\n%s", text)
			}
			for _, secret := range []string{"literal\"", "file-password"} {
				if bytes.Contains(text, []byte(secret)) {
					t.Errorf("%s is in\n%s", secret, text)
				}
			}
		})
	}
}

// documents reads a stream of YAML as Kubernetes does.
func documents(t *testing.T, text []byte) []object {
	t.Helper()
	var all []object
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		var o object
		if err := yaml.UnmarshalStrict([]byte(document), &o); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		all = append(all, o)
	}
	return all
}

// A mutation breaks one field of one object.
type mutation struct {
	name  string
	kind  string
	value any
	path  []any
}

// at is the path to a field.
func at(path ...any) []any { return path }

// mutations are mistakes that a check must find.
var mutations = []mutation{
	{"misspelled field", "Deployment", 1, at("spec", "replica")},
	{"text for a number", "Deployment", "many", at("spec", "replicas")},
	{"selector that selects other pods", "Deployment", "other", at("spec", "selector", "matchLabels", "app.kubernetes.io/name")},
	{"no image name", "Deployment", nil, at("spec", "template", "spec", "containers", 0, "name")},
	{"unknown probe", "Deployment", map[string]any{"path": "/"}, at("spec", "template", "spec", "containers", 0, "livenessProbe", "http")},
	{"port out of range", "Deployment", 99999, at("spec", "template", "spec", "containers", 0, "ports", 0, "containerPort")},
	{"limit below the request", "Deployment", "1Mi", at("spec", "template", "spec", "containers", 0, "resources", "limits", "memory")},
	{"mount of no volume", "Deployment", "nothing", at("spec", "template", "spec", "containers", 0, "volumeMounts", 0, "name")},
	{"unknown seccomp profile", "Deployment", "Default", at("spec", "template", "spec", "securityContext", "seccompProfile", "type")},
	{"grace period with a unit", "Deployment", "60s", at("spec", "template", "spec", "terminationGracePeriodSeconds")},
	{"upper case name", "ConfigMap", "Orders", at("metadata", "name")},
	{"number in a ConfigMap", "ConfigMap", 1, at("data", "fairlead.yaml")},
	{"port of a Service out of range", "v1 Service", 0, at("spec", "ports", 0, "port")},
	{"number as metadata", "ScaledObject", 20, at("spec", "triggers", 0, "metadata", "activationValue")},
	{"misspelled minimum", "ScaledObject", 0, at("spec", "minReplicasCount")},
	{"no target", "ScaledObject", nil, at("spec", "scaleTargetRef")},
	{"no type of scaler", "ScaledObject", nil, at("spec", "triggers", 0, "type")},
	{"misspelled parameter", "TriggerAuthentication", "x", at("spec", "secretTargetRef", 0, "parameters")},
	{"no key", "TriggerAuthentication", nil, at("spec", "secretTargetRef", 0, "key")},
	{"protocol in lower case", "NetworkPolicy", "tcp", at("spec", "ingress", 0, "ports", 0, "protocol")},
	{"both bounds of a budget", "PodDisruptionBudget", 1, at("spec", "minAvailable")},
	{"time-out above Knative's", "serving.knative.dev/v1 Service", 6000, at("spec", "template", "spec", "timeoutSeconds")},
	{"port with a name of its own", "serving.knative.dev/v1 Service", "foo", at("spec", "template", "spec", "containers", 0, "ports", 0, "name")},
	{"most below least", "serving.knative.dev/v1 Service", "-1", at("spec", "template", "metadata", "annotations", "autoscaling.knative.dev/max-scale")},
	{"no container", "serving.knative.dev/v1 Service", []any{}, at("spec", "template", "spec", "containers")},
	{"host network", "serving.knative.dev/v1 Service", true, at("spec", "template", "spec", "hostNetwork")},
	{"misspelled field of Knative", "serving.knative.dev/v1 Service", true, at("spec", "template", "spec", "enableServiceLink")},
	{"unknown back-off", "Trigger", "expo", at("spec", "delivery", "backoffPolicy")},
	{"delay that is no duration", "Trigger", "200ms", at("spec", "delivery", "backoffDelay")},
	{"negative retries", "Trigger", -1, at("spec", "delivery", "retry")},
	{"no subscriber", "Trigger", nil, at("spec", "subscriber")},
	{"sink without a name", "Trigger", nil, at("spec", "delivery", "deadLetterSink", "ref", "name")},
	{"attribute in upper case", "Trigger", "x", at("spec", "filter", "attributes", "Type")},
	{"no sink", "SinkBinding", nil, at("spec", "sink")},
	{"no subject", "SinkBinding", nil, at("spec", "subject")},
	{"subject without a kind", "SinkBinding", nil, at("spec", "subject", "kind")},
}

// TestBrokenManifests breaks one field at a time: the API server or Knative's own
// code has to notice each.
func TestBrokenManifests(t *testing.T) {
	c := control(t)
	c.namespace(t, "broken")
	all := folders(t)
	var objects []object
	for _, name := range []string{"template-stomp-trigger", "publish-service", "events", "source", "template-publish"} {
		f := all[slices.IndexFunc(all, func(f folder) bool { return f.name == name })]
		objects = append(objects, c.manifests(t, f.config(t), append([]string{"--name", f.name, "-n", "broken", "--image", "app:1"}, f.flags...)...)...)
	}
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			i := slices.IndexFunc(objects, func(o object) bool { return m.fits(o) })
			if i < 0 {
				t.Fatalf("no %s has %v", m.kind, m.path)
			}
			broken := copyOf(t, objects[i])
			m.apply(broken)
			server, knative := c.client.apply(broken, "dryRun=All"), validate(broken)
			if server == nil && knative == nil {
				t.Errorf("nobody noticed: %v", broken)
			}
			t.Logf("API server: %v\nKnative: %v", server, knative)
		})
	}
}

// fits reports whether an object has what the mutation breaks.
func (m mutation) fits(o object) bool {
	full := o.text("apiVersion") + " " + o.text("kind")
	parent := o.at(m.path[:len(m.path)-1]...)
	_, isTable := parent.(map[string]any)
	return (full == m.kind || o.text("kind") == m.kind && m.kind != "Service") && isTable
}

func (m mutation) apply(o object) {
	parent := o.at(m.path[:len(m.path)-1]...).(map[string]any)
	key := m.path[len(m.path)-1].(string)
	if m.value == nil {
		delete(parent, key)
		return
	}
	parent[key] = m.value
}

func copyOf(t *testing.T, o object) object {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var other object
	if err := json.Unmarshal(text, &other); err != nil {
		t.Fatal(err)
	}
	return other
}
