package rfh2

import (
	"errors"
	"fmt"
	"strings"
)

// A scanner reads the little of XML that folders are made of: elements,
// attributes and references to characters. It knows no namespaces, because
// folders use prefixes that they do not declare, and no declarations or
// instructions, which do not belong there. Comments and CDATA sections are read,
// as IBM's own classes do.
type scanner struct {
	text string
	at   int
}

// An element is one element as it stands in the text.
type element struct {
	text  string // from the first to the last angle bracket
	name  string
	attrs string // between the name and the bracket, unread
	inner string // what it holds, unread
	group bool   // it holds elements
	parts bool   // it holds comments or CDATA sections
}

func (s *scanner) more() bool { return s.at < len(s.text) }

// skipSpace skips what may stand between elements: space and comments.
func (s *scanner) skipSpace() {
	for s.more() {
		if !isSpace(s.text[s.at]) {
			p, ok := partAt(s.text[s.at:])
			if !ok || p.open != comment {
				return
			}
			s.at += p.size - 1
		}
		s.at++
	}
}

// A part is a comment or a CDATA section.
type part struct {
	open string // how it begins
	text string // what it holds
	size int    // with its marks
}

const (
	comment = "<!--"
	cdata   = "<![CDATA["
)

// partAt returns the part that text begins with, if it does.
func partAt(text string) (p part, ok bool) {
	if !strings.HasPrefix(text, "<!") { // as nearly always
		return part{}, false
	}
	open, end := comment, "-->"
	rest, ok := strings.CutPrefix(text, open)
	if !ok {
		open, end = cdata, "]]>"
		if rest, ok = strings.CutPrefix(text, open); !ok {
			return part{}, false
		}
	}
	inner, _, ok := strings.Cut(rest, end)
	return part{open, inner, len(open) + len(inner) + len(end)}, ok
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == 0 }

// element reads one element, with all that it holds.
func (s *scanner) element() (element, error) {
	start := s.at
	open, err := s.tag()
	if err != nil {
		return element{}, err
	}
	if open.kind == closing {
		return element{}, fmt.Errorf("found </%s>, expected an element", brief(open.name))
	}
	e := element{name: open.name, attrs: open.attrs}
	if open.kind == opening {
		if err := s.content(&e); err != nil {
			return element{}, err
		}
	}
	e.text = s.text[start:s.at]
	return e, nil
}

// plain reads an element that has no attributes and holds text without references
// to characters, as most do. It reads nothing if there is another one.
func (s *scanner) plain() (name, text string, ok bool) {
	rest := s.text[s.at:]
	if rest[0] != '<' {
		return "", "", false
	}
	n := nameLength(rest[1:])
	if n == 0 || len(rest) < len("<>")+n || rest[1+n] != '>' {
		return "", "", false
	}
	name, inner := rest[1:1+n], rest[2+n:]
	end := strings.IndexByte(inner, '<')
	if end < 0 {
		return "", "", false
	}
	text, last := inner[:end], inner[end:]
	if len(last) < len("</>")+n || last[1] != '/' || last[2:2+n] != name || last[2+n] != '>' || strings.IndexByte(text, '&') >= 0 {
		return "", "", false
	}
	s.at += len("<></>") + 2*n + end
	return name, text, true
}

// content reads on to the end of e, whose first tag was read.
func (s *scanner) content(e *element) error {
	start := s.at
	for depth := 1; ; {
		i := strings.IndexByte(s.text[s.at:], '<')
		if i < 0 {
			return fmt.Errorf("element %s has no end", brief(e.name))
		}
		s.at += i
		if p, ok := partAt(s.text[s.at:]); ok {
			s.at += p.size
			e.parts = true
			continue
		}
		end := s.at
		t, err := s.tag()
		if err != nil {
			return err
		}
		switch t.kind {
		case opening:
			e.group = true
			depth++
		case empty:
			e.group = true
		case closing:
			depth--
		}
		if depth == 0 {
			e.inner = s.text[start:end]
			if t.name != e.name {
				return fmt.Errorf("element %s ends with </%s>", brief(e.name), brief(t.name))
			}
			return nil
		}
	}
}

