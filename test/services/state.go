package services

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// state is the run file: what "up" started, for the tests to find. What is not
// running is empty.
type state struct {
	Brokers   map[string]Broker `json:"brokers"`
	Certs     string            `json:"certs"`     // see Broker.Certs
	Dist      string            `json:"dist"`      // the brokers' programs, for private instances
	KDC       string            `json:"kdc"`       // folder of the Kerberos realm's files
	Postgres  string            `json:"postgres"`  // URL of the database postgres
	ToxiProxy string            `json:"toxiproxy"` // address of its HTTP API
	Python    string            `json:"python"`    // path of the interpreter
}

func (p place) stateFile() string { return filepath.Join(p.run, "state.json") }

// read returns the state in the run file; it wraps fs.ErrNotExist if nothing is up.
func (p place) read() (state, error) {
	text, err := os.ReadFile(p.stateFile())
	if err != nil {
		return state{}, fmt.Errorf("read the run file: %w", err)
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return state{}, fmt.Errorf("read the run file %s: %w", p.stateFile(), err)
	}
	return s, nil
}

// write replaces the run file in one step: tests may be reading it.
func (p place) write(s state) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	next := p.stateFile() + ".new"
	if err := os.WriteFile(next, text, 0o644); err != nil {
		return fmt.Errorf("write the run file: %w", err)
	}
	return os.Rename(next, p.stateFile())
}

// running returns the state that "up" left, or ends the test if there is none.
func running(t testing.TB) state {
	t.Helper()
	p, err := here()
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.read()
	if errors.Is(err, fs.ErrNotExist) {
		missing(t, "no services are running")
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}
