package admin

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parameters reads a query, each parameter once, and keeps the first error.
type parameters struct {
	values url.Values
	err    error
}

// list takes all values of a parameter.
func (p *parameters) list(name string) []string {
	v := p.values[name]
	delete(p.values, name)
	return v
}

// text takes a parameter that may be there once.
func (p *parameters) text(name string) string {
	switch v := p.list(name); len(v) {
	case 0:
		return ""
	case 1:
		return v[0]
	default:
		p.bad(name, strings.Join(v, ", "), "one value")
		return ""
	}
}

func (p *parameters) number(name string, otherwise int) int {
	text := p.text(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		p.bad(name, text, "a number from 0")
	}
	return n
}

// limit takes the size of a page.
func (p *parameters) limit(most int) int {
	n := p.number("limit", min(DefaultLimit, most))
	if n < 1 || n > most {
		p.bad("limit", strconv.Itoa(n), fmt.Sprintf("a number from 1 to %d", most))
	}
	return n
}

func limitParameter(most int) parameter {
	return parameter{name: "limit", kind: typeOf[uint](), min: 1, max: most, doc: fmt.Sprintf("of what the page holds: 1 to %d, or %d", most, min(DefaultLimit, most))}
}

// rate takes a number of things a second.
func (p *parameters) rate(name string) float64 {
	text := p.text(name)
	if text == "" {
		return 0
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		p.bad(name, text, "a number above 0")
	}
	return v
}

func (p *parameters) flag(name string) bool {
	text := p.text(name)
	if text == "" {
		return false
	}
	v, err := strconv.ParseBool(text)
	if err != nil {
		p.bad(name, text, "true or false")
	}
	return v
}

func (p *parameters) time(name string) time.Time {
	text := p.text(name)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		p.bad(name, text, "a time as in 2026-01-02T15:04:05Z")
	}
	return t
}

func (p *parameters) bad(name, found, expected string) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: %s: found %q, expected %s", ErrBadRequest, name, found, expected)
	}
}

// end returns the first error. A parameter that nobody took is one: a filter that
// is misspelt must not select everything.
func (p *parameters) end() error {
	if p.err == nil && len(p.values) > 0 {
		return fmt.Errorf("%w: unknown parameter %q", ErrBadRequest, slices.Min(slices.Collect(maps.Keys(p.values))))
	}
	return p.err
}
