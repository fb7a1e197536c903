package amqp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/Azure/go-amqp"
)

// jsonType is the content type of a body that became JSON.
const jsonType = "application/json"

// A body is the body of a message in terms that all brokers share.
type body struct {
	bytes []byte
	text  bool
	json  bool // it was neither bytes nor text, and became JSON
}

// bodyOf returns the body of m.
func bodyOf(m *amqp.Message) (body, error) {
	switch {
	case len(m.Data) == 1:
		return body{bytes: m.Data[0], text: m.Annotations[jmsMessageType] == jmsText}, nil
	case len(m.Data) > 1:
		return body{bytes: bytes.Join(m.Data, nil), text: m.Annotations[jmsMessageType] == jmsText}, nil
	case m.Sequence != nil:
		return jsonBody(slices.Concat(m.Sequence...)) // several sections are one sequence
	}
	switch v := m.Value.(type) {
	case nil:
		return body{text: m.Annotations[jmsMessageType] == jmsText}, nil
	case string:
		return body{bytes: []byte(v), text: true}, nil
	case []byte:
		return body{bytes: v}, nil
	}
	return jsonBody(m.Value)
}

func jsonBody(v any) (body, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(jsonValue(v)); err != nil {
		return body{}, fmt.Errorf("body as JSON: %w", err)
	}
	return body{bytes: bytes.TrimSuffix(out.Bytes(), []byte("\n")), text: true, json: true}, nil
}

// jsonValue returns v made of what package json encodes as we want it.
func jsonValue(v any) any {
	switch v := v.(type) {
	case nil, bool, string, []byte, int8, int16, int32, int64, uint8, uint16, uint32, uint64:
		return v
	case float32:
		return jsonFloat(float64(v), v)
	case float64:
		return jsonFloat(v, v)
	case map[string]any:
		return jsonMap(v)
	case map[any]any:
		return jsonMap(v)
	case time.Time:
		return jsonKey(v)
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Slice: // a list, or an array of one type
		list := make([]any, r.Len())
		for i := range list {
			list[i] = jsonValue(r.Index(i).Interface())
		}
		return list
	case reflect.Struct: // a described value, of a type that go-amqp keeps to itself
		if described := r.FieldByName("Value"); described.IsValid() {
			return jsonValue(described.Interface())
		}
	}
	return fmt.Sprint(v)
}

// jsonFloat returns v, which is f, unless JSON has no such number.
func jsonFloat(f float64, v any) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Sprint(f)
	}
	return v
}

func jsonMap[K comparable](m map[K]any) any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[jsonKey(k)] = jsonValue(v)
	}
	return out
}

func jsonKey(k any) string {
	if t, ok := k.(time.Time); ok {
		return t.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprint(k)
}
