package rfh2

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A valueType is what the attribute dt says of a value. Absent means a string,
// and so does any type that is unknown.
type valueType string

const (
	typeString  valueType = ""
	typeBoolean valueType = "boolean"
	typeInt8    valueType = "i1"
	typeInt16   valueType = "i2"
	typeInt32   valueType = "i4"
	typeInt64   valueType = "i8"
	typeFloat32 valueType = "r4"
	typeFloat64 valueType = "r8"
	typeBytes   valueType = "bin.hex"
	typeChar    valueType = "char"
	typeNull    valueType = "null" // never written: it is the attribute nil
)

// appendTo appends what an element's tag says of the type.
func (t valueType) appendTo(dst []byte, quote byte) []byte {
	name, value := " dt=", string(t)
	switch t {
	case typeString:
		return dst
	case typeNull:
		name, value = " xsi:nil=", "true"
	}
	dst = append(append(dst, name...), quote)
	return append(append(dst, value...), quote)
}

// value returns what the element holds, as its attributes say.
func (e *element) value() (any, error) {
	null, err := e.attribute("nil")
	if err != nil {
		return nil, err
	}
	if null == "true" || null == "1" {
		return nil, nil
	}
	if e.group {
		return Group(e.inner), nil
	}
	dt, err := e.attribute("dt")
	if err != nil {
		return nil, err
	}
	text, err := e.content()
	if err != nil {
		return nil, err
	}
	return parse(valueType(dt), text)
}

// content returns the text that an element without elements holds.
func (e *element) content() (string, error) {
	if !e.parts {
		return unescape(e.inner)
	}
	var b strings.Builder
	for rest := e.inner; rest != ""; {
		if p, ok := partAt(rest); ok {
			if p.open == cdata {
				b.WriteString(p.text)
			}
			rest = rest[p.size:]
			continue
		}
		end := len(rest)
		if i := strings.IndexByte(rest, '<'); i >= 0 {
			end = i
		}
		text, err := unescape(rest[:end])
		if err != nil {
			return "", err
		}
		b.WriteString(text)
		rest = rest[end:]
	}
	return b.String(), nil
}

// parse reads a value of type t.
func parse(t valueType, text string) (any, error) {
	switch t {
	case typeBoolean:
		return parseBool(text)
	case typeInt8:
		n, err := parseInt(text, 8)
		return int8(n), err
	case typeInt16:
		n, err := parseInt(text, 16)
		return int16(n), err
	case typeInt32, "int":
		n, err := parseInt(text, 32)
		return int32(n), err
	case typeInt64:
		return parseInt(text, 64)
	case typeFloat32:
		f, err := parseFloat(text, 32)
		return float32(f), err
	case typeFloat64:
		return parseFloat(text, 64)
	case typeBytes:
		b, err := hex.DecodeString(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("found %q, expected bytes in hexadecimal", brief(text))
		}
		return b, nil
	case typeChar:
		r, n := utf8.DecodeRuneInString(text)
		if n == 0 || n != len(text) {
			return nil, fmt.Errorf("found %q, expected one character", brief(text))
		}
		return Char(r), nil
	}
	return text, nil
}

func parseBool(text string) (any, error) {
	switch strings.TrimSpace(text) {
	case "1", "true", "TRUE":
		return true, nil
	case "0", "false", "FALSE":
		return false, nil
	}
	return nil, fmt.Errorf("found %q, expected 1 or 0", brief(text))
}

func parseInt(text string, bits int) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, bits)
	if err != nil {
		return 0, fmt.Errorf("found %q, expected an integer of %d bits", brief(text), bits)
	}
	return n, nil
}

func parseFloat(text string, bits int) (float64, error) {
	f, err := strconv.ParseFloat(strings.TrimSpace(text), bits)
	if err != nil {
		return 0, fmt.Errorf("found %q, expected a number", brief(text))
	}
	return f, nil
}

// typeOf returns the type of v.
func typeOf(v any) (valueType, error) {
	switch v.(type) {
	case nil:
		return typeNull, nil
	case string, Group:
		return typeString, nil
	case bool:
		return typeBoolean, nil
	case int8:
		return typeInt8, nil
	case int16:
		return typeInt16, nil
	case int32:
		return typeInt32, nil
	case int64:
		return typeInt64, nil
	case float32:
		return typeFloat32, nil
	case float64:
		return typeFloat64, nil
	case []byte:
		return typeBytes, nil
	case Char:
		return typeChar, nil
	}
	return "", fmt.Errorf("found %T, expected a type that a property can have", v)
}

// appendValue appends the text of v, which has a type, escaped.
func appendValue(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		return appendString(dst, v)
	case bool:
		if v {
			return append(dst, '1'), nil
		}
		return append(dst, '0'), nil
	case int8:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int16:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int32:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case float32:
		return appendFloat(dst, float64(v), 32), nil
	case float64:
		return appendFloat(dst, v, 64), nil
	case []byte:
		return hex.AppendEncode(dst, v), nil
	case Char:
		if !utf8.ValidRune(rune(v)) || !IsText(string(rune(v))) {
			return dst, fmt.Errorf("found character %d, expected one that XML can hold", v)
		}
		return appendText(dst, string(rune(v))), nil
	case Group:
		return append(dst, v...), nil
	}
	return dst, nil // null
}

func appendString(dst []byte, s string) ([]byte, error) {
	if !IsText(s) {
		return dst, fmt.Errorf("found %q, expected text that XML can hold", brief(s))
	}
	return appendText(dst, s), nil
}

// IsText reports whether XML can hold s: valid UTF-8 without control characters
// other than white space.
func IsText(s string) bool {
	for i, r := range s {
		switch {
		case r == '\t', r == '\n', r == '\r':
		case r < ' ', r == 0xfffe, r == 0xffff:
			return false
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)):
			return false
		}
	}
	return true
}

// appendFloat writes a number as Java reads it.
func appendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, bits)
}
