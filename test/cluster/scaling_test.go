package cluster

import (
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3"
	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/outbox"
	"github.com/fairlead/fairlead/test/services"
)

// A backlog is a real queue with something to do.
type backlog struct {
	document string            // the configuration
	flags    []string          // of "fairlead manifests"
	secret   map[string]string // what the Secret holds
	add      func(t *testing.T, n int)
	remove   func(t *testing.T) // everything
}

// open makes the queue: what is not there has no depth, so that KEDA would run one
// replica (fallback).
func (b backlog) open(t *testing.T) {
	b.add(t, messages)
	b.remove(t)
}

// messages are enough for three replicas, by the target of 20 for each.
const messages = 45

// TestScaling lets KEDA scale a Deployment from nothing to several replicas and
// back, by a real queue of each sort.
func TestScaling(t *testing.T) {
	c := control(t)
	c.withKEDA(t)
	for name, open := range map[string]func(*testing.T) backlog{
		"rabbitmq": onRabbitMQ, "artemis": onArtemis, "classic": onClassic, "postgres": onPostgres, "external": c.onScaler,
		"ibmmq-rest-double": onMQRESTDouble,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := open(t)
			namespace := c.namespace(t, "scaling-"+name)
			config := filepath.Join(t.TempDir(), "fairlead.yaml")
			if err := os.WriteFile(config, []byte(b.document), 0o600); err != nil {
				t.Fatal(err)
			}
			flags := append([]string{"--name", "app", "-n", namespace, "--image", "registry.example.com/app:1"}, b.flags...)
			c.applyAll(t, append([]object{secret(namespace, "app", b.secret)}, c.manifests(t, config, flags...)...))
			deployment := named("apps/v1", "Deployment", namespace, "app")
			c.awaitReplicas(t, deployment, "none", func(n int) bool { return n == 0 })
			b.add(t, messages)
			c.awaitReplicas(t, deployment, "three", func(n int) bool { return n == 3 })
			b.remove(t)
			c.awaitReplicas(t, deployment, "none", func(n int) bool { return n == 0 })
		})
	}
}

func secret(namespace, name string, values map[string]string) object {
	data := make(map[string]any)
	for key, value := range values {
		data[key] = base64.StdEncoding.EncodeToString([]byte(value))
	}
	o := named("v1", "Secret", namespace, name)
	o["data"] = data
	return o
}

// applyAll applies objects as they are, but that KEDA looks every second and does
// not wait before it stops the last replica.
func (c *cluster) applyAll(t *testing.T, objects []object) {
	t.Helper()
	for _, o := range objects {
		if spec, ok := o.at("spec").(map[string]any); ok && o.text("kind") == "ScaledObject" {
			spec["pollingInterval"], spec["cooldownPeriod"] = 1, 1
		}
		if err := c.client.apply(o); err != nil {
			t.Fatalf("apply %s %s: %v", o.text("kind"), o.text("metadata", "name"), err)
		}
	}
}

// awaitReplicas waits until a Deployment shall have as many replicas as wanted.
func (c *cluster) awaitReplicas(t *testing.T, deployment object, words string, wanted func(int) bool) {
	t.Helper()
	begin := time.Now()
	for limit := begin.Add(patience); ; time.Sleep(tick) {
		now, err := c.client.get(deployment)
		if err != nil {
			t.Fatal(err)
		}
		replicas, _ := now.at("spec", "replicas").(float64)
		if wanted(int(replicas)) {
			t.Logf("%s after %v", words, time.Since(begin).Round(100*time.Millisecond))
			return
		}
		if time.Now().After(limit) {
			scaled, err := c.client.get(named("keda.sh/v1alpha1", "ScaledObject", deployment.text("metadata", "namespace"), "app"))
			t.Fatalf("got %v replicas after %v, want %s; the ScaledObject: %v %v\n%s\n%s", replicas, patience, words, scaled["status"], err, c.said("operator"), c.said("adapter"))
		}
	}
}

// said returns the end of what a program said.
func (c *cluster) said(program string) string {
	for _, p := range c.processes {
		if p.name == program {
			return p.said.String()
		}
	}
	return ""
}

