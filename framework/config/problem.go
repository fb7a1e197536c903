package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Problem is one thing that is wrong with a document.
type Problem struct {
	File     string // empty for what is in no file
	Line     int    // from 1; 0 for what is in no file
	Column   int    // from 1, in characters; 0 likewise
	Path     string // such as triggers.customers-in.function; empty for the document as a whole
	Found    string // what is there; never a secret
	Expected string // what should be there
	Message  string // what is wrong, where somebody else said it; then Found and Expected are empty
}

// String returns the problem in one line, beginning with file, line and column,
// or with the path of what is in no file.
func (p Problem) String() string {
	s := ""
	if p.Line > 0 {
		s = fmt.Sprintf("%s:%d:%d: ", p.File, p.Line, p.Column)
	}
	if p.Path != "" {
		s += p.Path + ": "
	}
	switch {
	case p.Message != "":
		return s + strings.ReplaceAll(p.Message, "\n", "; ")
	case p.Found != "":
		s += "found " + p.Found + ", "
	}
	return s + "expected " + p.Expected
}

// Problems is everything that is wrong with a document, in the order of its
// lines.
type Problems []Problem

// Error returns a line for each problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// problems collects what is wrong with one document. Of several problems with
// the same path and place, or with the same text at the same place (aliases), the
// first one counts.
type problems struct {
	file  string
	found Problems
	wrong map[*node]bool // nodes with a problem in them, and those around
	said  map[string]bool

	origin *origin        // of what is being read; nil: the file
	mute   map[*node]bool // objects of which nothing is reported
}

// at reports a value.
func (p *problems) at(n *node, found, expected string) {
	p.put(n, valuePlace(n), found, expected)
}

// atKey reports an object, at its name.
func (p *problems) atKey(n *node, found, expected string) {
	p.put(n, n.keyAt, found, expected)
}

// put reports n at a place of the caller's choice.
func (p *problems) put(n *node, at place, found, expected string) {
	p.report(n, at, Problem{Path: n.path(), Found: found, Expected: expected})
}

// below reports the part of n that field names, such as "sasl.mechanisms" or
// "urls[0]", or what is nearest around it in the document.
func (p *problems) below(n *node, field, found, expected string) {
	in, exact := n.find(field)
	at := in.keyAt
	if exact {
		at = valuePlace(in)
	}
	p.report(in, at, Problem{Path: join(n.path(), field), Found: found, Expected: expected})
}

// message reports what somebody else says of n.
func (p *problems) message(n *node, text string) {
	p.report(n, valuePlace(n), Problem{Path: n.path(), Message: text})
}

// mark remembers that there is a problem in n.
func (p *problems) mark(n *node) {
	for ; n != nil; n = n.parent {
		p.wrong[n] = true
	}
}

func (p *problems) report(n *node, at place, problem Problem) {
	p.mark(n)
	if p.mute[n.object()] {
		return
	}
	problem.File, problem.Line, problem.Column = p.file, max(at.line, 1), max(at.column, 1)
	from := cmp.Or(n.origin(), p.origin)
	if from != nil {
		problem.Path = cmp.Or(problem.Path, from.object)
		problem.File = from.file
	}
	if from != nil && from.file == "" {
		problem.Line, problem.Column = 0, 0
	}
	text := fmt.Sprint(from, at, problem.Found, "\x00", problem.Expected, problem.Message)
	path := fmt.Sprint(from, at, problem.Path)
	if p.said[text] || problem.Path != "" && p.said[path] {
		return
	}
	p.said[text], p.said[path] = true, true
	p.found = append(p.found, problem)
}

// sorted returns the problems in the order of the lines, those of the file first.
func (p *problems) sorted() Problems {
	apart := func(problem Problem) int {
		if problem.File == p.file {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(p.found, func(a, b Problem) int {
		return cmp.Or(apart(a)-apart(b), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return p.found
}

// valuePlace is where a reader of a problem looks: at the value, or at the key
// if there is none.
func valuePlace(n *node) place {
	if n.kind == nothing {
		return n.keyAt
	}
	return n.at
}

func join(path, field string) string {
	if path == "" || field == "" {
		return path + field
	}
	return path + "." + field
}

// Of reports whether the problem is in the object of that name, such as triggers
// and customers-in.
func (p Problem) Of(kind, name string) bool {
	object := join(kind, name)
	return p.Path == object || strings.HasPrefix(p.Path, object+".")
}
