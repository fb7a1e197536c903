package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxListed is how many names a problem lists.
const maxListed = 30

// oneOf says which names would do, beginning with the one that found may be a
// misspelling of.
func oneOf(found string, names []string) string {
	names = slices.Sorted(slices.Values(names))
	switch len(names) {
	case 0:
		return "there are none"
	case 1:
		return strconv.Quote(names[0])
	}
	all := strings.Join(names[:min(len(names), maxListed)], ", ")
	if more := len(names) - maxListed; more > 0 {
		all += fmt.Sprintf(" and %d more", more)
	}
	if near := nearest(found, names); near != "" {
		return fmt.Sprintf("%q, or another of: %s", near, all)
	}
	return "one of: " + all
}

// maxCompared is how long a name may be that is compared.
const maxCompared = 100

// nearest returns the name that found may be a misspelling of, or "".
func nearest(found string, names []string) string {
	best, least := "", max(len(found)/3, 1)+1
	for _, name := range names {
		if len(found) > maxCompared || len(name) > maxCompared {
			continue
		}
		if d := distance(strings.ToLower(found), strings.ToLower(name)); d < least && d < len(name) {
			best, least = name, d
		}
	}
	return best
}

// distance returns how many bytes must be changed, added, dropped or exchanged
// with their neighbour to make b of a.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			change := last[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, row[j]+1, last[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
