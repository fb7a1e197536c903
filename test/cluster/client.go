package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// A client talks to the API server.
type client struct {
	server string
	http   *http.Client
}

// An object is one of Kubernetes', as JSON has it.
type object map[string]any

// at returns a part of an object, or nil. A number is an index of a list.
func (o object) at(path ...any) any {
	var value any = map[string]any(o)
	for _, key := range path {
		switch k := key.(type) {
		case string:
			table, _ := value.(map[string]any)
			value = table[k]
		case int:
			list, _ := value.([]any)
			if k >= len(list) {
				return nil
			}
			value = list[k]
		}
	}
	return value
}

func (o object) text(path ...any) string { s, _ := o.at(path...).(string); return s }

// errNotFound is what the API server says of an object that is not there.
var errNotFound = errors.New("not found")

// do makes a request, and returns the answer.
func (c *client) do(method, path, contentType string, body []byte) ([]byte, error) {
	request, err := http.NewRequest(method, c.server+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept", "application/json")
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		var status struct{ Message string }
		if json.Unmarshal(answer, &status) != nil || status.Message == "" {
			status.Message = string(answer)
		}
		if response.StatusCode == http.StatusNotFound {
			return nil, fmt.Errorf("%s %s: %w: %s", method, path, errNotFound, status.Message)
		}
		return nil, errors.New(status.Message)
	}
	return answer, nil
}

// plurals are the kinds of objects that the tests use, as paths have them.
var plurals = map[string]string{
	"ConfigMap": "configmaps", "CustomResourceDefinition": "customresourcedefinitions", "APIService": "apiservices", "Namespace": "namespaces",
	"Deployment": "deployments", "Route": "routes", "NetworkPolicy": "networkpolicies", "Pod": "pods", "PodDisruptionBudget": "poddisruptionbudgets",
	"ScaledObject": "scaledobjects", "Secret": "secrets", "Service": "services", "SinkBinding": "sinkbindings", "Trigger": "triggers",
	"TriggerAuthentication": "triggerauthentications", "HorizontalPodAutoscaler": "horizontalpodautoscalers",
}

// path returns where the API server has an object.
func (o object) path() string {
	prefix := "/apis/"
	if o.text("apiVersion") == "v1" {
		prefix = "/api/"
	}
	path := prefix + o.text("apiVersion")
	if namespace := o.text("metadata", "namespace"); namespace != "" {
		path += "/namespaces/" + namespace
	}
	return path + "/" + plurals[o.text("kind")] + "/" + o.text("metadata", "name")
}

// apply creates or changes an object. query is added to the request, such as
// dryRun=All. A field that nobody knows is an error.
func (c *client) apply(o object, query ...string) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	if plurals[o.text("kind")] == "" {
		return fmt.Errorf("%s is a kind that the tests do not know", o.text("kind"))
	}
	query = append(query, "fieldManager=test", "force=true", "fieldValidation=Strict")
	_, err = c.do(http.MethodPatch, o.path()+"?"+strings.Join(query, "&"), "application/apply-patch+yaml", body)
	return err
}

// applyFile applies the objects in a file.
func (c *client) applyFile(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		var o object
		if err := yaml.Unmarshal([]byte(document), &o); err != nil {
			return err
		}
		if o == nil {
			continue
		}
		if err := c.apply(o); err != nil {
			return err
		}
	}
	return nil
}

// get reads an object again.
func (c *client) get(o object) (object, error) {
	answer, err := c.do(http.MethodGet, o.path(), "", nil)
	if err != nil {
		return nil, err
	}
	var now object
	return now, json.Unmarshal(answer, &now)
}

// named returns what is enough to get an object.
func named(apiVersion, kind, namespace, name string) object {
	return object{"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"namespace": namespace, "name": name}}
}

// tick is how often a test looks.
const tick = 100 * time.Millisecond
