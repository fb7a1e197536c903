package drivers_test

import (
	"reflect"
	"regexp"
	"testing"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/drivers"
)

// secrets are keys whose values must never be shown.
var secrets = regexp.MustCompile(`(?i)password|passcode|secret|token`)

// TestSettingsAreDescribed checks what package config relies on: each key has a
// name that starts small and a doc, and a secret says that it is one.
func TestSettingsAreDescribed(t *testing.T) {
	for name, driver := range drivers.All() {
		t.Run(name, func(t *testing.T) {
			for _, settings := range []any{driver.Connection(), driver.Source(), driver.Target()} {
				described(t, reflect.TypeOf(settings).Elem())
			}
			for _, settings := range []any{driver.Source(), driver.Target()} {
				if _, ok := settings.(connections.Addressed); !ok {
					t.Errorf("%T is not an Addressed", settings)
				}
			}
			if driver.Open == nil {
				t.Error("got no Open")
			}
		})
	}
}

var key = regexp.MustCompile(`^[a-z][A-Za-z0-9]*(,omitempty)?$`)

func described(t *testing.T, s reflect.Type) {
	t.Helper()
	for f := range s.Fields() {
		tag := f.Tag.Get("yaml")
		switch {
		case tag == "-" || !f.IsExported():
			continue
		case tag == ",inline":
			described(t, f.Type)
			continue
		case !key.MatchString(tag):
			t.Errorf("%s.%s: got yaml tag %q, want a key, \",inline\" or \"-\"", s, f.Name, tag)
		case f.Tag.Get("doc") == "":
			t.Errorf("%s.%s has no doc tag", s, f.Name)
		}
		if secrets.MatchString(f.Name) && f.Type.Kind() == reflect.String && f.Tag.Get("secret") == "" {
			t.Errorf("%s.%s has no secret tag", s, f.Name)
		}
		nested(t, f.Type)
	}
}

// nested describes the fields of settings that are made of others.
func nested(t *testing.T, s reflect.Type) {
	t.Helper()
	if s.Kind() == reflect.Pointer {
		s = s.Elem()
	}
	if s.Kind() == reflect.Struct {
		described(t, s)
	}
}
