package amqp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
)

// Kinds of JMS messages that no media type tells.
const (
	mapKind    = "map"
	streamKind = "stream"
	objectKind = "object"
)

// serializedType is the content type of the body of a JMS ObjectMessage.
const serializedType = "application/x-java-serialized-object"

func knownKind(kind string) bool {
	switch kind {
	case "", mapKind, streamKind, objectKind:
		return true
	}
	return false
}

// shape makes of out, which carries m, a message of that kind. A CloudEvent's data
// is bytes, whatever JMS would like, and a body that is relayed unchanged has a
// kind of its own.
func shape(out *amqp.Message, m *connections.Message, kind string) error {
	if kind == "" || isCloudEvent(m) || inheritsKind(out, m) {
		return nil
	}
	if kind == objectKind {
		setShape(out, jmsObject, serializedType)
		out.Data = [][]byte{m.Body}
		return nil
	}
	v, err := fromJSON(m.Body)
	if err != nil {
		return fmt.Errorf("a %s of JMS: %w", kind, err)
	}
	switch v := v.(type) {
	case map[string]any:
		if kind == mapKind {
			setShape(out, jmsMap, "")
			out.Value = v
			return nil
		}
	case []any:
		if kind == streamKind {
			setShape(out, jmsStream, "")
			out.Sequence = [][]any{v}
			return nil
		}
	}
	want := map[string]string{mapKind: "an object", streamKind: "an array"}[kind]
	return fmt.Errorf("a %s of JMS: the data is not %s of JSON", kind, want)
}

// inheritsKind says that the body of a relayed message, and so its kind, is kept.
func inheritsKind(out *amqp.Message, m *connections.Message) bool {
	relayed, ok := m.Native.(*amqp.Message)
	kind := out.Annotations[jmsMessageType]
	return ok && kind != nil && kind == relayed.Annotations[jmsMessageType]
}

// setShape takes the body off a message, and says what the next one is.
func setShape(out *amqp.Message, kind int8, contentType string) {
	out.Data, out.Value, out.Sequence = nil, nil, nil
	out.Properties.ContentType = optional(contentType)
	annotate(out, jmsMessageType, kind)
}

// fromJSON returns JSON as values of AMQP: whole numbers are longs, others doubles.
func fromJSON(text []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("data as JSON: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("data as JSON: there is more behind the first value")
	}
	return numbered(v)
}

func numbered(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		f, err := v.Float64()
		if err != nil || !strings.ContainsAny(v.String(), ".eE") && math.Abs(f) > 1<<53 {
			return nil, fmt.Errorf("the number %s has no exact form", v)
		}
		return f, nil
	case []any:
		for i := range v {
			if v[i], err = numbered(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if v[k], err = numbered(v[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}
