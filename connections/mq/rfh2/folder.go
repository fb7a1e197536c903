package rfh2

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Folder is a group of properties. The usual ones are mcd (what kind of
// message it is), jms (the JMS headers) and usr (the sender's own properties).
type Folder struct {
	Name string
	Text string // the whole element as on the wire, without what fills it up
}

// A Property is a named value. Its Value is a string, bool, int8, int16, int32,
// int64, float32, float64, []byte, [Char], nil, or a [Group] of properties.
type Property struct {
	Name  string
	Value any
}

// A Char is a character with the JMS type char.
type Char rune

// A Group is what an element holds that holds elements: properties, unread.
type Group string

// Properties reads the folder.
func (f Folder) Properties() ([]Property, error) { return f.AppendProperties([]Property{}) }

// AppendProperties is Properties that appends to dst.
func (f Folder) AppendProperties(dst []Property) ([]Property, error) {
	inner, err := f.within()
	if err != nil {
		return nil, fmt.Errorf("folder %s: %w", brief(f.Name), err)
	}
	properties, err := readProperties(dst, inner, byElement)
	if err != nil {
		return nil, fmt.Errorf("folder %s: %w", brief(f.Name), err)
	}
	return properties, nil
}

// Check reports whether the folder is one element, without reading properties.
func (f Folder) Check() error {
	s := scanner{text: f.Text}
	if _, err := s.element(); err != nil {
		return fmt.Errorf("folder %s: %w", brief(f.Name), err)
	}
	if s.more() {
		return fmt.Errorf("folder %s: found more than one element", brief(f.Name))
	}
	return nil
}

// most returns how many properties text may hold: more than any sender writes,
// and not so many that tiny ones take more memory than the text is worth.
func most(text string, n naming) int {
	if n == nameless {
		return 512 + len(text)/len("<elt></elt>") // the shortest value
	}
	return 512 + len(text)/20
}

// A naming says where the name of a property stands.
type naming int

const (
	byElement   naming = iota // the element's name
	byAttribute               // its attribute, as in a map
	nameless                  // nowhere, as in a stream
)

func readProperties(dst []Property, text string, n naming) ([]Property, error) {
	already := len(dst)
	s := scanner{text: text}
	for s.skipSpace(); s.more(); s.skipSpace() {
		if len(dst)-already == most(text, n) {
			return nil, fmt.Errorf("more than %d properties in %d bytes", most(text, n), len(text))
		}
		if len(dst) == cap(dst) {
			rest := s.text[s.at:]
			dst = slices.Grow(dst, max(1, min(strings.Count(rest, "</")+strings.Count(rest, "/>"), most(text, n))))
		}
		p, err := s.property(n)
		if err != nil {
			return nil, err
		}
		dst = append(dst, p)
	}
	return dst, nil
}

// property reads one element that is a property.
func (s *scanner) property(n naming) (Property, error) {
	if n == byElement {
		if name, text, ok := s.plain(); ok {
			return Property{name, text}, nil
		}
	}
	e, err := s.element()
	if err != nil {
		return Property{}, err
	}
	return e.property(n)
}

// A PropertyText is a property whose value is written as text, whatever its type.
type PropertyText struct {
	Name, Value string
	Null        bool // it has no value
}

// AppendTexts is AppendProperties for who wants the values as text.
func (f Folder) AppendTexts(dst []PropertyText) ([]PropertyText, error) {
	inner, err := f.within()
	if err != nil {
		return nil, fmt.Errorf("folder %s: %w", brief(f.Name), err)
	}
	already := len(dst)
	s := scanner{text: inner}
	for s.skipSpace(); s.more(); s.skipSpace() {
		if len(dst)-already == most(inner, byElement) {
			return nil, fmt.Errorf("folder %s: more than %d properties in %d bytes", brief(f.Name), most(inner, byElement), len(inner))
		}
		t, err := s.asText()
		if err != nil {
			return nil, fmt.Errorf("folder %s: %w", brief(f.Name), err)
		}
		dst = append(dst, t)
	}
	return dst, nil
}

// asText reads one element that is a property.
func (s *scanner) asText() (PropertyText, error) {
	if name, text, ok := s.plain(); ok {
		return PropertyText{name, text, false}, nil
	}
	e, err := s.element()
	if err != nil {
		return PropertyText{}, err
	}
	p, err := e.property(byElement)
	switch v := p.Value.(type) {
	case nil:
		return PropertyText{Name: p.Name, Null: true}, err
	case string:
		return PropertyText{Name: p.Name, Value: v}, err
	default:
		return PropertyText{Name: p.Name, Value: fmt.Sprint(v)}, err
	}
}

// within returns what stands between the tags of the folder.
func (f Folder) within() (string, error) {
	n := len(f.Name)
	start, end := n+len("<>"), len(f.Text)-n-len("</>")
	if n == 0 || end < start {
		return within(f.Text)
	}
	first, last := f.Text[:start], f.Text[end:]
	if first[0] != '<' || first[1:1+n] != f.Name || first[1+n] != '>' || last[:2] != "</" || last[2:2+n] != f.Name || last[2+n] != '>' {
		return within(f.Text)
	}
	return f.Text[start:end], nil
}

func (e *element) property(n naming) (p Property, err error) {
	switch {
	case n == byElement || n == byAttribute && e.name != entry: // an old style of map
		p.Name = e.name
	case n == byAttribute:
		if p.Name, err = e.attribute("name"); err != nil {
			return p, err
		}
	}
	if p.Value, err = e.value(); err != nil {
		return p, fmt.Errorf("property %s: %w", brief(p.Name), err)
	}
	return p, nil
}

// NewFolder returns a folder with the given properties. Names and values that a
// folder cannot hold are an error.
func NewFolder(name string, properties []Property) (Folder, error) {
	var room [512]byte // most folders are shorter
	text, err := beginFolder(room[:0], name)
	if err != nil {
		return Folder{}, err
	}
	for _, p := range properties {
		if text, err = p.appendTo(text); err != nil {
			return Folder{}, fmt.Errorf("property %s: %w", brief(p.Name), err)
		}
	}
	return Folder{name, string(appendTag(text, "</", name, ">"))}, nil
}

// NewTextFolder is NewFolder for properties that are text.
func NewTextFolder(name string, properties []PropertyText) (Folder, error) {
	var room [512]byte
	text, err := beginFolder(room[:0], name)
	if err != nil {
		return Folder{}, err
	}
	for _, p := range properties {
		if text, err = p.appendTo(text); err != nil {
			return Folder{}, fmt.Errorf("property %s: %w", brief(p.Name), err)
		}
	}
	return Folder{name, string(appendTag(text, "</", name, ">"))}, nil
}

func beginFolder(dst []byte, name string) ([]byte, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	return appendTag(dst, "<", name, ">"), nil
}

func (p *PropertyText) appendTo(dst []byte) ([]byte, error) {
	if p.Null {
		return (&Property{Name: p.Name}).appendTo(dst)
	}
	if err := CheckName(p.Name); err != nil {
		return dst, err
	}
	dst, err := appendString(appendTag(dst, "<", p.Name, ">"), p.Value)
	return appendTag(dst, "</", p.Name, ">"), err
}

func (p *Property) appendTo(dst []byte) ([]byte, error) {
	if err := CheckName(p.Name); err != nil {
		return dst, err
	}
	t, err := typeOf(p.Value)
	if err != nil {
		return dst, err
	}
	dst = append(t.appendTo(appendTag(dst, "<", p.Name, ""), '"'), '>')
	if dst, err = appendValue(dst, p.Value); err != nil {
		return dst, err
	}
	return appendTag(dst, "</", p.Name, ">"), nil
}

func appendTag(dst []byte, open, name, end string) []byte {
	return append(append(append(dst, open...), name...), end...)
}

// maxName is how long the name of a property may be.
const maxName = 4095

// CheckName returns an error if no folder or property can have that name: it
// must be a name to XML, because IBM's readers are parsers of XML.
func CheckName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("found a name of %d bytes, expected 1 to %d", len(name), maxName)
	}
	for i, r := range name {
		if !IsNamePart(r, i == 0) {
			return fmt.Errorf("found %q, expected the name of a property", brief(name))
		}
	}
	return nil
}

// IsNamePart reports whether the name of a property may have r, or begin with it.
func IsNamePart(r rune, first bool) bool {
	switch {
	case r > 0xffff || r == utf8.RuneError:
		return false
	case r == '_' || unicode.IsLetter(r):
		return true
	}
	return !first && (r == '-' || r == '.' || unicode.IsDigit(r))
}
