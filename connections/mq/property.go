package mq

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/types"

	"github.com/fairlead/fairlead/connections/mq/rfh2"
)

// A header becomes a property in folder usr under its own name, where JMS allows
// it; other characters are written as _xHHHH_. A property cannot be a time, text
// without characters, which queue managers drop, or text that XML cannot hold,
// which is written in base64. A property of our own, fairlead_types, names those.

const (
	typeEmpty  = "empty"
	typeTime   = "time"
	typeBase64 = "base64"
)

// propertyOf returns the property for a header, and what fairlead_types says of
// it, if anything.
func propertyOf(name string, v any) (p rfh2.Property, note string, err error) {
	p.Name = escapeName(name)
	if p.Value, err = valueOf(v); err != nil {
		return p, "", fmt.Errorf("header %s: %w", name, err)
	}
	text, isText := p.Value.(string)
	switch {
	case isTime(v):
		note = typeTime
	case isText && text == "":
		note = typeEmpty
	case isText && !rfh2.IsText(text):
		note, p.Value = typeBase64, base64.StdEncoding.EncodeToString([]byte(text))
	default:
		return p, "", nil
	}
	return p, p.Name + "=" + note, nil
}

func isTime(v any) bool {
	switch v.(type) {
	case time.Time, types.Timestamp:
		return true
	}
	return false
}

// valueOf returns v as a property can hold it; what has no type there in its
// CloudEvents text form.
func valueOf(v any) (any, error) {
	switch v := v.(type) {
	case string, bool, int8, int16, int32, int64, float32, float64, []byte, rfh2.Char, rfh2.Group:
		return v, nil
	case int:
		return integer(int64(v)), nil
	case uint8:
		return int16(v), nil
	case uint16:
		return int32(v), nil
	case uint32:
		return int64(v), nil
	case uint:
		return unsigned(uint64(v)), nil
	case uint64:
		return unsigned(v), nil
	}
	return types.Format(v)
}

func integer(n int64) any {
	if n >= math.MinInt32 && n <= math.MaxInt32 {
		return int32(n)
	}
	return n
}

func unsigned(n uint64) any {
	if n > math.MaxInt64 {
		return strconv.FormatUint(n, 10)
	}
	return integer(int64(n))
}

// headerOf is the other way round. Null has no form as a header.
func headerOf(p rfh2.Property, notes map[string]string) (name string, v any, ok bool) {
	name = unescapeName(p.Name)
	switch v := p.Value.(type) {
	case nil:
		return name, nil, false
	case rfh2.Char:
		return name, string(rune(v)), true
	case rfh2.Group:
		return name, string(v), true
	case string:
		if note := notes[p.Name]; note != "" {
			return name, noted(v, note), true
		}
	}
	return name, p.Value, true
}

// noted returns what text stands for, as fairlead_types says.
func noted(text, note string) any {
	switch note {
	case typeTime:
		if t, err := types.ParseTime(text); err == nil {
			return t
		}
	case typeBase64:
		if b, err := base64.StdEncoding.DecodeString(text); err == nil {
			return string(b)
		}
	}
	return text
}

// notesIn returns what fairlead_types says of each property; nil if there is none.
func notesIn(user []rfh2.Property) map[string]string {
	var notes map[string]string
	for _, p := range user {
		text, ok := p.Value.(string)
		if p.Name != propertyTypes || !ok {
			continue
		}
		notes = make(map[string]string)
		for note := range strings.FieldsSeq(text) {
			property, kind, _ := strings.Cut(note, "=")
			notes[property] = kind
		}
	}
	return notes
}

// escapeName returns name with all characters that a JMS property cannot have
// as _xHHHH_.
func escapeName(name string) string {
	if isPlainName(name) {
		return name
	}
	var b strings.Builder
	for i, r := range name {
		switch {
		case !isNamePart(r, i == 0), r == '_' && isEscape(name[i:]):
			for _, unit := range utf16.AppendRune(nil, r) {
				fmt.Fprintf(&b, "_x%04X_", unit)
			}
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isPlainName(name string) bool {
	if name == "" || strings.Contains(name, "_x") {
		return false
	}
	first := true
	return !strings.ContainsFunc(name, func(r rune) bool {
		bad := !isNamePart(r, first)
		first = false
		return bad
	})
}

// isNamePart reports whether both JMS and XML take r in a name.
func isNamePart(r rune, first bool) bool {
	return r != '-' && r != '.' && rfh2.IsNamePart(r, first)
}

// escapeLength is the length of _xHHHH_.
const escapeLength = 7

func isEscape(s string) bool {
	_, ok := escaped(s)
	return ok
}

// escaped returns the character that s begins with, if it is escaped.
func escaped(s string) (unit uint16, ok bool) {
	if len(s) < escapeLength || s[:2] != "_x" || s[6] != '_' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return uint16(n), err == nil
}

func unescapeName(name string) string {
	if !strings.Contains(name, "_x") {
		return name
	}
	var units []uint16
	for len(name) > 0 {
		if unit, ok := escaped(name); ok {
			units, name = append(units, unit), name[escapeLength:]
			continue
		}
		r, n := utf8.DecodeRuneInString(name)
		units, name = utf16.AppendRune(units, r), name[n:]
	}
	return string(utf16.Decode(units))
}
