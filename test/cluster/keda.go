package cluster

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
)

// kedaNamespace is where KEDA would run.
const kedaNamespace = "keda"

// withKEDA starts KEDA's operator and its metrics server, once for all tests.
func (c *cluster) withKEDA(t *testing.T) {
	t.Helper()
	c.kedaOnce.Do(func() { c.kedaErr = c.startKEDA(t) })
	if c.kedaErr != nil {
		t.Fatal(c.kedaErr)
	}
}

func (c *cluster) startKEDA(t *testing.T) error {
	if err := c.need(t, keda); err != nil {
		return err
	}
	c.namespace(t, kedaNamespace)
	ports, err := freePorts(4)
	if err != nil {
		return err
	}
	metrics, health, server := fmt.Sprint("127.0.0.1:", ports[0]), fmt.Sprint("127.0.0.1:", ports[1]), ports[2]
	env := []string{"KUBECONFIG=" + c.kubeconfig, "WATCH_NAMESPACE=", "POD_NAMESPACE=" + kedaNamespace, "KEDA_CLUSTER_OBJECT_NAMESPACE=" + kedaNamespace}
	operator, err := c.run(env, "operator", "--cert-dir", c.dir, "--ca-dir", c.dir+"/none", "--metrics-bind-address", "127.0.0.1:0",
		"--health-probe-bind-address", health, "--metrics-service-bind-address", metrics, "--kube-api-qps", "100", "--kube-api-burst", "200")
	if err != nil {
		return err
	}
	if err := operator.await(func() error { return answers("http://" + health + "/readyz") }); err != nil {
		return err
	}
	if _, err := c.run(env, "adapter", "--cert-dir", c.dir, "--tls-cert-file", c.file(certFile), "--tls-private-key-file", c.file(keyFile),
		"--secure-port", fmt.Sprint(server), "--bind-address", "127.0.0.1", "--port", fmt.Sprint(ports[3]), "--metrics-service-address", strings.Replace(metrics, "127.0.0.1", "localhost", 1),
		"--lister-kubeconfig", c.kubeconfig, "--authentication-kubeconfig", c.kubeconfig, "--authorization-kubeconfig", c.kubeconfig); err != nil {
		return err
	}
	return c.addMetrics(server)
}

// addMetrics makes the API server ask KEDA's metrics server, as the autoscaler wants.
func (c *cluster) addMetrics(port int) error {
	ca, err := os.ReadFile(c.file(caFile))
	if err != nil {
		return err
	}
	for _, o := range []object{
		{"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "localhost", "namespace": kedaNamespace},
			"spec": map[string]any{"type": "ExternalName", "externalName": "localhost"}},
		{"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": map[string]any{"name": "v1beta1.external.metrics.k8s.io"},
			"spec": map[string]any{
				"group": "external.metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
				"service":  map[string]any{"name": "localhost", "namespace": kedaNamespace, "port": port},
				"caBundle": base64.StdEncoding.EncodeToString(ca),
			}},
	} {
		if err := c.client.apply(o); err != nil {
			return err
		}
	}
	return nil
}

// answers reports whether somebody answers with 200.
func answers(url string) error {
	response, err := http.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return nil
}
