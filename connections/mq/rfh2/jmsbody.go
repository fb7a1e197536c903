package rfh2

import "fmt"

// Names of the elements of map and stream bodies.
const (
	mapRoot    = "map"
	streamRoot = "stream"
	entry      = "elt"
)

// DecodeMap reads the body of a JMS map message: entries in their order.
func DecodeMap(body []byte) ([]Property, error) { return decodeBody(mapRoot, body, byAttribute) }

// DecodeStream reads the body of a JMS stream message: values without names.
func DecodeStream(body []byte) ([]Property, error) { return decodeBody(streamRoot, body, nameless) }

func decodeBody(root string, body []byte, n naming) ([]Property, error) {
	s := scanner{text: string(body)}
	s.skipSpace()
	e, err := s.element()
	if err != nil {
		return nil, fmt.Errorf("JMS %s: %w", root, err)
	}
	s.skipSpace()
	if e.name != root || s.more() {
		return nil, fmt.Errorf("JMS %s: found <%s>, expected <%s> and nothing else", root, brief(e.name), root)
	}
	properties, err := readProperties([]Property{}, e.inner, n)
	if err != nil {
		return nil, fmt.Errorf("JMS %s: %w", root, err)
	}
	return properties, nil
}

// EncodeMap writes the body of a JMS map message.
func EncodeMap(entries []Property) ([]byte, error) { return encodeBody(mapRoot, entries, true) }

// EncodeStream writes the body of a JMS stream message. Names are ignored.
func EncodeStream(values []Property) ([]byte, error) { return encodeBody(streamRoot, values, false) }

func encodeBody(root string, properties []Property, named bool) ([]byte, error) {
	body := appendTag(nil, "<", root, ">")
	for _, p := range properties {
		var err error
		if body, err = p.appendEntry(body, named); err != nil {
			return nil, fmt.Errorf("JMS %s: entry %s: %w", root, brief(p.Name), err)
		}
	}
	return appendTag(body, "</", root, ">"), nil
}

// appendEntry appends one entry of a map, or value of a stream.
func (p *Property) appendEntry(dst []byte, named bool) ([]byte, error) {
	t, err := typeOf(p.Value)
	if err != nil {
		return dst, err
	}
	dst = appendTag(dst, "<", entry, "")
	if named {
		if !IsText(p.Name) {
			return dst, fmt.Errorf("found %q, expected a name that XML can hold", brief(p.Name))
		}
		dst = append(appendAttribute(append(dst, ` name="`...), p.Name), '"')
	}
	dst = append(t.appendTo(dst, '\''), '>')
	if dst, err = appendValue(dst, p.Value); err != nil {
		return dst, err
	}
	return appendTag(dst, "</", entry, ">"), nil
}
