package host

import (
	"errors"
	"sync"
	"time"

	"github.com/fairlead/fairlead/framework/config"
)

// A Progress says which configuration runs, and what became of the last one that
// was to replace it.
type Progress struct {
	File       string    // that it was read from; empty: it was no file
	Generation int       // counts the configurations that ran, from 1; 0: none did
	Applied    time.Time // when it began to run
	Refused    error     // why a newer one does not run; nil: there is none
	RefusedAt  time.Time // when that was found out
}

// progress is the Progress of a host. Its zero value is ready to use.
type progress struct {
	mu  sync.Mutex
	now Progress
}

func (p *progress) get() Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// applied notes that cfg runs.
func (p *progress) applied(cfg *config.Config) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = Progress{File: cfg.File, Generation: p.now.Generation + 1, Applied: time.Now()}
}

// same notes that cfg is what runs.
func (p *progress) same(cfg *config.Config) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.File, p.now.Refused, p.now.RefusedAt = cfg.File, nil, time.Time{}
}

// refuse notes why a configuration does not run, and reports whether that is news.
func (p *progress) refuse(err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now.Refused != nil && p.now.Refused.Error() == err.Error() {
		return false
	}
	p.now.Refused, p.now.RefusedAt = err, time.Now()
	return true
}

// refusalOf returns what in err is about one object, or nil.
func refusalOf(err error, kind, name string) error {
	var found []error
	visit(err, func(err error) {
		switch e := err.(type) { //nolint:errorlint // the tree of errors is walked here
		case *refusal:
			if e.kind == kind && e.name == name {
				found = append(found, e.err)
			}
		case config.Problems:
			for _, p := range e {
				if p.Of(kind, name) {
					found = append(found, errors.New(p.String()))
				}
			}
		}
	})
	return errors.Join(found...)
}

// proofFailed reports whether a change was refused because a broker did not let
// us in.
func proofFailed(err error) (failed bool) {
	visit(err, func(err error) {
		if r, ok := err.(*refusal); ok && r.kind == connectionsKind { //nolint:errorlint // the tree of errors is walked here
			failed = true
		}
	})
	return failed
}

// wasRefused reports whether a configuration that makes sense was refused, which no
// change of a file that it refers to would help.
func wasRefused(err error) (refused bool) {
	visit(err, func(err error) {
		if _, ok := err.(*refusal); ok { //nolint:errorlint // likewise
			refused = true
		}
	})
	return refused
}

// visit calls f with err and every error in it.
func visit(err error, f func(error)) {
	if err == nil {
		return
	}
	f(err)
	switch e := err.(type) { //nolint:errorlint // likewise
	case interface{ Unwrap() error }:
		visit(e.Unwrap(), f)
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			visit(err, f)
		}
	}
}
