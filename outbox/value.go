package outbox

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/types"
)

// Headers and properties keep their types in the store. In JSON, strings and
// booleans stand for themselves, and everything else is an object with one
// member, named after the type: {"int32": "5"}. Numbers are strings in there, so
// that nothing rounds them.

// storeValue returns the JSON form of v. What has no form is kept as its text.
func storeValue(v any) any {
	switch v := v.(type) {
	case nil, bool:
		return v
	case string:
		return storeString(v)
	case []byte:
		return typed("bytes", base64.StdEncoding.EncodeToString(v))
	case time.Time:
		return storeTime(v)
	case types.Timestamp:
		return storeTime(v.Time)
	case types.URI:
		return typed("uri", v.String())
	case types.URIRef:
		return typed("uriref", v.String())
	case *url.URL:
		return typed("uri", v.String())
	case map[string]any:
		return typed("map", storeValues(v))
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = storeValue(e)
		}
		return typed("list", list)
	}
	return storeKind(reflect.ValueOf(v))
}

// storeKind stores a value by what it is made of, such as a driver's own types.
func storeKind(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Bool:
		return v.Bool()
	case reflect.String:
		return storeString(v.String())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return typed(v.Kind().String(), strconv.FormatInt(v.Int(), 10))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return typed(v.Kind().String(), strconv.FormatUint(v.Uint(), 10))
	case reflect.Float32, reflect.Float64:
		return typed(v.Kind().String(), strconv.FormatFloat(v.Float(), 'g', -1, v.Type().Bits()))
	case reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 && v.Len() == 16 {
			var id [16]byte
			reflect.Copy(reflect.ValueOf(&id).Elem(), v)
			return typed("uuid", hex.EncodeToString(id[:]))
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return typed("bytes", base64.StdEncoding.EncodeToString(v.Bytes()))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			return storeValue(v.Elem().Interface())
		}
		return nil
	}
	return storeString(fmt.Sprint(v.Interface()))
}

// storeTime keeps a time that cannot be read again as its text.
func storeTime(t time.Time) any {
	t = t.UTC()
	if !writable(t) {
		return t.String()
	}
	return typed("time", t.Format(time.RFC3339Nano))
}

// writable reports whether RFC 3339, and so JSON, has a form for t.
func writable(t time.Time) bool { return t.Year() >= 0 && t.Year() <= 9999 }

// storeString keeps what Postgres cannot hold as text: NUL and invalid UTF-8.
func storeString(s string) any {
	if storable(s) {
		return s
	}
	return typed("string", base64.StdEncoding.EncodeToString([]byte(s)))
}

// storable reports whether Postgres can hold s as text.
func storable(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// printable returns s as text that Postgres can hold, at most n bytes of it.
func printable(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

func typed(name string, v any) map[string]any { return map[string]any{name: v} }

// storeValues returns the JSON form of a map; its keys are kept as they are,
// with what Postgres cannot hold replaced.
func storeValues(m map[string]any) map[string]any {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[printable(k, len(k))] = storeValue(v)
	}
	return out
}

// loadValues is the inverse of storeValues.
func loadValues(m map[string]any) (map[string]any, error) {
	if len(m) == 0 {
		return nil, nil
	}
	out := make(map[string]any, len(m))
	for k, v := range m {
		loaded, err := loadValue(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		out[k] = loaded
	}
	return out, nil
}

func loadValue(v any) (any, error) {
	object, ok := v.(map[string]any)
	if !ok {
		switch v.(type) {
		case nil, bool, string:
			return v, nil
		}
		return nil, fmt.Errorf("found %T, expected a string, a boolean or an object with a type", v)
	}
	if len(object) != 1 {
		return nil, fmt.Errorf("found %d members, expected one, named after the type", len(object))
	}
	for name, v := range object {
		return loadTyped(name, v)
	}
	panic("unreachable")
}

func loadTyped(name string, v any) (any, error) {
	switch v := v.(type) {
	case string:
		return loadText(name, v)
	case map[string]any:
		if name == "map" {
			return loadValues(v)
		}
	case []any:
		if name == "list" {
			return loadList(v)
		}
	case nil:
		if name == "map" {
			return map[string]any(nil), nil
		}
	}
	return nil, fmt.Errorf("found %T for type %q", v, name)
}

func loadList(v []any) (any, error) {
	list := make([]any, len(v))
	for i, e := range v {
		var err error
		if list[i], err = loadValue(e); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func loadText(name, s string) (any, error) {
	switch name {
	case "string":
		b, err := base64.StdEncoding.DecodeString(s)
		return string(b), err
	case "bytes":
		return base64.StdEncoding.DecodeString(s)
	case "time":
		return time.Parse(time.RFC3339Nano, s)
	case "uri":
		u, err := url.Parse(s)
		if err != nil {
			return nil, err
		}
		return types.URI{URL: *u}, nil
	case "uriref":
		u, err := url.Parse(s)
		if err != nil {
			return nil, err
		}
		return types.URIRef{URL: *u}, nil
	case "uuid":
		var id [16]byte
		if n, err := hex.Decode(id[:], []byte(s[:min(len(s), 32)])); err != nil || n != 16 || len(s) != 32 {
			return nil, fmt.Errorf("found uuid %q, expected 32 hexadecimal digits", s)
		}
		return id, nil
	}
	return loadNumber(name, s)
}

func loadNumber(name, s string) (any, error) {
	switch name {
	case "int":
		return strconv.Atoi(s)
	case "int8":
		n, err := strconv.ParseInt(s, 10, 8)
		return int8(n), err
	case "int16":
		n, err := strconv.ParseInt(s, 10, 16)
		return int16(n), err
	case "int32":
		n, err := strconv.ParseInt(s, 10, 32)
		return int32(n), err
	case "int64":
		return strconv.ParseInt(s, 10, 64)
	case "uint":
		n, err := strconv.ParseUint(s, 10, 0)
		return uint(n), err
	case "uint8":
		n, err := strconv.ParseUint(s, 10, 8)
		return uint8(n), err
	case "uint16":
		n, err := strconv.ParseUint(s, 10, 16)
		return uint16(n), err
	case "uint32":
		n, err := strconv.ParseUint(s, 10, 32)
		return uint32(n), err
	case "uint64":
		return strconv.ParseUint(s, 10, 64)
	case "float32":
		f, err := strconv.ParseFloat(s, 32)
		return float32(f), err
	case "float64":
		return strconv.ParseFloat(s, 64)
	}
	return nil, fmt.Errorf("unknown type %q", name)
}
