package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// watchInterval is how often the files are looked at. A change is one that has
// been the same for two looks: an editor may save several files.
const watchInterval = 50 * time.Millisecond

// sources are the files that a program is made of.
type sources struct {
	folders []string // of the packages of the app's module; each Go file in them counts
	files   []string // others: embedded ones, go.mod, the configuration
}

// sources asks the Go command what the app is built from.
func (a *app) sources(ctx context.Context) (sources, error) {
	s := sources{files: []string{filepath.Join(a.moduleDir, "go.mod"), filepath.Join(a.moduleDir, "go.sum")}}
	cmd := exec.CommandContext(ctx, "go", "list", "-e", "-deps", "-json=Dir,Module,EmbedFiles", ".")
	cmd.Dir = a.dir
	out, err := cmd.StdoutPipe()
	if err != nil {
		return s, err
	}
	if err := cmd.Start(); err != nil {
		return s, err
	}
	for dec := json.NewDecoder(out); ; {
		var p struct {
			Dir        string
			Module     *struct{ Main bool }
			EmbedFiles []string
		}
		if err := dec.Decode(&p); err != nil {
			if !errors.Is(err, io.EOF) {
				return s, errors.Join(fmt.Errorf("go list: %w", err), cmd.Wait())
			}
			return s, cmd.Wait()
		}
		if p.Module == nil || !p.Module.Main {
			continue
		}
		s.folders = append(s.folders, p.Dir)
		for _, f := range p.EmbedFiles {
			s.files = append(s.files, filepath.Join(p.Dir, f))
		}
	}
}

// A snapshot is what the files looked like, by path.
type snapshot map[string]look

type look struct {
	size    int64
	changed time.Time
}

func (s sources) look() snapshot {
	seen := make(snapshot)
	for _, f := range s.files {
		if info, err := os.Stat(f); err == nil { // what is not there may come
			seen[f] = look{info.Size(), info.ModTime()}
		}
	}
	for _, dir := range s.folders {
		entries, _ := os.ReadDir(dir) // likewise
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
				continue
			}
			if info, err := e.Info(); err == nil {
				seen[filepath.Join(dir, e.Name())] = look{info.Size(), info.ModTime()}
			}
		}
	}
	return seen
}

// baseline is what the files looked like when a build began: as known says, or,
// for files that it does not have, as they look now, unless that is younger.
func (s sources) baseline(known snapshot, began time.Time) snapshot {
	base := s.look()
	for f, l := range base {
		if old, ok := known[f]; ok {
			base[f] = old
		} else if l.changed.After(began.Add(-clockGrain)) {
			base[f] = look{}
		}
	}
	return base
}

// clockGrain is by how much the time of a file may be behind the clock.
const clockGrain = 20 * time.Millisecond

// watch calls changed whenever the files that list returns have changed since
// began, until ctx ends.
func watch(ctx context.Context, began time.Time, list func(context.Context) (sources, error), changed func()) {
	s, err := list(ctx)
	if err != nil {
		return // ctx has ended, or there is no Go toolchain any more
	}
	base := s.baseline(nil, began)
	last := base
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		began = time.Now()
		now := s.look()
		if maps.Equal(now, base) || !maps.Equal(now, last) {
			last = now
			continue
		}
		changed()
		tick.Reset(watchInterval) // what is to be done now goes first
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if next, err := list(ctx); err == nil { // else go.mod is broken, say
			s = next
		}
		base = s.baseline(now, began)
		last = base
	}
}
