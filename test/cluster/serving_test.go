package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

const password = "a password that must not be anywhere"

// TestDeployKnative deploys functions as Knative Services by the real func CLI, which
// waits until they are ready: a goroutine of the test, which stands in for Knative
// Serving's controllers, says that they are.
func TestDeployKnative(t *testing.T) {
	c := control(t)
	namespace := c.namespace(t, "deploy-knative")
	images := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(images.Close)
	at := strings.Replace(strings.TrimPrefix(images.URL, "http://"), "127.0.0.1", "localhost", 1)
	env := append(os.Environ(), append(deployEnv(t, c), "STOMP_PASSWORD="+password)...)
	ctx, cancel := context.WithCancelCause(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() { cancel(c.standInForServing(ctx, namespace)) })
	t.Cleanup(func() {
		cancel(nil)
		serving.Wait()
	})

	t.Run("fairlead deploy", func(t *testing.T) {
		dir := function(t, "http", "greeter")
		rewrite(t, filepath.Join(dir, "fairlead.yaml"), "functions:\n", `connections:
  broker: {type: stomp, url: "stomp://broker:61613", user: app, password: "${env:STOMP_PASSWORD}"}
bindings:
  out: {connection: broker}
functions:
`)
		if err := c.client.apply(secret(namespace, "greeter", map[string]string{"STOMP_PASSWORD": password})); err != nil {
			t.Fatal(err)
		}
		deploy(ctx, t, dir, env, c.program("fairlead"), "deploy", "-f", filepath.Join(dir, "fairlead.yaml"), "-n", namespace, "--registry", at+"/test")
		service := c.service(t, namespace, "greeter", at)
		container := object(service.at("spec", "template", "spec", "containers", 0).(map[string]any))
		if key := variable(container, "STOMP_PASSWORD").at("valueFrom", "secretKeyRef"); key == nil {
			t.Errorf("got the environment %v, want the password from the Secret", container.at("env"))
		}
		for _, kind := range []object{named("networking.k8s.io/v1", "NetworkPolicy", namespace, "greeter"), named("policy/v1", "PodDisruptionBudget", namespace, "greeter")} {
			if _, err := c.client.get(kind); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("func deploy", func(t *testing.T) { // again, to show that what is there is replaced
		dir := function(t, "stomp-trigger", "puller")
		for range 2 {
			deploy(ctx, t, dir, append(env, "GOFLAGS=-modcacherw -trimpath -mod=mod"), filepath.Join(binOf(env), "func"),
				"deploy", "--builder=host", "--namespace", namespace, "--registry", at+"/test", "--env", "STOMP_PASSWORD={{ secret:greeter:STOMP_PASSWORD }}")
			service := c.service(t, namespace, "puller", at)
			if least := service.text("spec", "template", "metadata", "annotations", "autoscaling.knative.dev/min-scale"); least != "1" {
				t.Errorf("got the least number of replicas %q, want 1: nothing wakes what pulls its messages", least)
			}
		}
	})
}

// TestDeployWithoutLogin names a registry that wants to know who pushes: nothing is
// left in the cluster or in the folder.
func TestDeployWithoutLogin(t *testing.T) {
	c := control(t)
	namespace := c.namespace(t, "deploy-without-login")
	locked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(locked.Close)
	at := strings.Replace(strings.TrimPrefix(locked.URL, "http://"), "127.0.0.1", "localhost", 1)
	dir := function(t, "http", "stranger")
	cmd := exec.CommandContext(t.Context(), c.program("fairlead"), "deploy", "-f", filepath.Join(dir, "fairlead.yaml"), "-n", namespace, "--registry", at+"/test")
	cmd.Env = append(os.Environ(), append(deployEnv(t, c), "DOCKER_CONFIG="+t.TempDir())...)
	before, err := os.ReadFile(filepath.Join(dir, "func.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.CombinedOutput()
	if want := "fairlead: the registry " + at + " refused the image: log in with \"docker login " + at + "\""; err == nil || !strings.Contains(string(out), want) {
		t.Errorf("got %v and\n%s\nwant %s", err, out, want)
	}
	if after, err := os.ReadFile(filepath.Join(dir, "func.yaml")); err != nil || string(after) != string(before) {
		t.Errorf("func.yaml: %v, got\n%s\nwant what it was", err, after)
	}
	if _, err := c.client.get(named("serving.knative.dev/v1", "Service", namespace, "stranger")); !errors.Is(err, errNotFound) {
		t.Errorf("the Service: got %v, want none", err)
	}
}

// function copies a template to a folder, under another name.
func function(t *testing.T, template, name string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(dir, os.DirFS("../../templates/go/"+template)); err != nil {
		t.Fatal(err)
	}
	rewrite(t, filepath.Join(dir, "func.yaml"), "name: "+template, "name: "+name)
	return dir
}

// deploy runs a program that deploys; ctx ends when nobody says that anything is ready.
func deploy(ctx context.Context, t *testing.T, dir string, env []string, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = dir, env
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it may have children
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v, %v\n%s", args[0], err, context.Cause(ctx), out)
	}
	if strings.Contains(string(out), password) {
		t.Errorf("the output has the password:\n%s", out)
	}
	t.Logf("%s", out)
}

// binOf returns the first folder of the PATH.
func binOf(env []string) (dir string) {
	for _, v := range env {
		if path, ok := strings.CutPrefix(v, "PATH="); ok {
			dir = filepath.SplitList(path)[0]
		}
	}
	return dir
}

// service returns a Knative Service, after a look at what each must have.
func (c *cluster) service(t *testing.T, namespace, app, registry string) object {
	t.Helper()
	service, err := c.client.get(named("serving.knative.dev/v1", "Service", namespace, app))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(service); err != nil || strings.Contains(string(text), password) {
		t.Errorf("the Service shows the password: %v %s", err, text)
	}
	container := object(service.at("spec", "template", "spec", "containers", 0).(map[string]any))
	image := container.text("image")
	if !strings.HasPrefix(image, registry+"/test/"+app) || !strings.Contains(image, "@sha256:") {
		t.Errorf("the Service runs %q, want what was pushed to %s, by its digest", image, registry)
	}
	for probe, path := range map[string]string{"readinessProbe": "/health/readiness", "livenessProbe": "/health/liveness"} {
		if got := container.text(probe, "httpGet", "path"); got != path {
			t.Errorf("%s asks %q, want %q", probe, got, path)
		}
	}
	if err := validate(service.without("status")); err != nil {
		t.Errorf("Knative's own validation: %v", err)
	}
	checkImage(t, image)
	return service
}

// without returns an object as somebody wrote it, without a part of it.
func (o object) without(key string) object {
	rest := make(object)
	for k, v := range o {
		if k != key {
			rest[k] = v
		}
	}
	return rest
}

// checkImage checks that the configurations of an image in the registry, one for each
// processor, say nothing secret.
func checkImage(t *testing.T, image string) {
	t.Helper()
	repository, digest, _ := strings.Cut(image, "@")
	host, repository, _ := strings.Cut(repository, "/")
	base := "http://" + host + "/v2/" + repository
	index := parse(t, answer(t, base+"/manifests/"+digest))
	manifests, _ := index.at("manifests").([]any)
	if len(manifests) == 0 {
		t.Errorf("%s has no manifests: %v", image, index)
	}
	for _, m := range manifests {
		manifest := parse(t, answer(t, base+"/manifests/"+object(m.(map[string]any)).text("digest")))
		config := answer(t, base+"/blobs/"+manifest.text("config", "digest"))
		if strings.Contains(config, password) || !strings.Contains(config, `"/func/f"`) {
			t.Errorf("the image's configuration is %s, want the function's program and no password", config)
		}
	}
}

func parse(t *testing.T, text string) object {
	t.Helper()
	var o object
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return o
}

// variable returns a variable of a container's environment.
func variable(container object, name string) object {
	all, _ := container.at("env").([]any)
	for _, v := range all {
		if v := object(v.(map[string]any)); v.text("name") == name {
			return v
		}
	}
	return nil
}

// standInForServing says of every Knative Service in a namespace that it is ready, and
// makes the Route that it would have, until ctx ends. It stands in for Knative
// Serving's controllers: no Revision is made, and nothing runs.
func (c *cluster) standInForServing(ctx context.Context, namespace string) error {
	return c.standIn(ctx, "/apis/serving.knative.dev/v1/namespaces/"+namespace+"/services", func(s object) error {
		if s.at("metadata", "generation") == s.at("status", "observedGeneration") {
			return nil
		}
		return c.markService(namespace, s)
	})
}

// markService says that a Knative Service is ready as it is now.
func (c *cluster) markService(namespace string, s object) error {
	app := s.text("metadata", "name")
	route := named("serving.knative.dev/v1", "Route", namespace, app)
	route["spec"] = map[string]any{"traffic": []any{map[string]any{"latestRevision": true, "percent": 100}}}
	if err := c.client.apply(route); err != nil {
		return err
	}
	ready := map[string]any{"url": "http://" + app + "." + namespace + ".example.com", "conditions": []any{map[string]any{"type": "Ready", "status": "True"}}}
	if err := c.patchStatus(route, ready); err != nil {
		return err
	}
	ready["observedGeneration"] = s.at("metadata", "generation")
	ready["latestCreatedRevisionName"], ready["latestReadyRevisionName"] = app+"-00001", app+"-00001"
	return c.patchStatus(named("serving.knative.dev/v1", "Service", namespace, app), ready)
}

func (c *cluster) patchStatus(o object, status map[string]any) error {
	body, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return err
	}
	_, err = c.client.do(http.MethodPatch, o.path()+"/status", "application/merge-patch+json", body)
	return err
}
