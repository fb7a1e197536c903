package broker

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
)

// A selector chooses messages by their headers in the words of JMS: = <> < > <=
// >= AND OR NOT IN LIKE IS NULL, without arithmetic, BETWEEN and ESCAPE. Headers
// are text; one that is compared with a number is taken as a number. A name may
// have a hyphen (reply-to); JMSCorrelationID, JMSReplyTo, JMSType and
// JMSTimestamp stand for the headers that STOMP has for them. Nil matches all.
type selector struct {
	text string
	test condition
}

// A condition is part of a selector. What depends on a header that a message
// does not have is unknown.
type condition func(*message) truth

type truth int8

const (
	no truth = iota - 1
	unknown
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (s *selector) matches(m *message) bool { return s == nil || s.test(m) == yes }

func (s *selector) String() string {
	if s == nil {
		return ""
	}
	return s.text
}

const selectorToken = `^\s*('(?:[^']|'')*'|-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[\pL_$](?:[\pL\d_$.]|-\pL)*|<>|<=|>=|[=<>(),])`

// parseSelector compiles a selector; nil if there is none. What it does not
// understand is refused: to ignore it would deliver what was not asked for.
func parseSelector(text string) (*selector, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	p := &selectorParser{tokens: regexp.MustCompile(selectorToken), rest: text}
	p.advance()
	test := p.or()
	if p.bad = p.bad || p.token != "" || strings.TrimSpace(p.rest) != ""; p.bad {
		return nil, refuse("selector %.200q is not supported from %.40q on", text, p.token+p.rest)
	}
	return &selector{text: text, test: test}, nil
}

// A selectorParser reads tokens from left to right and stops at a bad one; what
// it has made of the selector by then is not used.
type selectorParser struct {
	tokens *regexp.Regexp
	token  string // the one to look at; "" at the end or before what is no token
	rest   string // after it
	bad    bool
}

func (p *selectorParser) advance() string {
	passed, found := p.token, p.tokens.FindString(p.rest)
	p.token, p.rest = strings.TrimSpace(found), p.rest[len(found):]
	return passed
}

// accept passes the token if it is word.
func (p *selectorParser) accept(word string) bool {
	if p.bad || !strings.EqualFold(p.token, word) {
		return false
	}
	p.advance()
	return true
}

func (p *selectorParser) expect(word string) { p.bad = !p.accept(word) || p.bad }

func (p *selectorParser) or() condition {
	left := p.and()
	for p.accept("OR") {
		a, b := left, p.and()
		left = func(m *message) truth { return max(a(m), b(m)) }
	}
	return left
}

func (p *selectorParser) and() condition {
	left := p.not()
	for p.accept("AND") {
		a, b := left, p.not()
		left = func(m *message) truth { return min(a(m), b(m)) }
	}
	return left
}

func (p *selectorParser) not() condition {
	switch {
	case p.accept("NOT"):
		return negated(p.not(), true)
	case p.accept("("):
		inner := p.or()
		p.expect(")")
		return inner
	default:
		return p.comparison()
	}
}

func negated(c condition, negate bool) condition {
	if !negate {
		return c
	}
	return func(m *message) truth { return -c(m) }
}

func (p *selectorParser) comparison() condition {
	left := p.operand()
	if p.accept("IS") {
		negate := p.accept("NOT")
		p.expect("NULL")
		return negated(func(m *message) truth { return truthOf(!left(m).known) }, negate)
	}
	negate := p.accept("NOT")
	switch {
	case p.accept("LIKE"):
		return negated(p.like(left), negate)
	case p.accept("IN"):
		return negated(p.in(left), negate)
	}
	for _, operator := range []string{"=", "<>", "<", ">", "<=", ">="} {
		if !negate && p.accept(operator) {
			right := p.operand()
			return func(m *message) truth { return compare(left(m), operator, right(m)) }
		}
	}
	p.bad = true
	return nil
}

func (p *selectorParser) in(left operand) condition {
	var choices []operand
	p.expect("(")
	for more := true; more; more = p.accept(",") {
		choices = append(choices, p.operand())
	}
	p.expect(")")
	return func(m *message) truth {
		found := no
		for _, choice := range choices {
			found = max(found, compare(left(m), "=", choice(m)))
		}
		return found
	}
}

var likeWildcards = strings.NewReplacer("%", ".*", "_", ".")

func (p *selectorParser) like(left operand) condition {
	pattern, ok := unquote(p.advance())
	expr, err := regexp.Compile("(?s)^" + likeWildcards.Replace(regexp.QuoteMeta(pattern)) + "$")
	p.bad = p.bad || !ok || err != nil
	return func(m *message) truth {
		if v := left(m); v.known {
			return truthOf(expr.MatchString(v.text))
		}
		return unknown
	}
}

// unquote returns what is between quotes, where two of them are one.
func unquote(token string) (string, bool) {
	inner, ok := strings.CutPrefix(token, "'")
	return strings.ReplaceAll(strings.TrimSuffix(inner, "'"), "''", "'"), ok
}

// An operand is a literal or a header.
type operand func(*message) value

type value struct {
	text   string
	number bool // a literal
	known  bool
}

func (p *selectorParser) operand() operand {
	token := p.advance()
	literal, quoted := unquote(token)
	_, err := strconv.ParseFloat(token, 64)
	switch {
	case quoted:
		return func(*message) value { return value{text: literal, known: true} }
	case err == nil:
		return func(*message) value { return value{text: token, number: true, known: true} }
	}
	switch strings.ToUpper(token) {
	case "TRUE", "FALSE":
		return func(*message) value { return value{text: strings.ToLower(token), known: true} }
	case "", "=", "<>", "<", ">", "<=", ">=", "(", ")", ",", "AND", "OR", "NOT", "IN", "LIKE", "IS", "NULL", "BETWEEN", "ESCAPE":
		p.bad = true
		return nil
	}
	name := stompName(token)
	return func(m *message) value {
		text, ok := m.header.Contains(name)
		return value{text: text, known: ok}
	}
}

func stompName(name string) string {
	switch name {
	case "JMSCorrelationID":
		return "correlation-id"
	case "JMSReplyTo":
		return replyToHeader
	case "JMSTimestamp":
		return timestampHeader
	case "JMSType":
		return "type"
	default:
		return name
	}
}

func compare(a value, operator string, b value) truth {
	if !a.known || !b.known {
		return unknown
	}
	order := strings.Compare(a.text, b.text)
	if a.number || b.number {
		x, errX := strconv.ParseFloat(a.text, 64)
		y, errY := strconv.ParseFloat(b.text, 64)
		if errX != nil || errY != nil {
			return unknown
		}
		order = cmp.Compare(x, y)
	}
	switch operator {
	case "=":
		return truthOf(order == 0)
	case "<>":
		return truthOf(order != 0)
	case "<":
		return truthOf(order < 0)
	case ">":
		return truthOf(order > 0)
	case "<=":
		return truthOf(order <= 0)
	default:
		return truthOf(order >= 0)
	}
}
