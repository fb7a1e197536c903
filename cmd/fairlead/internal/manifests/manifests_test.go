package manifests

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections/drivers"
	"github.com/fairlead/fairlead/framework/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// everything is a configuration with all that objects are made of.
const everything = `version: 1
store: {url: "${env:DATABASE_URL}"}
http: {function: order.received, tls: {cert: tls/server.pem, key: tls/server-key.pem}}
metrics: {listen: "0.0.0.0:9100"}
connections:
  orders: {type: amqp, url: "amqps://broker:5671", user: app, password: "literal-password", tls: {ca: tls/ca.pem, cert: /etc/tls/client.pem}}
  Prices.EU: {type: stomp, url: "${env:PRICES_URL:-embedded}", user: "${env:PRICES_USER:-}", password: "${file:secrets/prices}"}
  mq: {type: mq, address: "mq(1414)", channel: APP, user: "${env:MQ_USER}", password: "${env:MQ_PASSWORD}"}
triggers:
  orders: {connection: orders, queue: ORDERS.IN, function: order.received}
  prices: {connection: Prices.EU, queue: "on", function: order.received}
  ticks: {connection: Prices.EU, topic: ticks, function: order.received}
  customers: {connection: mq, queue: CUSTOMER.1, function: order.received}
  indexed: {topic: orders.created, function: "it's"}
  nightly: {schedule: "0 2 * * *", function: order.received}
bindings:
  audit: {connection: orders, queue: audit, outbox: true}
functions:
  order.received: {retry: {attempts: 4, first: 250ms}}
`

const stomp = `version: 1
store: none
connections:
  broker: {type: stomp, url: "stomp://broker:61613", user: app, password: "${env:STOMP_PASSWORD}"}
triggers:
  orders: {connection: broker, queue: orders, function: order.received}
`

const amqp = `version: 1
store: none
connections:
  orders: {type: amqp, url: "${env:ORDERS_URL:-amqp://127.0.0.1:5672}"}
triggers:
  orders: {connection: orders, queue: ORDERS.IN, function: order.received}
`

func parse(t *testing.T, document string, o config.Options) *config.Config {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secrets", "prices"), []byte("file-password"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Drivers = drivers.All()
	o.LookupEnv = func(name string) (string, bool) { return "", true }
	cfg, err := config.Parse([]byte(document), filepath.Join(dir, "fairlead.yaml"), o)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func options(change func(*Options)) Options {
	o := Options{Name: "orders", Image: "registry.example.com/orders:1", Min: -1}
	if change != nil {
		change(&o)
	}
	return o
}

func scalers(t *testing.T, texts ...string) map[string]Scaler {
	t.Helper()
	all := make(map[string]Scaler)
	for _, text := range texts {
		connection, s, err := ParseScaler(text)
		if err != nil {
			t.Fatal(err)
		}
		all[connection] = s
	}
	return all
}

// TestGolden compares the objects with those in testdata. test/cluster has real
// ones accepted by a Kubernetes API server, Knative and KEDA.
func TestGolden(t *testing.T) {
	template := func(name string) string {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "templates", "go", name, "fairlead.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, test := range []struct {
		name     string
		document string
		change   func(*Options)
	}{
		{"everything", everything, func(o *Options) {
			o.Namespace, o.ScalerImage, o.Broker = "shop", "registry.example.com/fairlead:1", "default"
			o.Filter = map[string]string{"type": "com.example.order"}
			o.Scalers = scalers(t, "Prices.EU=artemis-queue,managementEndpoint=artemis:8161,brokerName=main", "mq=ibmmq,host=https://mq:9443/ibmmq/rest/v2/admin/action/qmgr/QM1/mqsc")
		}},
		{"http", template("http"), nil},
		{"cloudevents", template("cloudevents"), func(o *Options) {
			o.Broker, o.DeadLetter = "default", &Sink{Kind: "ksvc", Name: "dead"}
		}},
		{"publish", template("publish"), nil},
		{"publish-service", template("publish"), func(o *Options) { o.Mode = ModeService }},
		{"schedule", template("schedule"), nil},
		{"amqp-trigger", template("amqp-trigger"), nil},
		{"mq-trigger", template("mq-trigger"), func(o *Options) { o.ScalerImage = "registry.example.com/fairlead-mq:1" }},
		{"stomp-rabbitmq", stomp, func(o *Options) { o.Scalers = scalers(t, "broker=rabbitmq") }},
		{"stomp-rabbitmq-http", stomp, func(o *Options) { o.Scalers = scalers(t, "broker=rabbitmq,host=http://rabbitmq:15672,vhostName=/") }},
		{"stomp-activemq", stomp, func(o *Options) {
			o.Scalers, o.Max = scalers(t, "broker=activemq,managementEndpoint=broker:8161,brokerName=main,targetQueueSize=5"), 3
		}},
		{"stomp-none", stomp, func(o *Options) { o.Scalers, o.Min = scalers(t, "broker=none"), 2 }},
		{"source", amqp, func(o *Options) { o.Mode, o.Sink = ModeSource, &Sink{Kind: "broker", Name: "default"} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			set, err := Make(parse(t, test.document, config.Options{}), options(test.change))
			if err != nil {
				t.Fatal(err)
			}
			got := written(t, set)
			for _, secret := range []string{"literal-password", "file-password"} {
				if strings.Contains(got, secret) {
					t.Errorf("the objects show %s", secret)
				}
			}
			golden := filepath.Join("testdata", test.name+".yaml")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("objects (-golden +got); -update writes them anew:\n%s", diff)
			}
		})
	}
}

