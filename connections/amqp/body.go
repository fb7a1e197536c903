package amqp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
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
	case amqp.Symbol:
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
	case Decimal32, Decimal64, Decimal128:
		return jsonNumber(fmt.Sprint(v))
	case Described:
		return jsonValue(v.Value)
	case Encoded:
		return jsonEncoded(v)
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.Slice { // a list, or an array of one type
		list := make([]any, r.Len())
		for i := range list {
			list[i] = jsonValue(r.Index(i).Interface())
		}
		return list
	}
	return fmt.Sprint(v)
}

// jsonNumber returns a decimal number with all its digits, or in a string what
// JSON has no number for.
func jsonNumber(text string) any {
	if strings.ContainsAny(text, "NI") { // NaN, Infinity
		return text
	}
	return json.Number(text)
}

// jsonEncoded is jsonValue for a map or an array that Go has no form for: each of
// its parts is, by itself. The keys of a map become text.
func jsonEncoded(v Encoded) any {
	if len(v) == 0 {
		return nil
	}
	parts := encodedParts(v)
	if !isMap(v[0]) {
		list := make([]any, len(parts))
		for i, part := range parts {
			list[i] = jsonValue(decoded(part))
		}
		return list
	}
	m := make(map[string]any, len(parts)/2)
	for i := 0; i+1 < len(parts); i += 2 {
		m[jsonText(jsonValue(decoded(parts[i])))] = jsonValue(decoded(parts[i+1]))
	}
	return m
}

// jsonText returns a value as the key that it is in JSON.
func jsonText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return strings.Trim(string(b), `"`)
}

// encodedParts returns the parts of a list, a map or an array, each with its
// constructor.
func encodedParts(v []byte) [][]byte {
	count, body, err := compound(v[0], v[1:])
	if err != nil {
		return nil
	}
	array := isArray(v[0])
	var each []byte
	if array {
		each, body = body[:1], body[1:]
	}
	parts := make([][]byte, 0, count)
	for range count {
		var n int
		if array {
			n, _ = size(each[0], body) // as span found it
		} else {
			n = length(body)
		}
		parts = append(parts, slices.Concat(each, body[:n]))
		body = body[n:]
	}
	return parts
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
