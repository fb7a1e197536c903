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

// go-amqp does not know all types of AMQP. On receipt the guard puts what it does
// not know into a form that it does, a described binary value, and native makes
// our types of that. On sending the types write themselves.

// foreign describes the binary that stands for a value; and it is a key, put into
// maps with symbols as keys, which go-amqp takes for strings if all are. Nobody
// can guess it.
var foreign = amqp.UUID([]byte(rand.Text())[:16])

// A present is what go-amqp is given instead of values that it does not know.
type present struct {
	out     []byte
	changed bool
}

// presentable returns the message to give to go-amqp for one that came, and why
// that is an envelope around the original, if it is.
func presentable(message []byte) ([]byte, error) {
	if plainSections(message) {
		return message, nil
	}
	var p present
	for rest := message; len(rest) > 0; {
		n, err := p.value(rest, 0, true)
		if err != nil {
			return envelope(message, err), err
		}
		rest = rest[n:]
	}
	if !p.changed {
		p.out = message
	}
	if err := decodable(p.out); err != nil {
		return envelope(message, err), err
	}
	return p.out, nil
}

// value appends the first value of b, and returns how many bytes that has. The
// description of a section is go-amqp's own, and so are the keys of one that is
// no body.
func (p *present) value(b []byte, depth int, section bool) (int, error) {
	n, err := span(b, depth)
	if err != nil {
		return 0, err
	}
	v := b[:n]
	switch code := v[0]; {
	case code == described:
		return n, p.described(v, depth, section)
	case isList(code):
		return n, p.parts(v, longList, depth, false)
	case isMap(code):
		return n, p.parts(v, longMap, depth, section)
	case isArray(code) && !knownArray(v), !isArray(code) && kind(code) == 0:
		p.opaque(v)
	default:
		p.out = append(p.out, v...)
	}
	return n, nil
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

func (p *present) described(v []byte, depth int, section bool) error {
	n, err := span(v[1:], depth+1)
	if err != nil {
		return err
	}
	descriptor := v[1 : 1+n]
	if !section && (kind(descriptor[0]) == 0 || reserved(descriptor)) {
		p.opaque(v)
		return nil
	}
	p.out = append(p.out, v[:1+n]...)
	body := section && (descriptor[n-1] == valueSection || descriptor[n-1] == sequenceSection)
	_, err = p.value(v[1+n:], depth+1, section && !body)
	return err
}

// reserved says that a descriptor is one of the standard's own, of which go-amqp
// makes errors, outcomes and frames.
func reserved(descriptor []byte) bool {
	switch descriptor[0] {
	case smallCode:
		return true
	case 0x80:
		return binary.BigEndian.Uint64(descriptor[1:]) <= 0xff
	}
	return false
}

// parts appends a list or a map with that constructor. The keys of a section are
// left as they are.
func (p *present) parts(v []byte, constructor byte, depth int, section bool) error {
	count, body, err := compound(v[0], v[1:])
	if err != nil {
		return err
	}
	isMap := constructor == longMap
	inner := present{out: slices.Grow([]byte(nil), len(body))}
	symbols := false
	for i := range count {
		if isMap && i%2 == 0 && !section {
			if !isKey(body) {
				p.opaque(v)
				return nil
			}
			symbols = symbols || body[0] == 0xa3 || body[0] == 0xb3
		}
		n, err := inner.value(body, depth+1, false)
		if err != nil {
			return err
		}
		body = body[n:]
	}
	if symbols {
		inner.changed = true
		inner.out = append(append(append(inner.out, uuidCode), foreign[:]...), null)
		count += 2
	}
	if !inner.changed {
		p.out = append(p.out, v...)
		return nil
	}
	p.changed = true
	p.out = append(p.out, constructor)
	p.out = binary.BigEndian.AppendUint32(p.out, uint32(4+len(inner.out)))
	p.out = binary.BigEndian.AppendUint32(p.out, uint32(count))
	p.out = append(p.out, inner.out...)
	return nil
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
		delete(v, foreign)
		for k, part := range v {
			nativePart(v, k, part)
		}
		return v
	}
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Struct || r.NumField() != 2 { // of a described value, whose type go-amqp keeps to itself
		return v
	}
	descriptor, value := r.FieldByName("Descriptor"), r.FieldByName("Value")
	if !descriptor.IsValid() || !value.IsValid() {
		return v
	}
	if b, ok := value.Interface().([]byte); ok && descriptor.Interface() == any(foreign) {
		return typed(b)
	}
	return Described{descriptor.Interface(), nativeValue(value.Interface())}
}

// A written is a value in its encoded form. Its method is the one by which go-amqp
// lets types write themselves; the buffer's type has no name here.
type written[B interface{ Append([]byte) }] struct{ encoded []byte }

// Marshal appends the value. It is called by go-amqp.
func (w written[B]) Marshal(to B) error {
	to.Append(w.encoded)
	return nil
}

// writtenFor returns a written for the buffer that marshal takes.
func writtenFor[T any, B interface{ Append([]byte) }](_ func(T, B) error, encoded []byte) any {
	return written[B]{encoded}
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
		for _, part := range v {
			if foreignParts(part) {
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
		return outgoingMap(v)
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
