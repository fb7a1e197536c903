package dashboard

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
)

// A kind is a section of the configuration whose objects can be edited.
type kind struct {
	Name, One string // as in connections, connection
	Types     []variant
}

// Title is the name as it begins a line.
func (k *kind) Title() string { return strings.ToUpper(k.Name[:1]) + k.Name[1:] }

// A variant is an object of a kind with the given type, or of a kind that has no
// types.
type variant struct {
	Type   string
	Fields []field
}

// kinds are the sections, by name.
type kinds map[string]*kind

// singular are the kinds that can be edited, and what one of them is called.
var singular = map[string]string{
	"bindings": "binding", "connections": "connection", "functions": "function", "security": "security definition", "triggers": "trigger",
}

// A schema is what is needed of a JSON Schema.
type schema struct {
	Ref                  string                   `json:"$ref"`
	Type                 any                      `json:"type"`
	Description          string                   `json:"description"`
	Const                any                      `json:"const"`
	Enum                 []any                    `json:"enum"`
	AnyOf                []*schema                `json:"anyOf"`
	AllOf                []struct{ Then *schema } `json:"allOf"`
	Properties           map[string]*schema       `json:"properties"`
	AdditionalProperties json.RawMessage          `json:"additionalProperties"`
	Items                *schema                  `json:"items"`
	Required             []string                 `json:"required"`
}

// readKinds reads what can be edited from the schema of a configuration.
func readKinds(text []byte) (kinds, error) {
	var root schema
	if err := json.Unmarshal(text, &root); err != nil {
		return nil, err
	}
	all := make(kinds)
	for name, one := range singular {
		section := root.Properties[name]
		if section == nil {
			continue
		}
		item := new(schema)
		if err := json.Unmarshal(section.AdditionalProperties, item); err != nil {
			return nil, err
		}
		k := &kind{Name: name, One: one}
		for _, v := range item.AllOf {
			t, _ := v.Then.Properties["type"].Const.(string)
			delete(v.Then.Properties, "type")
			k.Types = append(k.Types, variant{t, v.Then.fields("", true)})
		}
		if len(item.AllOf) == 0 {
			k.Types = []variant{{"", item.fields("", true)}}
		}
		all[name] = k
	}
	return all, nil
}

// variant returns the fields of a type; nil if there is no such type.
func (k *kind) variant(name string) *variant {
	for i := range k.Types {
		if k.Types[i].Type == name {
			return &k.Types[i]
		}
	}
	return nil
}

// Forms of a field.
const (
	formText   = "text"
	formNumber = "number"
	formSwitch = "switch"
	formChoice = "choice"
	formSecret = "secret"
	formLines  = "lines" // one value each
	formPairs  = "pairs" // name: value each
	formYAML   = "yaml"
)

// A field is one key of an object, in a form.
type field struct {
	Key      string // with dots, as in tls.ca
	Doc      string
	Form     string
	Options  []string
	Required bool
	Common   bool // it is shown at once
}

// common are the keys that most objects need, in the order of the form.
var common = []string{
	"function", "connection", "url", "urls", "address", "channel", "queueManager", "user", "password", "queue", "topic", "http", "schedule", "every",
	"concurrency", "header", "keys", "users", "issuer", "audience", "jwks", "ca", "timeout", "outbox",
}

// secretKeys are the last parts of keys whose values are not shown while one types.
var secretKeys = []string{"password", "keyPassword", "passcode", "token", "secret"}

// fields returns the fields of an object's keys: the common ones first.
func (s *schema) fields(prefix string, required bool) []field {
	var all []field
	for key, p := range s.Properties {
		must := required && slices.Contains(s.Required, key)
		if inner := p.object(); inner != nil {
			all = append(all, inner.fields(prefix+key+".", false)...)
			continue
		}
		f := field{Key: prefix + key, Doc: p.Description, Required: must, Common: prefix == "" && (must || slices.Contains(common, key))}
		f.Form, f.Options = p.form()
		if f.Form == formText && slices.Contains(secretKeys, key) {
			f.Form = formSecret
		}
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b field) int { return cmp.Or(cmp.Compare(a.rank(), b.rank()), strings.Compare(a.Key, b.Key)) })
	return all
}

func (f field) rank() int {
	if i := slices.Index(common, f.Key); i >= 0 {
		return i
	}
	return len(common)
}

// object returns the schema of the keys of an object with known keys.
func (s *schema) object() *schema {
	if len(s.Properties) > 0 {
		return s
	}
	if len(s.AnyOf) > 0 && len(s.AnyOf[0].Properties) > 0 { // or a short form
		return s.AnyOf[0]
	}
	return nil
}

// form returns how a value is entered.
func (s *schema) form() (form string, options []string) {
	switch {
	case strings.HasPrefix(s.Ref, "#/$defs/"):
		return formText, nil
	case len(s.Enum) > 0:
		for _, v := range s.Enum {
			if text, ok := v.(string); ok {
				options = append(options, text)
			}
		}
		return formChoice, options
	case len(s.AnyOf) > 0:
		return s.AnyOf[0].form()
	case s.Items != nil:
		return formLines, nil
	case len(s.AdditionalProperties) > 0 && string(s.AdditionalProperties) != "false":
		return formPairs, nil
	}
	switch s.Type {
	case "boolean":
		return formSwitch, nil
	case "integer", "number":
		return formNumber, nil
	}
	return formYAML, nil
}
