package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// TestDeploy deploys a function by the real func CLI: the image goes to a registry
// in memory, and the objects to the cluster. There are no nodes, so that the test
// says that the pods are ready; that the image runs is not shown here.
func TestDeploy(t *testing.T) {
	c := control(t)
	namespace := c.namespace(t, "deploy")
	images := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(images.Close)
	at := strings.Replace(strings.TrimPrefix(images.URL, "http://"), "127.0.0.1", "localhost", 1)
	dir := filepath.Join(t.TempDir(), "hello")
	if err := os.CopyFS(dir, os.DirFS("../../templates/go/http")); err != nil {
		t.Fatal(err)
	}
	rewrite(t, filepath.Join(dir, "func.yaml"), "name: http", "name: hello")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	marked := make(chan error, 1)
	go func() { marked <- c.markPods(ctx, namespace) }()
	cmd := exec.CommandContext(t.Context(), c.program("fairlead"), "deploy", "-f", filepath.Join(dir, "fairlead.yaml"), "-n", namespace, "--registry", at+"/test",
		"--", "--deployer=raw")
	cmd.Env = append(os.Environ(), deployEnv(t, c)...)
	out, err := cmd.CombinedOutput()
	stop()
	if err := <-marked; err != nil {
		t.Error(err)
	}
	if err != nil {
		t.Fatalf("fairlead deploy: %v\n%s", err, out)
	}
	t.Logf("%s", out)
	deployment, err := c.client.get(named("apps/v1", "Deployment", namespace, "hello"))
	if err != nil {
		t.Fatal(err)
	}
	image, _ := deployment.at("spec", "template", "spec", "containers", 0).(map[string]any)["image"].(string)
	if !strings.HasPrefix(image, at+"/test/hello") {
		t.Errorf("the Deployment runs %q, want what was pushed to %s", image, at)
	}
	for _, kind := range []object{named("networking.k8s.io/v1", "NetworkPolicy", namespace, "hello"), named("policy/v1", "PodDisruptionBudget", namespace, "hello")} {
		if _, err := c.client.get(kind); err != nil {
			t.Error(err)
		}
	}
	if tags := answer(t, images.URL+"/v2/test/hello/tags/list"); !strings.Contains(tags, `"tags":["`) {
		t.Errorf("the registry has %s, want an image", tags)
	}
}

// deployEnv is the environment of a person who deploys: kubectl and func are on the
// path, and the module that is not published yet comes from a file proxy.
func deployEnv(t *testing.T, c *cluster) []string {
	t.Helper()
	proxy := filepath.Join(t.TempDir(), "proxy")
	output(t, "../../tools", "go", "run", "./goproxy", "-o", proxy)
	cache, upstream := output(t, ".", "go", "env", "GOMODCACHE"), output(t, ".", "go", "env", "GOPROXY")
	bin := t.TempDir()
	if err := os.Symlink(funcCLI(t), filepath.Join(bin, "func")); err != nil {
		t.Fatal(err)
	}
	return []string{
		"PATH=" + strings.Join(append([]string{bin}, append(c.path, os.Getenv("PATH"))...), string(filepath.ListSeparator)),
		"KUBECONFIG=" + c.kubeconfig, "XDG_CONFIG_HOME=" + t.TempDir(), "FAIRLEAD_CONFIG=",
		"GOPROXY=file://" + proxy + ",file://" + filepath.Join(cache, "cache", "download") + "," + upstream,
		"GOMODCACHE=" + filepath.Join(t.TempDir(), "modules"), "GONOSUMDB=github.com/fairlead/fairlead", "GOFLAGS=-modcacherw -trimpath",
	}
}

// funcCLI returns Knative's func of the version that tools pins. test/knative
// keeps it at the same place.
func funcCLI(t *testing.T) string {
	t.Helper()
	version := output(t, "../../tools", "go", "list", "-m", "-f", "{{.Version}}", "knative.dev/func")
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(cache, "fairlead", "func-"+version)
	if isFile(program) {
		return program
	}
	building := fmt.Sprint(program, ".", os.Getpid())
	output(t, "../../tools", "go", "build", "-trimpath", "-ldflags=-s -w", "-o", building, "knative.dev/func/cmd/func")
	if err := os.Rename(building, program); err != nil {
		t.Fatal(err)
	}
	return program
}

// output runs a program that must succeed, and returns what it prints.
func output(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, &said)
	}
	return strings.TrimSpace(string(out))
}

func rewrite(t *testing.T, path, from, to string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(from)) {
		t.Fatalf("%s has no %q", path, from)
	}
	if err := os.WriteFile(path, bytes.Replace(text, []byte(from), []byte(to), 1), 0o644); err != nil {
		t.Fatal(err)
	}
}

func answer(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// markPods says of every pod in a namespace that it is ready, as a node would,
// until ctx ends.
func (c *cluster) markPods(ctx context.Context, namespace string) error {
	return c.standIn(ctx, "/api/v1/namespaces/"+namespace+"/pods", func(pod object) error {
		if pod.text("status", "phase") == "Running" {
			return nil
		}
		ready := []any{map[string]any{"type": "Ready", "status": "True"}, map[string]any{"type": "ContainersReady", "status": "True"}}
		return c.patchStatus(named("v1", "Pod", namespace, pod.text("metadata", "name")), map[string]any{"phase": "Running", "conditions": ready})
	})
}

// standIn does to every object in a list of the API server what those would do who
// are not here, until ctx ends.
func (c *cluster) standIn(ctx context.Context, list string, act func(object) error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(tick):
		}
		text, err := c.client.do(http.MethodGet, list, "", nil)
		if err != nil {
			return err
		}
		var found struct{ Items []object }
		if err := json.Unmarshal(text, &found); err != nil {
			return err
		}
		for _, o := range found.Items {
			if err := act(o); err != nil {
				return err
			}
		}
	}
}
