package cluster

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A scalerSchema is what KEDA says that one of its scalers takes.
type scalerSchema struct {
	Type       string
	Parameters []struct {
		Name     string
		Optional bool
		Default  string
		Metadata bool `json:"metadataVariableReadable"`
		Auth     bool `json:"triggerAuthenticationVariableReadable"`
	}
}

// scalerSchemas reads what KEDA's own module has of them.
func scalerSchemas(t *testing.T) map[string]scalerSchema {
	t.Helper()
	module, err := moduleDir("keda", "github.com/kedacore/keda/v2/cmd/operator")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(module, "schema", "generated", "scalers-schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Scalers []scalerSchema }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	all := make(map[string]scalerSchema)
	for _, s := range file.Scalers {
		all[s.Type] = s
	}
	return all
}

// checkScalers checks the metadata of all ScaledObjects, and the parameters of
// their TriggerAuthentications, against KEDA's schema: the API server takes any.
func checkScalers(t *testing.T, schemas map[string]scalerSchema, objects []object) {
	t.Helper()
	authentications := make(map[string][]string)
	for _, o := range objects {
		refs, _ := o.at("spec", "secretTargetRef").([]any)
		for _, ref := range refs {
			name := o.text("metadata", "name")
			authentications[name] = append(authentications[name], object(ref.(map[string]any)).text("parameter"))
		}
	}
	for _, o := range objects {
		triggers, _ := o.at("spec", "triggers").([]any)
		for _, trigger := range triggers {
			trigger := object(trigger.(map[string]any))
			metadata, _ := trigger.at("metadata").(map[string]any)
			checkScaler(t, schemas[trigger.text("type")], slices.Sorted(maps.Keys(metadata)), authentications[trigger.text("authenticationRef", "name")])
		}
	}
}

func checkScaler(t *testing.T, s scalerSchema, metadata, auth []string) {
	t.Helper()
	if s.Type == "" {
		t.Error("a scaler is of a type that KEDA does not have")
	}
	var known, parameters []string
	for _, p := range s.Parameters {
		if p.Metadata {
			known = append(known, p.Name)
		}
		if p.Auth {
			parameters = append(parameters, p.Name)
		}
		alias := strings.TrimSuffix(p.Name, "s") // queueNames is queueName
		if !p.Optional && p.Default == "" && !slices.Contains(metadata, alias) && !slices.Contains(metadata, p.Name) && !slices.Contains(auth, p.Name) {
			t.Errorf("%s: nobody says %s", s.Type, p.Name)
		}
	}
	for _, name := range metadata {
		if !slices.Contains(known, name) && s.Type != "external" { // whose other metadata is the external scaler's
			t.Errorf("%s has no metadata %s", s.Type, name)
		}
	}
	for _, name := range auth {
		if !slices.Contains(parameters, name) {
			t.Errorf("%s has no parameter %s", s.Type, name)
		}
	}
}