type tagKind int

const (
	opening tagKind = iota
	closing
	empty
)

type tag struct {
	kind  tagKind
	name  string
	attrs string
}

// tag reads what stands between two angle brackets.
func (s *scanner) tag() (tag, error) {
	if !s.more() || s.text[s.at] != '<' {
		return tag{}, errors.New("found text, expected an element")
	}
	var t tag
	s.at++
	if s.more() && s.text[s.at] == '/' {
		t.kind = closing
		s.at++
	}
	n := nameLength(s.text[s.at:])
	if n == 0 {
		return tag{}, errors.New("an element has no name")
	}
	if c := s.text[s.at]; c == '!' || c == '?' { // of a comment without an end, too
		return tag{}, fmt.Errorf("found <%s, expected an element", brief(s.text[s.at:]))
	}
	t.name = s.text[s.at : s.at+n]
	s.at += n
	if s.more() && s.text[s.at] == '>' {
		s.at++
		return t, nil
	}
	end, err := tagEnd(s.text[s.at:])
	if err != nil {
		return tag{}, err
	}
	t.attrs = s.text[s.at : s.at+end]
	s.at += end + 1
	if strings.HasSuffix(t.attrs, "/") {
		t.attrs = t.attrs[:len(t.attrs)-1]
		if t.kind == closing {
			return tag{}, fmt.Errorf("element %s has a wrong end", brief(t.name))
		}
		t.kind = empty
	}
	return t, nil
}

// tagEnd returns where the bracket stands that ends a tag, past quoted values.
func tagEnd(text string) (int, error) {
	var quote byte
	for i := range len(text) {
		switch c := text[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '<':
			return 0, errors.New("found < inside a tag")
		case c == '>':
			return i, nil
		}
	}
	return 0, errors.New("a tag has no end")
}

// nameLength returns how long the name is that text begins with. All bytes of
// characters beyond ASCII may be part of one.
func nameLength(text string) int {
	for i := range len(text) {
		switch c := text[i]; c {
		case '<', '>', '/', '=', '"', '\'', '&', 0x7f:
			return i
		default:
			if c <= ' ' {
				return i
			}
		}
	}
	return len(text)
}

// within returns what stands between the first and the last tag of text, which
// must be those of one element. What it holds is not read.
func within(text string) (string, error) {
	s := scanner{text: text}
	open, err := s.tag()
	if err != nil {
		return "", err
	}
	start, end := s.at, s.at
	if open.kind == opening {
		if end = strings.LastIndex(text, "</"); end < start {
			return "", fmt.Errorf("element %s has no end", brief(open.name))
		}
		s.at = end
		last, err := s.tag()
		if err != nil {
			return "", err
		}
		if last.name != open.name {
			return "", fmt.Errorf("element %s ends with </%s>", brief(open.name), brief(last.name))
		}
	}
	if open.kind == closing || s.more() {
		return "", errors.New("found more or less than one element")
	}
	return text[start:end], nil
}

// attribute returns the value of the attribute of that name, whatever its
// prefix, or "".
func (e *element) attribute(name string) (string, error) {
	rest := e.attrs
	for {
		rest = strings.TrimLeft(rest, " \t\r\n\x00")
		if rest == "" {
			return "", nil
		}
		key, after, ok := strings.Cut(rest, "=")
		after = strings.TrimLeft(after, " \t\r\n")
		if !ok || after == "" || after[0] != '"' && after[0] != '\'' {
			return "", fmt.Errorf("element %s has a wrong attribute", brief(e.name))
		}
		value, tail, ok := strings.Cut(after[1:], after[:1])
		if !ok {
			return "", fmt.Errorf("element %s has a wrong attribute", brief(e.name))
		}
		key = strings.TrimRight(key, " \t\r\n")
		if i := strings.LastIndexByte(key, ':'); i >= 0 {
			key = key[i+1:]
		}
		if key == name {
			return unescape(value)
		}
		rest = tail
	}
}

// brief cuts what is quoted in an error.
func brief(s string) string {
	const most = 40
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
