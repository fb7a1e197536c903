package dashboard

import (
	"encoding/json"
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// functions are what templates call.
var functions = template.FuncMap{
	"ago":    ago,
	"until":  until,
	"time":   timeTag,
	"number": number,
	"count":  func(n any) string { return grouped(fmt.Sprint(n)) },
	"bytes":  byteCount,
	"path":   pathOf,
	"query":  query,
	"yaml":   asYAML,
	"state":  state,
	"lines":  func(s string) []string { return strings.Split(strings.TrimRight(s, "\n"), "\n") },
	"add":    func(a, b int) int { return a + b },
	"dict":   dict,
	"anchor": anchor,
	"short":  short,
	"typeOf": typeOf,
}

// ago says how long ago t was; nothing for a time that is not known.
func ago(t any) string {
	when, ok := timeOf(t)
	if !ok {
		return "never"
	}
	d := time.Since(when)
	if d < 0 {
		return "in " + span(-d)
	}
	return span(d) + " ago"
}

// until says how long it is until t.
func until(t any) string {
	when, ok := timeOf(t)
	if !ok {
		return ""
	}
	if d := time.Until(when); d > 0 {
		return "in " + span(d)
	}
	return "now"
}

func timeOf(t any) (time.Time, bool) {
	switch t := t.(type) {
	case time.Time:
		return t, !t.IsZero()
	case *time.Time:
		if t != nil {
			return *t, !t.IsZero()
		}
	}
	return time.Time{}, false
}

const day = 24 * time.Hour

// span is a duration in its largest unit.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 2*day:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d/day))
}

// timeTag shows how long ago t was, and exactly when to who points at it.
func timeTag(t any) template.HTML {
	when, ok := timeOf(t)
	if !ok {
		return "never"
	}
	exact := when.UTC().Format("2006-01-02 15:04:05.000 UTC")
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`, when.UTC().Format(time.RFC3339Nano), exact, ago(when))) // nothing in it is from outside
}

// number shows a rate in as many digits as one looks at.
func number(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 10:
		return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
	}
	return grouped(strconv.FormatFloat(v, 'f', 0, 64))
}

// grouped separates the thousands of a whole number.
func grouped(digits string) string {
	const group = 3
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%group == 0 && digits[i-1] != '-' {
			b.WriteRune('\u202f')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// byteCount shows a size.
func byteCount(n int) string {
	const kibi = 1 << 10
	switch {
	case n < kibi:
		return fmt.Sprintf("%d bytes", n)
	case n < kibi*kibi:
		return fmt.Sprintf("%.1f KiB", float64(n)/kibi)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(kibi*kibi))
}

// pathOf joins segments to a path, each escaped; the first is a section.
func pathOf(section string, names ...any) string {
	var b strings.Builder
	b.WriteString(section)
	for _, n := range names {
		b.WriteString("/" + url.PathEscape(fmt.Sprint(n)))
	}
	return b.String()
}

// query returns a query of names and values in turn; those without a value are
// left out.
func query(pairs ...any) template.URL {
	q := make(url.Values)
	for i := 0; i+1 < len(pairs); i += 2 {
		if v := fmt.Sprint(pairs[i+1]); v != "" && v != "0" {
			q.Set(fmt.Sprint(pairs[i]), v)
		}
	}
	return template.URL(q.Encode()) // which escapes
}

// asYAML shows a part of a configuration.
func asYAML(v any) string {
	b, err := yaml.MarshalWithOptions(v, yaml.IndentSequence(true))
	if err != nil {
		j, _ := json.MarshalIndent(v, "", "  ") // it came from a document
		return string(j)
	}
	return string(b)
}

// state returns the class of a state: good, wait or bad.
func state(s string) string {
	switch s {
	case "running", "connected", "serving", "done":
		return "good"
	case "down", "stopped", "refused", "failed":
		return "bad"
	case "paused", "standby", "connecting", "waiting":
		return "wait"
	}
	return "idle"
}

// dict makes a map of names and values in turn, for templates that need more than
// one value.
func dict(pairs ...any) map[string]any {
	m := make(map[string]any)
	for i := 0; i+1 < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m
}

// anchor makes an HTML id of a name.
func anchor(parts ...any) string {
	var b strings.Builder
	for i, p := range parts {
		if i > 0 {
			b.WriteByte('-')
		}
		for _, c := range fmt.Sprint(p) {
			if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
				b.WriteRune(c)
			} else {
				fmt.Fprintf(&b, "_%x", c)
			}
		}
	}
	return b.String()
}

// short cuts a text that would take too much room in a table.
func short(s string) string {
	const most = 160
	line, _, more := strings.Cut(s, "\n")
	if r := []rune(line); len(r) > most {
		return string(r[:most]) + "…"
	}
	if more {
		return line + " …"
	}
	return line
}

// typeOf returns the type that a new object is to have, for the links of its form;
// that of one that exists is in it.
func typeOf(p any) string {
	if p, ok := p.(editPage); ok && p.Name == "" {
		return p.Type
	}
	return ""
}
