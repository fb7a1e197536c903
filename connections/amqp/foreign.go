package amqp

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/Azure/go-amqp"
)

// go-amqp does not know all types of AMQP, and makes strings of symbols. On receipt
// the guard puts such values into a form that it does know, a described binary,
// and native makes our types of that. On sending the types write themselves.

// foreign describes the binary that stands for a value. Nobody can guess it.
var foreign = amqp.UUID([]byte(rand.Text())[:16])

// A present is what go-amqp is given instead of values that it does not know.
type present struct {
	out     []byte
	changed bool
}

// presentable returns what to give to go-amqp in the place of an encoded message:
// nil if that can be given to it as it is, and else one with other values in it, or
// an envelope around all of it and why.
func presentable(message []byte) (instead []byte, why error) {
	if plainSections(message) {
		return nil, nil
	}
	var p present
	for rest := message; len(rest) > 0; {
		n, err := span(rest, 0)
		if err != nil {
			return envelope(message, err), err
		}
		p.value(rest[:n], true)
		rest = rest[n:]
	}
	if err := decodable(p.out); err != nil {
		return envelope(message, err), err
	}
	if !p.changed {
		return nil, nil
	}
	return p.out, nil
}

// value appends v, which span has found to be well. The description of a section is
// go-amqp's own, and so are the keys of one that is no body.
func (p *present) value(v []byte, section bool) {
	switch code := v[0]; {
	case code == described && section:
		p.section(v)
	case isList(code):
		p.parts(v, longList, false)
	case isMap(code):
		p.parts(v, longMap, section)
	case isArray(code) && !knownArray(v), !isArray(code) && kind(code) == 0, isSymbol(code):
		p.opaque(v)
	default:
		p.out = append(p.out, v...)
	}
}

// opaque appends what stands for v.
func (p *present) opaque(v []byte) {
	p.changed = true
	p.out = append(p.out, described, uuidCode)
	p.out = append(p.out, foreign[:]...)
	p.out = append(p.out, longBinary)
	p.out = binary.BigEndian.AppendUint32(p.out, uint32(len(v)))
	p.out = append(p.out, v...)
}

func (p *present) section(v []byte) {
	n := 1 + length(v[1:])
	p.out = append(p.out, v[:n]...)
	switch v[n-1] {
	case headerSection, propertiesSection: // go-amqp knows the type of each of their fields
		p.out = append(p.out, v[n:]...)
	case valueSection, sequenceSection:
		p.value(v[n:], false)
	default:
		p.value(v[n:], true)
	}
}

// parts appends a list or a map with that constructor. The keys of a section are
// left as they are.
func (p *present) parts(v []byte, constructor byte, section bool) {
	count, body, _ := compound(v[0], v[1:]) // as span found it
	isMap := constructor == longMap
	inner := present{out: slices.Grow([]byte(nil), len(body))}
	for i := range count {
		n := length(body)
		key := isMap && i%2 == 0
		switch {
		case key && !section && (!isKey(body) || isSymbol(body[0])):
			p.opaque(v)
			return
		case key:
			inner.out = append(inner.out, body[:n]...)
		default:
			inner.value(body[:n], false)
		}
		body = body[n:]
	}
	if !inner.changed {
		p.out = append(p.out, v...)
		return
	}
	p.changed = true
	p.out = append(p.out, constructor)
	p.out = binary.BigEndian.AppendUint32(p.out, uint32(4+len(inner.out)))
	p.out = binary.BigEndian.AppendUint32(p.out, uint32(count))
	p.out = append(p.out, inner.out...)
}

// knownArray says that go-amqp decodes the array.
func knownArray(v []byte) bool {
	_, body, err := compound(v[0], v[1:])
	if err != nil || len(body) == 0 {
		return false
	}
	return body[0] != null && kind(body[0]) != 0
}

// native makes our types of what stands for them, everywhere in the message.
func native(m *amqp.Message) {
	for _, annotations := range []amqp.Annotations{m.DeliveryAnnotations, m.Annotations, m.Footer} {
		for k, v := range annotations {
			nativePart(annotations, k, v)
		}
	}
	for k, v := range m.ApplicationProperties {
		nativePart(m.ApplicationProperties, k, v)
	}
	m.Value = nativeValue(m.Value)
	for _, list := range m.Sequence {
		nativeValue(list)
	}
}

func nativePart[K comparable](m map[K]any, k K, v any) {
	if !simple(v) {
		m[k] = nativeValue(v)
	}
}

// nativeValue returns v with our types in it; of lists and maps it changes v.
func nativeValue(v any) any {
	if simple(v) {
		return v
	}
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = nativeValue(v[i])
		}
		return v
	case map[string]any:
		for k, part := range v {
			nativePart(v, k, part)
		}
		return v
	case map[any]any:
		for k, part := range v {
			nativePart(v, k, part)
		}
		return v
	}
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Struct { // as a described value is, whose type go-amqp keeps to itself
		return v
	}
	descriptor, value := r.FieldByName("Descriptor"), r.FieldByName("Value")
	if !descriptor.IsValid() || !value.IsValid() || descriptor.Interface() != any(foreign) {
		return v
	}
	encoded, _ := value.Interface().([]byte)
	return decoded(encoded)
}

