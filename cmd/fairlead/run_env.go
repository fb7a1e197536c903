package main

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/connections/drivers"
	"github.com/fairlead/fairlead/framework/config"
)

// envFile holds variables of the environment for local runs.
const envFile = ".env"

// A dotEnv is the variables of a file .env. A variable of the real environment
// wins over one of the file.
type dotEnv map[string]string

// readEnv reads the file .env in dir, if there is one.
func readEnv(dir string) (dotEnv, error) {
	path := filepath.Join(dir, envFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseEnv(string(text), path)
}

var assignment = regexp.MustCompile(`^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$`)

// parseEnv reads NAME=VALUE lines. A value may be in double quotes, as in Go, or
// in single ones, as it stands; without quotes a comment may follow it.
func parseEnv(text, path string) (dotEnv, error) {
	e := make(dotEnv)
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		m := assignment.FindStringSubmatch(line)
		if m == nil { // what it is may be a secret
			return nil, usagef("%s:%d: expected NAME=VALUE", path, i+1)
		}
		value, err := unquote(m[2])
		if err != nil {
			return nil, usagef("%s:%d: %s: %w", path, i+1, m[1], err)
		}
		e[m[1]] = value
	}
	return e, nil
}

func unquote(value string) (string, error) {
	if value == "" || value[0] != '"' && value[0] != '\'' {
		value, _, _ = strings.Cut(value, " #")
		return strings.TrimSpace(value), nil
	}
	if quoted, err := strconv.QuotedPrefix(value); err == nil && value[0] == '"' && isComment(value[len(quoted):]) {
		return strconv.Unquote(quoted)
	}
	inner, rest, closed := strings.Cut(value[1:], "'")
	if value[0] == '"' || !closed || !isComment(rest) {
		return "", errors.New("expected the value to end with the quote it begins with")
	}
	return inner, nil
}

func isComment(rest string) bool {
	rest = strings.TrimSpace(rest)
	return rest == "" || rest[0] == '#'
}

// environ returns what to add to the environment.
func (e dotEnv) environ() []string {
	var added []string
	for _, name := range slices.Sorted(maps.Keys(e)) {
		if _, set := os.LookupEnv(name); !set {
			added = append(added, name+"="+e[name])
		}
	}
	return added
}

// lookup is os.LookupEnv with the variables of the file.
func (e dotEnv) lookup(name string) (string, bool) {
	if value, ok := os.LookupEnv(name); ok {
		return value, true
	}
	value, ok := e[name]
	return value, ok
}

// getenv is os.Getenv with the variables of the file.
func (e dotEnv) getenv(name string) string {
	value, _ := e.lookup(name)
	return value
}

// loadConfig reads a configuration as a program that "fairlead run" starts does,
// with the file .env beside it. It knows no functions.
func loadConfig(file string) (*config.Config, error) {
	e, err := readEnv(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	return config.Load(file, e.options())
}

func (e dotEnv) options() config.Options {
	return config.Options{Drivers: drivers.All(), LookupEnv: e.lookup, Secret: inStore}
}

// inStore stands in for a secret of the store, which only a running host reads.
func inStore(string) (string, error) { return "", config.ErrNotYet }