// written returns a set as YAML, and after it what a person is told.
func written(t *testing.T, set *Set) string {
	t.Helper()
	var b bytes.Buffer
	if err := set.YAML(&b); err != nil {
		t.Fatal(err)
	}
	for _, note := range set.Notes {
		b.WriteString("# " + note + "\n")
	}
	for _, k := range set.Secret {
		b.WriteString("# " + set.SecretName + "." + k.Key + ": " + k.Means + " " + k.File)
		if k.Optional {
			b.WriteString("(optional)")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestSecretDefaults checks that a secret which is the default of a variable is in
// no object, and that the Secret then has to hold the variable.
func TestSecretDefaults(t *testing.T) {
	const document = `version: 1
store: none
connections:
  broker: {type: stomp, url: "${env:BROKER:-stomp://app:geheim@broker}"}
  other: {type: stomp, url: "stomp://other", user: "${env:APP:-app}", password: "${env:PASSWORD:-geheim}"}
`
	set, err := Make(parse(t, document, config.Options{}), options(nil))
	if err != nil {
		t.Fatal(err)
	}
	if got := written(t, set); strings.Contains(got, "geheim") || !strings.Contains(got, "${env:APP:-app}") {
		t.Errorf("got objects with the secret, or without the default that is none:\n%s", got)
	}
	optional := make(map[string]bool)
	for _, k := range set.Secret {
		optional[k.Key] = k.Optional
	}
	if diff := cmp.Diff(map[string]bool{"BROKER": false, "APP": true, "PASSWORD": false}, optional); diff != "" {
		t.Errorf("what may be missing in the Secret (-want +got):\n%s", diff)
	}
}

// TestTimes checks that a pod may drain, and Knative waits for an answer, as long as
// the configuration says.
func TestTimes(t *testing.T) {
	for _, test := range []struct {
		grace, timeout, mode string
		want                 int
	}{
		{"25s", "30s", ModeDeployment, 60},
		{"90s", "30s", ModeDeployment, 100},
		{"25s", "3m", ModeDeployment, 60},
		{"1500ms", "30s", ModeService, 60},
		{"59500ms", "30s", ModeService, 70},
		{"25s", "2m", ModeService, 120},
	} {
		set, err := Make(parse(t, "version: 1\nstore: none\ngrace: "+test.grace+"\nfunctions: {f: {timeout: "+test.timeout+"}}\n", config.Options{}), options(func(o *Options) { o.Mode = test.mode }))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range set.Objects {
			if o.Kind() != "Deployment" && o["apiVersion"] != "serving.knative.dev/v1" {
				continue
			}
			spec := o["spec"].(object)["template"].(object)["spec"].(object)
			got, ok := spec["terminationGracePeriodSeconds"]
			if !ok {
				got = spec["timeoutSeconds"]
			}
			if got != test.want {
				t.Errorf("grace %s, timeout %s, mode %s: got %v seconds, want %d", test.grace, test.timeout, test.mode, got, test.want)
			}
		}
	}
}

// TestRefusals checks that whatever cannot work is said in a sentence that names
// what was found.
func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name     string
		document string
		change   func(*Options)
		want     string
	}{
		{"upper case", stomp, func(o *Options) { o.Name = "Orders" }, `the name "Orders"`},
		{"dot", stomp, func(o *Options) { o.Name = "my.orders" }, `the name "my.orders"`},
		{"too long", stomp, func(o *Options) { o.Name = strings.Repeat("a", 64) }, "at most 63"},
		{"empty name", stomp, func(o *Options) { o.Name = "" }, `the name ""`},
		{"namespace", stomp, func(o *Options) { o.Namespace = "my_space" }, `the namespace "my_space"`},
		{"secret", stomp, func(o *Options) { o.Secret = "My" }, `the Secret "My"`},
		{"no image", stomp, func(o *Options) { o.Image = "" }, "--image registry.example.com/orders:1"},
		{"image with a space", stomp, func(o *Options) { o.Image = "my image" }, `the image "my image"`},
		{"mode", stomp, func(o *Options) { o.Mode = "job" }, `the mode "job"`},
		{"no replicas", stomp, func(o *Options) { o.Max = -1 }, "at most -1 replicas"},
		{"more than most", stomp, func(o *Options) { o.Min, o.Max = 3, 2 }, "at least 3 and at most 2"},
		{"filter without a broker", stomp, func(o *Options) { o.Filter = map[string]string{"type": "x"} }, "--broker"},
		{"broker", stomp, func(o *Options) { o.Broker = "My" }, `the broker "My"`},
		{"nobody answers events", stomp, func(o *Options) { o.Broker, o.Scalers = "default", scalers(t, "broker=none") }, "http.function"},
		{"source without a sink", amqp, func(o *Options) { o.Mode = ModeSource }, "--sink broker:NAME"},
		{"sink without a source", amqp, func(o *Options) { o.Sink = &Sink{URI: "http://x"} }, "--mode source"},
		{"source with a store", everything, func(o *Options) { o.Mode, o.Sink = ModeSource, &Sink{URI: "http://x"} }, "store: none"},
		{"no way to count", stomp, nil, "--scaler broker=rabbitmq"},
		{"unknown connection", stomp, func(o *Options) { o.Scalers = scalers(t, "other=rabbitmq") }, `the connection "other"`},
		{"unknown scaler", stomp, func(o *Options) { o.Scalers = scalers(t, "broker=kafka") }, "activemq, artemis-queue, external"},
		{"unknown key", stomp, func(o *Options) { o.Scalers = scalers(t, "broker=rabbitmq,queueLength=5") }, `the key "queueLength"`},
		{"no endpoint", stomp, func(o *Options) { o.Scalers = scalers(t, "broker=artemis-queue") }, "managementEndpoint and brokerName"},
		{"embedded", strings.Replace(stomp, "stomp://broker:61613", "embedded", 1), nil, "connections.broker is the broker inside"},
		{"memory", "version: 1\nstore: none\nconnections:\n  m: {type: memory}\n", nil, "connections.m is of type memory"},
		{"TLS in a Knative Service", "version: 1\nstore: none\nhttp: {tls: {cert: a.pem, key: b.pem}}\n", nil, "http.tls"},
		{"file elsewhere", "version: 1\nstore: none\nhttp: {tls: {cert: ../a.pem, key: b.pem}}\n", nil, "../a.pem"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Make(parse(t, test.document, config.Options{}), options(test.change))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got error %v, want one sentence with %s", err, test.want)
			}
		})
	}
}

