package manifests

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A Secret says what the Secret of a Set has to hold, sorted by key.
type Secret []SecretKey

// A SecretKey is one entry of the Secret.
type SecretKey struct {
	Key      string
	Means    string // what it holds
	Optional bool   // the configuration has a default for it
	File     string // it is the content of this file of the configuration
}

// secretKeys collects what the Secret has to hold.
type secretKeys struct {
	keys map[string]SecretKey
	vars map[string]bool // keys that are variables of the environment
}

func newSecretKeys() *secretKeys {
	return &secretKeys{keys: make(map[string]SecretKey), vars: make(map[string]bool)}
}

func (s *secretKeys) result() Secret {
	return slices.SortedFunc(maps.Values(s.keys), func(a, b SecretKey) int { return cmp.Compare(a.Key, b.Key) })
}

// env adds a variable of the environment.
func (s *secretKeys) env(name, means string, optional bool) {
	s.vars[name] = true
	s.add(SecretKey{Key: name, Means: means, Optional: optional})
}

// literal adds a secret that stands in clear at a place of the document, and
// returns the variable that takes its place.
func (s *secretKeys) literal(place string) (name string) {
	means := "what stands in " + place
	name = strings.Trim(notWord.ReplaceAllString(strings.ToUpper(place), "_"), "_")
	for s.keys[name].Key != "" && s.keys[name].Means != means {
		name += "_"
	}
	s.env(name, means, false)
	return name
}

var notWord = regexp.MustCompile(`[^A-Z0-9]+`)

// add adds a key; one that somebody cannot do without stays so.
func (s *secretKeys) add(k SecretKey) {
	if before, ok := s.keys[k.Key]; ok {
		k.Optional = k.Optional && before.Optional
		k.Means = before.Means
	}
	s.keys[k.Key] = k
}

// file adds a file that the configuration refers to by a path.
func (s *secretKeys) file(name string) error {
	name = path.Clean(filepath.ToSlash(name))
	if !path.IsAbs(name) && !filepath.IsLocal(name) {
		return fmt.Errorf("the configuration refers to the file %s, expected one in its folder or below, or a full path", name)
	}
	key := strings.Trim(notKey.Replace(name), "_.")
	if before, ok := s.keys[key]; ok && before.File != name {
		return fmt.Errorf("the configuration refers to the files %s and %s, expected names that differ in more than slashes", before.File, name)
	}
	s.add(SecretKey{Key: key, Means: "the file", File: name})
	return nil
}

// notKey replaces what the key of a Secret cannot have.
var notKey = strings.NewReplacer("/", "_", " ", "_")

// environment returns the variables of a container.
func (b *builder) environment() list {
	env := list{object{"name": "FAIRLEAD_CONFIG", "value": inPod(configFile)}}
	for _, name := range slices.Sorted(maps.Keys(b.secret.vars)) {
		from := object{"name": b.options.Secret, "key": name}
		if b.secret.keys[name].Optional {
			from["optional"] = true
		}
		env = append(env, object{"name": name, "valueFrom": object{"secretKeyRef": from}})
	}
	return env
}

// Names of volumes.
const (
	stateVolume  = "state"
	tempVolume   = "tmp"
	configVolume = "config"
	filesVolume  = "files"
)

// volumes returns what a pod mounts: a folder to write to, the configuration in
// it, the files that this refers to, and a /tmp for functions.
func (b *builder) volumes() (volumes, mounts list) {
	volumes = list{
		object{"name": stateVolume, "emptyDir": object{"sizeLimit": "64Mi"}},
		object{"name": tempVolume, "emptyDir": object{"sizeLimit": "64Mi"}},
		object{"name": configVolume, "configMap": object{"name": b.configMapName()}},
	}
	mounts = list{
		object{"name": stateVolume, "mountPath": configDir},
		object{"name": tempVolume, "mountPath": "/tmp"},
		object{"name": configVolume, "mountPath": inPod(configFile), "subPath": configFile, "readOnly": true},
	}
	var items list
	for _, k := range b.secret.result() {
		if k.File == "" {
			continue
		}
		items = append(items, object{"key": k.Key, "path": k.Key})
		mounts = append(mounts, object{"name": filesVolume, "mountPath": inPod(k.File), "subPath": k.Key, "readOnly": true})
	}
	if items != nil {
		volumes = append(volumes, object{"name": filesVolume, "secret": object{"secretName": b.options.Secret, "items": items}})
	}
	return volumes, mounts
}
