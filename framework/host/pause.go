package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/fairlead/fairlead/admin"
)

// errPaused is why a trigger does not run that an operator paused.
var errPaused = errors.New("paused by an operator")

// Pause makes a trigger receive nothing more, and returns when what it has in
// hand is done, up to the grace period and ctx; the rest goes back to its broker.
// The trigger stays paused, whatever else changes and in the next program with
// this configuration file, too, until [Host.Resume], or until it is gone from the
// configuration. One that is paused already stays so.
func (h *Host) Pause(ctx context.Context, trigger string) error {
	return h.setPaused(ctx, trigger, true)
}

// Resume lets a trigger run again that [Host.Pause] has stopped.
func (h *Host) Resume(ctx context.Context, trigger string) error {
	return h.setPaused(ctx, trigger, false)
}

func (h *Host) setPaused(ctx context.Context, trigger string, paused bool) error {
	h.changing.Lock()
	defer h.changing.Unlock()
	if h.stopped.Load() {
		return errStopped
	}
	running := h.triggers()
	t := running[trigger]
	if t == nil {
		return h.noSuchTrigger(trigger)
	}
	if t.paused == paused {
		return nil
	}
	ctx, cancel := h.untilHalted(ctx)
	defer cancel()
	t.cancel()
	err := h.leave(ctx, t)
	if paused {
		h.paused[trigger] = true
	} else {
		delete(h.paused, trigger)
	}
	next, failed := h.start(h.now.triggers[trigger])
	if failed != nil {
		return errors.Join(err, failed)
	}
	all := maps.Clone(running)
	all[trigger] = next
	h.setTriggers(all)
	h.keepPauses()
	h.log.Info("trigger changed by an operator", "trigger", trigger, "paused", paused)
	return err
}

// noSuchTrigger says why a trigger cannot be paused.
func (h *Host) noSuchTrigger(name string) error {
	if cfg := h.config.Load(); cfg != nil && cfg.Triggers[name].Channel != nil {
		return fmt.Errorf("%w: trigger %s is started by HTTP requests, and only what receives by itself can be paused", admin.ErrBadRequest, name)
	}
	return fmt.Errorf("%w: there is no trigger %q", admin.ErrNotFound, name)
}

// forgetPauses drops the pauses of triggers that are gone.
func (h *Host) forgetPauses() {
	before := len(h.paused)
	maps.DeleteFunc(h.paused, func(name string, _ bool) bool {
		_, there := h.now.triggers[name]
		return !there
	})
	if len(h.paused) < before {
		h.keepPauses()
	}
}

// pausesFile is where the names of paused triggers are kept, in JSON; empty for a
// host whose configuration is not read from a file.
func (h *Host) pausesFile() string {
	if h.origin.path == "" {
		return ""
	}
	return filepath.Join(stateBeside(h.origin.path), "paused.json")
}

// recallPauses reads what keepPauses of an earlier program has written.
func (h *Host) recallPauses() {
	data, err := os.ReadFile(h.pausesFile())
	if err != nil {
		return // nothing is paused
	}
	var names []string
	if err := json.Unmarshal(data, &names); err != nil {
		h.log.Warn("which triggers were paused is not known", "file", h.pausesFile(), "err", err)
	}
	for _, name := range names {
		h.paused[name] = true
		h.log.Info("trigger is still paused by an operator", "trigger", name)
	}
}

func (h *Host) keepPauses() {
	path := h.pausesFile()
	if path == "" {
		return
	}
	err := os.Remove(path)
	if len(h.paused) > 0 {
		var data []byte
		if data, err = json.Marshal(slices.Sorted(maps.Keys(h.paused))); err == nil {
			err = errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600))
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.log.Warn("which triggers are paused will be forgotten when the program ends", "err", err)
	}
}