func TestParse(t *testing.T) {
	for _, text := range []string{"", "broker", "=rabbitmq", "broker=", "broker=rabbitmq,host", "broker=rabbitmq,=x"} {
		if _, _, err := ParseScaler(text); err == nil {
			t.Errorf("ParseScaler(%q): got no error", text)
		}
	}
	for _, text := range []string{"broker", "broker:", "broker:My", "ftp://x", "http://", "pod:x"} {
		if s, err := ParseSink(text); err == nil {
			t.Errorf("ParseSink(%q): got %v, want an error", text, s)
		}
	}
}

// TestBackOff checks that no delay is finer than Knative's dispatcher can be.
func TestBackOff(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                       "PT0.1S",
		time.Millisecond:        "PT0.1S",
		200 * time.Millisecond:  "PT0.2S",
		250 * time.Millisecond:  "PT0.3S",
		time.Second:             "PT1.0S",
		90 * time.Second:        "PT90.0S",
		1950 * time.Millisecond: "PT2.0S",
	} {
		if got := backOff(d); got != want {
			t.Errorf("backOff(%v): got %s, want %s", d, got, want)
		}
	}
}

// kedaNames are the metadata and the parameters of KEDA 2.21 that may be used.
var kedaNames = map[string]struct{ metadata, auth []string }{
	"ibmmq":         {[]string{"host", "queueName", "queueDepth", "activationQueueDepth", "operation", "unsafeSsl"}, []string{"username", "password"}},
	"activemq":      {[]string{"managementEndpoint", "destinationName", "brokerName", "restAPITemplate", "targetQueueSize", "activationTargetQueueSize", "corsHeader"}, []string{"username", "password"}},
	"artemis-queue": {[]string{"managementEndpoint", "queueName", "brokerName", "brokerAddress", "restApiTemplate", "queueLength", "activationQueueLength", "corsHeader", "unsafeSsl"}, []string{"username", "password"}},
	"rabbitmq":      {[]string{"queueName", "host", "mode", "value", "activationValue", "protocol", "vhostName", "excludeUnacknowledged", "timeout", "unsafeSsl"}, []string{"host"}},
	"external":      {[]string{"scalerAddress", "enableTLS", "unsafeSsl", "queue", "target", "activation"}, nil},
	"none":          {nil, nil},
}

