package broker

import (
	"errors"
	"testing"

	"github.com/go-stomp/stomp/v3/frame"
)

func selected() *message {
	return &message{header: frame.NewHeader("color", "red", "size", "12", "name", "O'Neill 50%", "reply-to", "/queue/a", "flag", "true", "odd", "1.5x", "correlation-id", "c1")}
}

func TestSelector(t *testing.T) {
	for text, want := range map[string]bool{
		"":                            true,
		"  ":                          true,
		"color = 'red'":               true,
		"color='blue'":                false,
		"'red' = color":               true,
		"color <> 'blue'":             true,
		"size > 5":                    true, // and not as text
		"size >= 12 and size <= 12.0": true,
		"size < 12 or SIZE = 12":      false, // names are case-sensitive
		"size = '12'":                 true,
		"size > -1":                   true,
		"odd > 1":                     false, // no number
		"NOT odd > 1":                 false,
		"missing = 'x'":               false,
		"missing <> 'x'":              false, // unknown is not true
		"NOT (missing = 'x')":         false,
		"missing IS NULL":             true,
		"color IS NOT NULL":           true,
		"color is null":               false,
		"missing = 'x' OR size = 12":  true,
		"color = 'red' AND missing IS NULL AND NOT size = 13": true,
		"color = 'red' OR size = 1 AND size = 2":              true, // AND binds more
		"(color = 'red' OR size = 1) AND size = 2":            false,
		"color IN ('blue', 'red')":                            true,
		"color NOT IN ('blue', 'red')":                        false,
		"missing NOT IN ('blue')":                             false,
		"size IN (12)":                                        true,
		"name LIKE 'O''N%50_'":                                true,
		"name LIKE 'O''Neill'":                                false,
		"name NOT LIKE 'x%'":                                  true,
		"missing LIKE '%'":                                    false,
		"color LIKE 'r.d'":                                    false,
		"reply-to = '/queue/a'":                               true,
		"JMSReplyTo LIKE '/queue/%'":                          true,
		"JMSCorrelationID = 'c1'":                             true,
		"flag = TRUE":                                         true,
	} {
		s, err := parseSelector(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := s.matches(selected()); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func TestSelectorRefused(t *testing.T) {
	for _, text := range []string{
		"color", "color =", "= 'red'", "color = red'", "color = 'red' 'blue'", "color = 'red' AND", "(color = 'red'", "color = 'red')",
		"size + 1 > 5", "size +1 > 5", "size-1 > 5", "size * 2 > 5", "size BETWEEN 1 AND 2", "name LIKE 'a' ESCAPE '!'", "name LIKE name",
		"color IN ()", "color IN ('a'", "color IN 'a'", "NOT", "color NOT = 'red'", "color IS 'red'", "color == 'red'", "$%&", "AND = 'x'",
	} {
		s, err := parseSelector(text)
		var refused *refusal
		if !errors.As(err, &refused) {
			t.Errorf("%q: got %v, %v, want a refusal", text, s, err)
		}
	}
}

func FuzzSelector(f *testing.F) {
	f.Add("a = 'b' AND NOT (c IN ('d', 1) OR e LIKE '%f_') AND g IS NOT NULL")
	f.Add("size >= -1.5e3")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := parseSelector(text); err == nil {
			s.matches(selected())
		}
	})
}
