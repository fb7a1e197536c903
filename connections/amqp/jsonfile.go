package amqp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A fileValue is a value of a JSON file, with the line that it ends at.
type fileValue struct {
	line   int
	scalar any // string, json.Number, bool or nil
	list   []*fileValue
	keys   []string // of a map, in their order
	fields map[string]*fileValue
}

// A fileError says where a file is wrong.
type fileError struct {
	line int
	said string
}

func (e *fileError) Error() string { return e.said }

func wrongAt(line int, format string, args ...any) error {
	return &fileError{line, fmt.Sprintf(format, args...)}
}

// describe says what was found; a text only by its kind, since it may be a secret.
func (v *fileValue) describe() string {
	switch s := v.scalar.(type) {
	case string:
		return "a text"
	case json.Number:
		return s.String()
	case bool:
		return fmt.Sprint(s)
	}
	switch {
	case v.fields != nil:
		return "a map"
	case v.list != nil:
		return "a list"
	}
	return "null"
}

// parseJSON reads a map, which may have // and /* */ comments.
func parseJSON(text []byte) (*fileValue, error) {
	p := jsonParser{text: withoutComments(text)}
	p.in = json.NewDecoder(bytes.NewReader(p.text))
	p.in.UseNumber()
	v, err := p.value()
	switch {
	case err != nil:
		return nil, p.broken(err)
	case v.fields == nil:
		return nil, wrongAt(v.line, "found %s, expected a map: {…}", v.describe())
	}
	if _, err := p.in.Token(); !errors.Is(err, io.EOF) {
		return nil, wrongAt(p.line(), "found more after the end of the map")
	}
	return v, nil
}

// withoutComments puts spaces in place of comments, so that every byte keeps its
// line.
func withoutComments(text []byte) []byte {
	out := bytes.Clone(text)
	blank := func(from, to int) {
		for i := from; i < to; i++ {
			if out[i] != '\n' {
				out[i] = ' '
			}
		}
	}
	for i := 0; i < len(text); i++ {
		switch rest := text[i:]; {
		case text[i] == '"':
			i += endOfText(rest)
		case bytes.HasPrefix(rest, []byte("//")):
			end := len(rest)
			if n := bytes.IndexByte(rest, '\n'); n >= 0 {
				end = n
			}
			blank(i, i+end)
			i += end - 1
		case bytes.HasPrefix(rest, []byte("/*")):
			end := bytes.Index(rest[2:], []byte("*/"))
			if end < 0 {
				return out // the parser finds the slash
			}
			blank(i, i+end+4)
			i += end + 3
		}
	}
	return out
}

// endOfText returns where the text ends that begins with the quote b[0].
func endOfText(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"', '\n': // a text has no line end: the parser says so
			return i
		}
	}
	return len(b)
}

type jsonParser struct {
	text []byte
	in   *json.Decoder
}

// line returns the line that has been read up to.
func (p *jsonParser) line() int {
	return 1 + bytes.Count(p.text[:min(int(p.in.InputOffset()), len(p.text))], []byte("\n"))
}

// broken says in which line the text is no JSON.
func (p *jsonParser) broken(err error) error {
	if _, ok := errors.AsType[*fileError](err); ok {
		return err
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok && !strings.Contains(syntax.Error(), "unexpected end") {
		at := max(int(syntax.Offset), int(p.in.InputOffset()))
		at = p.skip(min(at, len(p.text)))
		return wrongAt(1+bytes.Count(p.text[:at], []byte("\n")), "not JSON: %v", syntax)
	}
	return wrongAt(1+bytes.Count(p.text, []byte("\n")), "not JSON: it ends too early")
}

func (p *jsonParser) skip(at int) int {
	for at < len(p.text) && bytes.IndexByte([]byte(" \t\r\n,:"), p.text[at]) >= 0 {
		at++
	}
	return at
}

func (p *jsonParser) value() (*fileValue, error) {
	token, err := p.in.Token()
	if err != nil {
		return nil, err
	}
	v := &fileValue{line: p.line()}
	switch token {
	case json.Delim('{'):
		v.fields = make(map[string]*fileValue)
		return v, p.fields(v)
	case json.Delim('['):
		v.list = []*fileValue{}
		for p.in.More() {
			item, err := p.value()
			if err != nil {
				return nil, err
			}
			v.list = append(v.list, item)
		}
		_, err := p.in.Token()
		return v, err
	}
	v.scalar = token
	return v, nil
}

// fields reads those of a map, and its end.
func (p *jsonParser) fields(v *fileValue) error {
	for p.in.More() {
		token, err := p.in.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		line := p.line()
		if slices.Contains(v.keys, key) {
			return wrongAt(line, "%s: found a second time", key)
		}
		value, err := p.value()
		if err != nil {
			return err
		}
		v.keys, v.fields[key] = append(v.keys, key), value
	}
	_, err := p.in.Token()
	return err
}
