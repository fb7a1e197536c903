package manifests

import (
	"crypto/sha256"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Where pods have the configuration. The folder can be written to: the program
// keeps a folder .fairlead beside its configuration.
const (
	configDir  = "/var/lib/fairlead"
	configFile = "fairlead.yaml"
)

// A document is the configuration as pods get it: references as they were written,
// and no secret in clear.
type document struct {
	text string
	tree map[string]any // the same, decoded
}

// reference is a ${…} of a document.
var reference = regexp.MustCompile(`\$\{(env|file|secret):([^}]*)\}`)

// readDocument makes the document, and finds what it reads from the Secret.
func (b *builder) readDocument() error {
	b.secret = newSecretKeys()
	text := reference.ReplaceAllStringFunc(b.cfg.Export(), func(r string) string {
		m := reference.FindStringSubmatch(r)
		if name, _, found := strings.Cut(m[2], ":-"); found && m[1] == "env" && slices.Contains(b.cfg.SecretDefaults(), name) {
			return "${env:" + name + "}" // the default is a secret in clear
		}
		if _, literal := b.cfg.Literal(m[2]); m[1] != "secret" || !literal {
			return r
		}
		name := b.secret.literal(m[2])
		return "${env:" + name + "}"
	})
	b.document.text = text
	if err := yaml.Unmarshal([]byte(text), &b.document.tree); err != nil {
		return fmt.Errorf("read the configuration that was written for pods: %w", err)
	}
	for _, m := range reference.FindAllStringSubmatch(text, -1) {
		switch m[1] {
		case "env":
			name, standIn, optional := strings.Cut(m[2], ":-")
			b.secret.env(name, "the variable", optional && !useless.MatchString(standIn) && !b.isStoreURL(m[0]))
		case "file":
			if err := b.secret.file(m[2]); err != nil {
				return err
			}
		}
	}
	return b.readPaths()
}

// useless are defaults that lead nowhere in a pod: a broker inside the process, or
// on the same machine.
var useless = regexp.MustCompile(`^embedded$|127\.0\.0\.1|localhost|\[::1\]`)

// overridable reports whether the URL of a connection comes from the environment,
// where pods find another than "embedded".
func (b *builder) overridable(connection string) bool {
	return strings.Contains(b.document.at("connections", connection, "url"), "${env:")
}

// at returns a text of the document, or "".
func (d document) at(path ...string) string {
	var value any = d.tree
	for _, key := range path {
		table, _ := value.(map[string]any)
		value = table[key]
	}
	if text, ok := value.(string); ok {
		return text
	}
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

// isStoreURL reports whether a reference is the URL of the store, without which
// pods have none.
func (b *builder) isStoreURL(reference string) bool {
	return strings.Contains(b.document.at("store", "url"), reference)
}

// readPaths finds the files that the document names, such as certificates: those
// beside it come from the Secret, others have to be in the image.
func (b *builder) readPaths() error {
	for _, place := range pathSettings(b.cfg) {
		written, err := filepath.Rel(b.cfg.Dir(), place.path)
		if err != nil || filepath.IsAbs(b.document.at(place.keys...)) {
			b.note("%s names %s: the image has to have that file.", strings.Join(place.keys, "."), place.path)
			continue
		}
		if err := b.secret.file(filepath.ToSlash(written)); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) configMapName() string { return b.options.Name + "-config" }

func (b *builder) addConfigMap() {
	b.add("v1", "ConfigMap", b.configMapName(), object{"data": object{configFile: b.document.text}})
}

// checksum changes with the configuration, so that pods are replaced.
func (b *builder) checksum() string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(b.document.text)))[:16]
}

// inPod returns where a pod has a file of the document.
func inPod(name string) string {
	if path.IsAbs(name) {
		return name
	}
	return path.Join(configDir, name)
}
