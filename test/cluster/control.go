package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A cluster is a control plane without nodes.
type cluster struct {
	path       []string // folders of programs
	dir        string   // certificates, kubeconfig, etcd's data
	kubeconfig string
	client     *client

	processes []*process
	kedaOnce  sync.Once
	kedaErr   error
}

// shared is the cluster of all tests of a run, which TestMain stops.
var shared struct {
	once    sync.Once
	cluster *cluster
	err     error
}

// control returns the control plane; the first test that asks starts it.
func control(t *testing.T) *cluster {
	t.Helper()
	shared.once.Do(func() {
		shared.cluster = new(cluster)
		shared.err = shared.cluster.start(t)
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.cluster
}

// program returns the path of a program.
func (c *cluster) program(name string) string {
	for _, dir := range c.path {
		if path := filepath.Join(dir, name); isFile(path) {
			return path
		}
	}
	return name // its start will say that it is not there
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// token is the password of whoever talks to the API server.
const token = "test"

func (c *cluster) start(t *testing.T) (err error) {
	if c.dir, err = os.MkdirTemp("", "fairlead-cluster-"); err != nil {
		return err
	}
	if err := errors.Join(c.need(t, etcd), c.need(t, kubernetes)); err != nil {
		return err
	}
	if _, err := fairlead.compile(t.Context(), c.dir); err != nil { // it changes all the time
		return err
	}
	c.path = append(c.path, c.dir)
	begin := time.Now()
	if err := writeCertificates(c.dir); err != nil {
		return err
	}
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	if err := c.startEtcd(ports[0], ports[1]); err != nil {
		return err
	}
	if err := c.startAPIServer(ports[0], ports[2]); err != nil {
		return err
	}
	if err := c.startControllers(); err != nil {
		return err
	}
	if err := c.addDefinitions(); err != nil {
		return err
	}
	t.Logf("the control plane started in %v", time.Since(begin).Round(100*time.Millisecond))
	return nil
}

// stop ends everything.
func (c *cluster) stop() error {
	var errs []error
	for _, p := range slices.Backward(c.processes) {
		errs = append(errs, p.stop())
	}
	return errors.Join(append(errs, os.RemoveAll(c.dir))...)
}

func (c *cluster) file(name string) string { return filepath.Join(c.dir, name) }

func (c *cluster) run(env []string, program string, args ...string) (*process, error) {
	p, err := start(c.program(program), env, args...)
	if err == nil {
		c.processes = append(c.processes, p)
	}
	return p, err
}

func (c *cluster) startEtcd(port, peerPort int) error {
	at, peer := fmt.Sprint("http://127.0.0.1:", port), fmt.Sprint("http://127.0.0.1:", peerPort)
	_, err := c.run(nil, "etcd", "--data-dir", c.file("etcd"), "--unsafe-no-fsync", "--log-level", "error",
		"--listen-client-urls", at, "--advertise-client-urls", at,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer)
	return err // the API server waits for it
}

func (c *cluster) startAPIServer(etcdPort, port int) error {
	if err := os.WriteFile(c.file("tokens"), []byte(token+",test,test,system:masters\n"), 0o600); err != nil {
		return err
	}
	server := fmt.Sprint("https://127.0.0.1:", port)
	cert, key, ca := c.file(certFile), c.file(keyFile), c.file(caFile)
	p, err := c.run(nil, "kube-apiserver",
		"--etcd-servers", fmt.Sprint("http://127.0.0.1:", etcdPort),
		"--bind-address", "127.0.0.1", "--secure-port", fmt.Sprint(port), "--advertise-address", "127.0.0.1",
		"--endpoint-reconciler-type", "none", "--service-cluster-ip-range", "10.0.0.0/16",
		"--cert-dir", c.dir, "--tls-cert-file", cert, "--tls-private-key-file", key,
		"--token-auth-file", c.file("tokens"), "--authorization-mode", "AlwaysAllow",
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", key, "--service-account-signing-key-file", key,
		"--disable-admission-plugins", "ServiceAccount",
		// So that it passes on requests for KEDA's metrics.
		"--requestheader-client-ca-file", ca, "--requestheader-username-headers", "X-Remote-User", "--requestheader-group-headers", "X-Remote-Group",
		"--requestheader-extra-headers-prefix", "X-Remote-Extra-", "--proxy-client-cert-file", cert, "--proxy-client-key-file", key,
	)
	if err != nil {
		return err
	}
	if err := c.writeKubeconfig(server); err != nil {
		return err
	}
	authority, err := os.ReadFile(ca)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	c.client = &client{server: server, http: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}}
	return p.await(func() error { _, err := c.client.do(http.MethodGet, "/readyz", "", nil); return err })
}

func (c *cluster) writeKubeconfig(server string) error {
	c.kubeconfig = c.file("kubeconfig")
	return os.WriteFile(c.kubeconfig, fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: test, user: {token: %q}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
current-context: test
`, server, c.file(caFile), token), 0o600)
}

func (c *cluster) startControllers() error {
	_, err := c.run(nil, "kube-controller-manager", "--kubeconfig", c.kubeconfig, "--leader-elect=false", "--secure-port", "0",
		"--controllers", "deployment-controller,replicaset-controller,horizontal-pod-autoscaler-controller",
		"--horizontal-pod-autoscaler-sync-period", "1s", "--kube-api-qps", "100", "--kube-api-burst", "200")
	return err
}

// definitions are the objects that Knative and KEDA add to Kubernetes, in the
// modules that the tests and KEDA are built from; a package of each names them.
var definitions = []struct{ dir, pkg, files string }{
	{".", "knative.dev/serving/pkg/apis/serving/v1", "config/core/300-resources/service.yaml"},
	{".", "knative.dev/serving/pkg/apis/serving/v1", "config/core/300-resources/route.yaml"},
	{".", "knative.dev/eventing/pkg/apis/eventing/v1", "config/core/resources/trigger.yaml"},
	{".", "knative.dev/eventing/pkg/apis/eventing/v1", "config/core/resources/sinkbindings.yaml"},
	{"keda", "github.com/kedacore/keda/v2/cmd/operator", "config/crd/bases/*.yaml"},
}

// addDefinitions makes the API server know these objects.
func (c *cluster) addDefinitions() error {
	for _, d := range definitions {
		module, err := moduleDir(d.dir, d.pkg)
		if err != nil {
			return err
		}
		files, err := filepath.Glob(filepath.Join(module, filepath.FromSlash(d.files)))
		if err != nil || len(files) == 0 {
			return fmt.Errorf("find %s in %s: %w", d.files, d.pkg, err)
		}
		for _, file := range files {
			if err := c.client.applyFile(file); err != nil {
				return fmt.Errorf("apply %s: %w", filepath.Base(file), err)
			}
		}
	}
	return c.awaitDefinitions()
}

// awaitDefinitions waits until the API server serves them.
func (c *cluster) awaitDefinitions() error {
	for _, path := range []string{
		"/apis/serving.knative.dev/v1/services", "/apis/serving.knative.dev/v1/routes", "/apis/eventing.knative.dev/v1/triggers", "/apis/sources.knative.dev/v1/sinkbindings",
		"/apis/keda.sh/v1alpha1/scaledobjects", "/apis/keda.sh/v1alpha1/triggerauthentications",
	} {
		server := c.processes[1]
		if err := server.await(func() error { _, err := c.client.do(http.MethodGet, path, "", nil); return err }); err != nil {
			return err
		}
	}
	return nil
}

// moduleDir returns the folder of the module that a package is from, as the module
// in dir requires it.
func moduleDir(dir, pkg string) (string, error) {
	cmd := exec.Command("go", "list", "-f", "{{.Module.Dir}}", pkg)
	cmd.Dir = dir
	out, err := cmd.Output()
	if failed := new(exec.ExitError); errors.As(err, &failed) {
		err = fmt.Errorf("go list %s: %w\n%s", pkg, err, failed.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}

// namespace makes a namespace for a test.
func (c *cluster) namespace(t *testing.T, name string) string {
	t.Helper()
	if err := c.client.apply(object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}}); err != nil {
		t.Fatal(err)
	}
	return name
}