// overSTOMP fills and empties a queue.
func overSTOMP(address, user, password, host, queue string) (add func(*testing.T, int), remove func(*testing.T)) {
	dial := func(t *testing.T) *stomp.Conn {
		conn, err := stomp.Dial("tcp", address, stomp.ConnOpt.Login(user, password), stomp.ConnOpt.Host(host))
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	add = func(t *testing.T, n int) {
		conn := dial(t)
		defer conn.Disconnect()
		for range n {
			if err := conn.Send(queue, "text/plain", []byte("x"), stomp.SendOpt.Receipt, stomp.SendOpt.Header("persistent", "true")); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove = func(t *testing.T) {
		conn := dial(t)
		defer conn.Disconnect()
		subscription, err := conn.Subscribe(queue, stomp.AckClientIndividual)
		if err != nil {
			t.Fatal(err)
		}
		for range messages {
			select {
			case m := <-subscription.C:
				if m.Err != nil {
					t.Fatal(m.Err)
				}
				if err := conn.Ack(m); err != nil {
					t.Fatal(err)
				}
			case <-time.After(patience):
				t.Fatal("a message is missing")
			}
		}
	}
	return add, remove
}

const overBroker = `version: 1
store: none
connections:
  broker: {type: stomp, url: "${env:STOMP_URL:-embedded}", user: "${env:STOMP_USER}", password: "${env:STOMP_PASSWORD}"}
triggers:
  orders: {connection: broker, queue: q.orders, function: order.received}
`

func onRabbitMQ(t *testing.T) backlog {
	i := services.Private(t, "rabbitmq")
	b := backlog{document: overBroker, flags: []string{"--scaler", "broker=rabbitmq"}, secret: map[string]string{
		"STOMP_URL": "stomp://" + i.STOMP, "STOMP_USER": i.User, "STOMP_PASSWORD": i.Password,
		"BROKER_SCALER_HOST": fmt.Sprintf("amqp://%s:%s@%s/%%2F", i.User, i.Password, i.AMQP091),
	}}
	b.add, b.remove = overSTOMP(i.STOMP, i.User, i.Password, "/", "/queue/q.orders")
	b.open(t)
	return b
}

func onArtemis(t *testing.T) backlog {
	i, console, name := services.ArtemisConsole(t)
	return overConsole(t, i, "artemis-queue", console, name, "q.orders")
}

func onClassic(t *testing.T) backlog {
	i, jolokia, name := services.ClassicJolokia(t)
	return overConsole(t, i, "activemq", jolokia, name, "/queue/q.orders")
}

// overConsole is a queue of an ActiveMQ whose management port KEDA asks by scaler;
// name is the broker's there.
func overConsole(t *testing.T, i *services.Instance, scaler, address, name, queue string) backlog {
	b := backlog{document: overBroker, flags: []string{"--scaler", "broker=" + scaler + ",managementEndpoint=" + address + ",brokerName=" + name}, secret: map[string]string{
		"STOMP_URL": "stomp://" + i.STOMP, "STOMP_USER": i.User, "STOMP_PASSWORD": i.Password,
	}}
	b.add, b.remove = overSTOMP(i.STOMP, i.User, i.Password, "/", queue)
	b.open(t)
	return b
}

// onPostgres publishes to a function through the store.
func onPostgres(t *testing.T) backlog {
	url := services.Postgres(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	if err := outbox.Migrate(t.Context(), conn, outbox.DefaultSchema); err != nil {
		t.Fatal(err)
	}
	return backlog{
		document: "version: 1\nstore: {url: \"${env:DATABASE_URL}\"}\ntriggers:\n  index: {topic: orders.created, function: order.index}\nfunctions:\n  order.confirm: {}\n",
		secret:   map[string]string{"DATABASE_URL": url},
		add: func(t *testing.T, n int) {
			for i := range n {
				target := []string{"order.confirm", "topic:orders.created"}[i%2]
				if err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
					return outbox.Publish(t.Context(), tx, target, strconv.Itoa(i))
				}); err != nil {
					t.Fatal(err)
				}
			}
		},
		remove: func(t *testing.T) {
			if _, err := conn.Exec(t.Context(), "delete from fairlead.delivery"); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// onScaler lets KEDA ask "fairlead scaler" for the depth of a queue on Artemis.
func (c *cluster) onScaler(t *testing.T) backlog {
	broker := services.Artemis(t) // admin may ask it about queues
	queue := "q.external." + strconv.FormatInt(time.Now().UnixNano(), 36)
	b := backlog{
		document: "version: 1\nstore: none\nconnections:\n  broker: {type: amqp, url: \"${env:AMQP_URL:-amqp://127.0.0.1}\", user: \"${env:AMQP_USER}\", password: \"${env:AMQP_PASSWORD}\"}\n" +
			"triggers:\n  orders: {connection: broker, queue: " + queue + ", function: order.received}\n",
		secret: map[string]string{"AMQP_URL": "amqp://" + broker.AMQP, "AMQP_USER": "admin", "AMQP_PASSWORD": "adminpw"},
	}
	b.add, b.remove = overSTOMP(broker.STOMP, broker.User, broker.Password, "/", queue)
	b.flags = []string{"--scaler", "broker=external,scalerAddress=" + c.scaler(t, b.document, b.secret)}
	return b
}

// scaler starts "fairlead scaler", and returns where it listens.
func (c *cluster) scaler(t *testing.T, document string, secret map[string]string) string {
	t.Helper()
	config := filepath.Join(t.TempDir(), "fairlead.yaml")
	if err := os.WriteFile(config, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	ports, err := freePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	var env []string
	for key, value := range secret {
		env = append(env, key+"="+value)
	}
	address := fmt.Sprint("127.0.0.1:", ports[0])
	p, err := start(c.program("fairlead"), env, "scaler", "-f", config, "--listen", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})
	err = p.await(func() error {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return address
}