// decoded returns a value that go-amqp does not decode as it should.
func decoded(v []byte) any {
	switch code := v[0]; {
	case code == described:
		n := 1 + length(v[1:])
		return Described{decoded(v[1:n]), decoded(v[n:])}
	case isList(code):
		list := []any{}
		for _, part := range encodedParts(v) {
			list = append(list, decoded(part))
		}
		return list
	case isMap(code):
		return decodedMap(v)
	case isArray(code) && !knownArray(v):
		return Encoded(v)
	case isSymbol(code), !isArray(code) && kind(code) == 0:
		return typed(v)
	}
	var m amqp.Message
	if err := m.UnmarshalBinary(append([]byte{described, smallCode, valueSection}, v...)); err != nil {
		return Encoded(v)
	}
	return m.Value
}

func decodedMap(v []byte) any {
	parts := encodedParts(v)
	m := make(map[any]any, len(parts)/2)
	for i := 0; i+1 < len(parts); i += 2 {
		key := decoded(parts[i])
		if !hashable(key) {
			return Encoded(v)
		}
		m[key] = decoded(parts[i+1])
	}
	return m
}

// hashable says that a decoded value can be a key of a Go map.
func hashable(v any) bool {
	switch v.(type) {
	case nil, Char, Decimal32, Decimal64, Decimal128:
		return true
	case []byte:
		return false
	}
	return simple(v)
}

// A written is a value in its encoded form. Its method is the one by which go-amqp
// lets types write themselves; the buffer's type has no name here.
type written[B interface{ Append([]byte) }] struct{ encoded string }

// Marshal appends the value. It is called by go-amqp.
func (w written[B]) Marshal(to B) error {
	to.Append([]byte(w.encoded))
	return nil
}

// writtenFor returns a written for the buffer that marshal takes.
func writtenFor[T any, B interface{ Append([]byte) }](_ func(T, B) error, encoded []byte) any {
	return written[B]{string(encoded)}
}

// foreignParts reports whether there is a value of our types in v.
func foreignParts(v any) bool {
	switch v := v.(type) {
	case Char, Decimal32, Decimal64, Decimal128, Described, Encoded:
		return true
	case []any:
		return slices.ContainsFunc(v, foreignParts)
	case map[string]any:
		for _, part := range v {
			if foreignParts(part) {
				return true
			}
		}
	case map[any]any:
		for k, part := range v {
			if foreignParts(k) || foreignParts(part) {
				return true
			}
		}
	}
	return false
}

// outgoing returns v as go-amqp can write it. It never changes v.
func outgoing(v any) (any, error) {
	if simple(v) || !foreignParts(v) {
		return v, nil
	}
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i := range v {
			var err error
			if list[i], err = outgoing(v[i]); err != nil {
				return nil, err
			}
		}
		return list, nil
	case map[string]any:
		return outgoingMap(v)
	case map[any]any:
		keyed := make(map[any]any, len(v))
		for k, part := range v {
			k, err := outgoing(k)
			if err != nil {
				return nil, err
			}
			keyed[k] = part
		}
		return outgoingMap(keyed)
	}
	encoded, err := encodedForm(v)
	if err != nil {
		return nil, err
	}
	return writtenFor(amqp.Null.Marshal, encoded), nil
}

func outgoingMap[K comparable](m map[K]any) (map[K]any, error) {
	out := make(map[K]any, len(m))
	for k, v := range m {
		var err error
		if out[k], err = outgoing(v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// outgoingMessage replaces the parts of m that go-amqp cannot write.
func outgoingMessage(m *amqp.Message) (err error) {
	var errs []error
	for _, annotations := range []*amqp.Annotations{&m.DeliveryAnnotations, &m.Annotations, &m.Footer} {
		for _, v := range *annotations {
			if foreignParts(v) {
				*annotations, err = outgoingMap(*annotations)
				errs = append(errs, err)
				break
			}
		}
	}
	m.Value, err = outgoing(m.Value)
	errs = append(errs, err)
	for i, list := range m.Sequence {
		v, err := outgoing(list)
		errs = append(errs, err)
		if replaced, ok := v.([]any); ok && foreignParts(list) {
			m.Sequence = slices.Clone(m.Sequence)
			m.Sequence[i] = replaced
		}
	}
	return errors.Join(errs...)
}

// encodedValue returns any value in its encoded form.
func encodedValue(v any) ([]byte, error) {
	if v == nil {
		return []byte{null}, nil
	}
	out, err := outgoing(v)
	if err != nil {
		return nil, err
	}
	b, err := (&amqp.Message{Value: out}).MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("encode a %T: %w", v, err)
	}
	return b[3:], nil // after the description of the section
}
