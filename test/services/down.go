package services

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Down stops what Up started, and nothing else.
func Down(out io.Writer) error {
	p, err := here()
	if err != nil {
		return err
	}
	return p.stopAll(newProgress(out))
}

// stopAll takes the run file away first, so that no test begins with what is
// about to go.
func (p place) stopAll(log *progress) error {
	if err := os.Remove(p.stateFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return sideBySide(services(), func(s service) error { return stop(s, p.site(s), log) })
}

func stop(s service, at site, log *progress) error {
	process, alive, err := remembered(at.Dir)
	if err == nil && alive {
		if err = process.stop(s.stop); err == nil {
			log.say("%s stopped", s.name)
		}
	}
	if err != nil {
		return fmt.Errorf("stop %s: %w", s.name, err)
	}
	return nil
}
