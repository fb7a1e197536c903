package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// scalar reads n into a string, a number or a boolean.
func (r *reader) scalar(n *node, v reflect.Value, tag reflect.StructTag) {
	if r.wrong[n] {
		return
	}
	switch k := v.Kind(); {
	case k == reflect.String:
		r.string(n, v, tag)
	case k == reflect.Bool:
		if n.kind != boolean && !(n.reference && (n.text == "true" || n.text == "false")) {
			r.at(n, show(n, tag), "true or false")
			return
		}
		v.SetBool(isTrue(n.text))
	case v.CanInt():
		r.int(n, v, tag)
	case v.CanUint():
		r.uint(n, v, tag)
	case v.CanFloat():
		f, err := parseFloat(n.text)
		if !n.number(decimal) || err != nil || v.OverflowFloat(f) {
			r.at(n, show(n, tag), "a number"+bounds(n, "", ""))
			return
		}
		v.SetFloat(f)
	default:
		r.unsupported(n, v.Type())
	}
}

// string reads text. A number is text as it is spelled, so that password: 0123
// needs no quotes; true and nothing are more likely mistakes.
func (r *reader) string(n *node, v reflect.Value, tag reflect.StructTag) {
	values := enum(tag)
	switch {
	case n.kind != text && n.kind != integer && n.kind != decimal:
		want := "text"
		if n.kind == boolean {
			want = "text (put it in quotes)"
		}
		r.at(n, show(n, tag), want)
		return
	case values != nil && !slices.Contains(values, n.text):
		r.at(n, show(n, tag), oneOf(n.text, values))
		return
	}
	r.noteLiteral(n, tag.Get("secret"))
	s := n.text
	if tag.Get("path") == "true" {
		s = r.beside(s)
	}
	v.SetString(s)
}

// number reports whether n is a number of kind k by its form, or a reference,
// which has no form.
func (n *node) number(k kind) bool {
	return n.kind == integer || n.kind == k || n.reference
}

func (r *reader) int(n *node, v reflect.Value, tag reflect.StructTag) {
	i, err := parseInt(n.text, v.Type().Bits())
	if !n.number(integer) || err != nil {
		most := int64(math.MaxInt64) >> (64 - v.Type().Bits())
		r.at(n, show(n, tag), "a whole number"+bounds(n, fmt.Sprint(-most-1), fmt.Sprint(most)))
		return
	}
	v.SetInt(i)
}

func (r *reader) uint(n *node, v reflect.Value, tag reflect.StructTag) {
	u, err := parseUint(n.text, v.Type().Bits())
	if !n.number(integer) || err != nil {
		most := uint64(math.MaxUint64) >> (64 - v.Type().Bits())
		r.at(n, show(n, tag), "a whole number"+bounds(n, "0", fmt.Sprint(most)))
		return
	}
	v.SetUint(u)
}

// bounds says which numbers there are, where n is one that is not.
func bounds(n *node, least, most string) string {
	switch {
	case leadingZero(n.text):
		return " without a 0 before it, which some read as octal"
	case n.kind == integer && least != "":
		return " from " + least + " to " + most
	}
	return ""
}

var errLeadingZero = errors.New("leading zero")

// leadingZero reports whether s is a number such as 0123, which is 123 to some
// and 83 to others.
func leadingZero(s string) bool {
	s = strings.TrimLeft(s, "+-")
	return len(s) > 1 && s[0] == '0' && s[1] >= '0' && s[1] <= '9'
}

func parseInt(s string, bits int) (int64, error) {
	if leadingZero(s) {
		return 0, errLeadingZero
	}
	return strconv.ParseInt(s, 0, bits)
}

func parseUint(s string, bits int) (uint64, error) {
	if leadingZero(s) {
		return 0, errLeadingZero
	}
	return strconv.ParseUint(strings.TrimPrefix(s, "+"), 0, bits)
}

func parseFloat(s string) (float64, error) {
	switch strings.ToLower(s) {
	case ".inf", "+.inf":
		return math.Inf(1), nil
	case "-.inf":
		return math.Inf(-1), nil
	case ".nan":
		return math.NaN(), nil
	}
	if i, err := parseInt(s, 64); err == nil || errors.Is(err, errLeadingZero) {
		return float64(i), err
	}
	return strconv.ParseFloat(s, 64)
}

func isTrue(s string) bool { return strings.EqualFold(s, "true") }

func isDuration(t reflect.Type) bool { return t == reflect.TypeFor[time.Duration]() }

// duration reads a duration with its unit. Zero means the default in our structs,
// so it is refused where no pointer tells it from what was left out.
func (r *reader) duration(n *node, v reflect.Value, tag reflect.StructTag, zero bool) {
	if r.wrong[n] {
		return
	}
	d, err := time.ParseDuration(n.text)
	switch {
	case n.kind != text && n.text != "0" || err != nil:
		r.at(n, show(n, tag), "a duration with its unit, such as 10s or 100ms")
	case !zero && d <= 0:
		r.at(n, show(n, tag), "a duration above 0, such as 10s or 100ms")
	case !r.lenient && d < 0:
		r.at(n, show(n, tag), "a duration from 0, such as 10s or 100ms")
	default:
		v.SetInt(int64(d))
	}
}

// show says what n is, and nothing of its content if it is a secret.
func show(n *node, tag reflect.StructTag) string {
	if tag.Get("secret") == "true" || tag.Get("secret") == "url" && n.kind != nothing {
		return n.what()
	}
	return n.describe()
}
