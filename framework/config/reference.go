package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// A wrongReference says what is wrong with a ${…}.
type wrongReference struct{ found, expected string }

// resolve replaces the references in a text.
func (r *reader) resolve(n *node) {
	if r.deferred {
		return
	}
	s, wrong := expand(n.written, func(reference string) (string, *wrongReference) {
		n.reference = true
		return r.lookUp(n, reference)
	})
	if wrong != nil {
		r.at(n, wrong.found, wrong.expected)
		return
	}
	n.text = s
}

// expand replaces each ${…} in s by what lookUp returns for the part between the
// braces. $${ stands for ${ itself.
func expand(s string, lookUp func(string) (string, *wrongReference)) (string, *wrongReference) {
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "${")
		if !ok {
			return out.String() + s, nil
		}
		out.WriteString(before)
		if strings.HasSuffix(before, "$") {
			out.WriteString("{")
			s = rest
			continue
		}
		reference, after, ok := strings.Cut(rest, "}")
		if !ok {
			return "", &wrongReference{"${ without }", forms}
		}
		if strings.Contains(reference, "${") {
			return "", &wrongReference{"a reference in a reference", forms}
		}
		v, wrong := lookUp(reference)
		if wrong != nil {
			return "", wrong
		}
		out.WriteString(v)
		s = after
	}
}

// forms are the references that there are.
const forms = "${env:NAME}, ${env:NAME:-DEFAULT}, ${file:PATH} or ${secret:NAME}; $${ stands for ${ itself"

// lookUp returns what a reference in n stands for.
func (r *reader) lookUp(n *node, reference string) (string, *wrongReference) {
	scheme, name, _ := strings.Cut(reference, ":")
	switch {
	case name == "":
	case scheme == "env":
		return r.fromEnv(name)
	case scheme == "file":
		return r.fromFile(name)
	case scheme == "secret":
		return r.fromStore(n, name)
	}
	return "", &wrongReference{"${" + reference + "}", forms}
}

// fromEnv reads NAME, or NAME:-DEFAULT, whose default stands in for an unset and
// for an empty variable, as in a shell.
func (r *reader) fromEnv(name string) (string, *wrongReference) {
	name, standIn, hasDefault := strings.Cut(name, ":-")
	v, ok := r.options.LookupEnv(name)
	switch {
	case v != "":
		return v, nil
	case hasDefault:
		return standIn, nil
	case !ok:
		return "", &wrongReference{"${env:" + name + "}, which is not set", "the environment variable " + name + ", or a default as in ${env:" + name + ":-DEFAULT}"}
	}
	return "", nil
}

// maxFile is how long a file may be that a value refers to.
const maxFile = 1 << 20

func (r *reader) fromFile(name string) (string, *wrongReference) {
	path := r.beside(name)
	r.files = append(r.files, path)
	s, err := readText(path)
	if err != nil {
		return "", &wrongReference{"${file:" + name + "}", "a file that can be read: " + err.Error()}
	}
	return strings.TrimRight(s, "\r\n"), nil
}

func readText(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s is longer than 1 MiB", path)
	}
	return string(data), err
}

func (r *reader) fromStore(n *node, name string) (string, *wrongReference) {
	r.uses(n, name)
	found := "${secret:" + name + "}"
	if r.options.Secret == nil {
		return "", &wrongReference{found, "${env:NAME} or ${file:PATH}: secrets are kept in the store, which cannot be asked here"}
	}
	v, err := r.options.Secret(name)
	if errors.Is(err, ErrNotYet) && n.object() != nil {
		return r.notYet(n), nil
	}
	if err != nil {
		return "", &wrongReference{found, "a secret that the store has: " + err.Error()}
	}
	return v, nil
}

// beside returns the path of a file that the document names: relative ones start
// at its folder.
func (r *reader) beside(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(r.file), path)
}
