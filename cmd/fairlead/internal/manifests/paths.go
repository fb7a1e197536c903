package manifests

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/framework/config"
)

// A pathSetting is a setting that names a file.
type pathSetting struct {
	keys []string // where it stands in the document
	path string   // as the program sees it
}

// pathSettings returns the settings of a configuration that name files: those of
// connections, of HTTP and of security, tagged path:"true".
func pathSettings(cfg *config.Config) []pathSetting {
	var found []pathSetting
	for _, name := range slices.Sorted(maps.Keys(cfg.Connections)) {
		found = append(found, pathsIn(reflect.ValueOf(cfg.Connections[name].Settings), "connections", name)...)
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Security)) {
		found = append(found, pathsIn(reflect.ValueOf(cfg.Security[name].Settings), "security", name)...)
	}
	return append(found, pathsIn(reflect.ValueOf(cfg.HTTP), "http")...)
}

func pathsIn(v reflect.Value, keys ...string) []pathSetting {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return nil
	}
	var found []pathSetting
	for field, value := range v.Fields() {
		if !field.IsExported() {
			continue
		}
		key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		inner := append(slices.Clone(keys), key)
		if field.Tag.Get("path") == "true" && value.Kind() == reflect.String {
			if path := fmt.Sprint(value); path != "" {
				found = append(found, pathSetting{inner, path})
			}
			continue
		}
		found = append(found, pathsIn(value, inner...)...)
	}
	return found
}