func TestScalersUseKEDAsNames(t *testing.T) {
	for name, k := range kinds() {
		used := k.keys()
		if k.queue != "" {
			used = append(used, k.queue)
		}
		for key := range k.fixed {
			used = append(used, key)
		}
		known := kedaNames[name]
		for _, key := range used {
			if !slices.Contains(known.metadata, key) {
				t.Errorf("%s: KEDA knows no %s", name, key)
			}
		}
		for _, parameter := range k.auth {
			if !slices.Contains(known.auth, parameter) {
				t.Errorf("%s: KEDA knows no parameter %s", name, parameter)
			}
		}
		if name != scalerNone && k.activation == "" {
			t.Errorf("%s says nothing about what wakes the first replica", name)
		}
	}
}

func TestImage(t *testing.T) {
	for text, want := range map[string]bool{
		"orders": true, "orders:1": true, "me/orders": true, "registry.example.com/me/orders:1.2-a_B": true, "localhost:5000/me/or__ders": true,
		"r.example.com/o@sha256:" + strings.Repeat("0", 64): true, "r.example.com/o:1@sha256:" + strings.Repeat("f", 64): true,
		"": false, "my image": false, "https://r.example.com/o:1": false, "r.example.com/o:": false, "r.example.com/O": false, "/o": false, "o/": false, "r//o": false,
		"o@sha256:abc": false, "o:1:2": false, "o@latest": false,
	} {
		if got := image.MatchString(text); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}
