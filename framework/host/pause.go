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
	"github.com/fairlead/fairlead/framework/config/stored"
	"github.com/fairlead/fairlead/triggers"
)

// errPaused is why a trigger does not run that an operator paused.
var errPaused = errors.New("paused by an operator")

// Pause makes a trigger receive nothing more, and returns when what it has in
// hand is done, up to the grace period and ctx; the rest goes back to its broker.
// One for HTTP requests answers 503. The trigger stays paused, whatever else
// changes and in the next program, too, until [host.Resume]. With a store it is
// paused on every replica; without one, until it is gone from the configuration
// of this program. One that is paused already stays so.
func (h *host) Pause(ctx context.Context, trigger string) error {
	return h.setPaused(ctx, trigger, true)
}

// Resume lets a trigger run again that [host.Pause] has stopped.
func (h *host) Resume(ctx context.Context, trigger string) error {
	return h.setPaused(ctx, trigger, false)
}

func (h *host) setPaused(ctx context.Context, trigger string, paused bool) error {
	if cfg := h.config.Load(); cfg != nil && !cfg.Has(triggersKind, trigger) && (paused || !h.sources.paused(trigger)) {
		return fmt.Errorf("%w: there is no trigger %q", admin.ErrNotFound, trigger)
	}
	if s := h.stored.Load(); s != nil && h.sources.following.Load() {
		return h.sharePause(ctx, s, trigger, paused)
	}
	h.changing.Lock()
	defer h.changing.Unlock()
	return h.switchPause(ctx, trigger, paused)
}

// switchPause pauses a trigger in this program, or resumes it. The caller holds
// h.changing.
func (h *host) switchPause(ctx context.Context, trigger string, paused bool) error {
	if h.stopped.Load() {
		return errStopped
	}
	if h.paused[trigger] != paused {
		h.log.Info("trigger changed by an operator", "trigger", trigger, "paused", paused)
	}
	if h.paused[trigger] = paused; !paused {
		delete(h.paused, trigger)
	}
	defer h.keepPauses()
	ctx, cancel := h.untilHalted(ctx)
	defer cancel()
	switch t := h.triggers()[trigger]; {
	case h.now != nil && h.now.cfg.Triggers[trigger].Channel != nil:
		return h.switchChannel(ctx, trigger, paused)
	case t == nil || t.paused == paused:
		return nil
	default:
		return h.switchTrigger(ctx, t)
	}
}

// switchTrigger ends what runs of a trigger and starts it as h.paused says.
func (h *host) switchTrigger(ctx context.Context, t *runningTrigger) error {
	t.cancel()
	err := h.leave(ctx, t)
	next, failed := h.start(h.now.triggers[t.name])
	if failed != nil {
		return errors.Join(err, failed)
	}
	all := maps.Clone(h.triggers())
	all[t.name] = next
	h.setTriggers(all)
	return err
}

// switchChannel makes a trigger for HTTP requests be served as h.paused says, and
// waits until no request is being served that came before a pause.
func (h *host) switchChannel(ctx context.Context, trigger string, paused bool) error {
	next, err := h.gateway(h.now.cfg)
	if err != nil {
		return err
	}
	h.now.gateway = next
	h.http.Store(next)
	for paused && next.Router.Status()[trigger].InFlight > 0 {
		if err := triggers.Sleep(ctx, verdictPause); err != nil {
			return fmt.Errorf("trigger %s is still draining: %w", trigger, err)
		}
	}
	return nil
}

// sharePause pauses a trigger on all replicas, or resumes it. It returns when this
// one has done so.
func (h *host) sharePause(ctx context.Context, s *storage, trigger string, paused bool) error {
	h.sources.mu.Lock()
	defer h.sources.mu.Unlock()
	asking, cancel := context.WithTimeout(ctx, followTimeout)
	defer cancel()
	var after stored.Snapshot
	generation, err := stored.Make(asking, s.Store, author(ctx), followTimeout, func(c *stored.Change) error {
		err := c.Pause(trigger, paused)
		after = c.Snapshot
		return err
	})
	if err != nil {
		return classify(err)
	}
	if known := h.sources.snapshot(); known != nil && known.Generation+1 >= generation { // nothing else has changed
		next := *known
		next.Generation, next.Paused = generation, after.Paused
		h.sources.stored.Store(&next)
	}
	h.sources.changed()
	h.changing.Lock()
	defer h.changing.Unlock()
	return h.switchPause(ctx, trigger, paused)
}

// foretellPauses says which triggers start paused.
func (h *host) foretellPauses(names []string) {
	h.changing.Lock()
	defer h.changing.Unlock()
	h.recalled = true // what the store says holds
	for _, name := range names {
		h.paused[name] = true
	}
}

// alignPauses pauses the triggers that are named, and resumes all others.
func (h *host) alignPauses(names []string) error {
	h.changing.Lock()
	defer h.changing.Unlock()
	ctx, cancel := context.WithTimeout(h.life, h.grace())
	defer cancel()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(h.paused)) {
		if !slices.Contains(names, name) {
			errs = append(errs, h.switchPause(ctx, name, false))
		}
	}
	for _, name := range names {
		errs = append(errs, h.switchPause(ctx, name, true))
	}
	return errors.Join(errs...)
}

// forgetPauses drops the pauses of triggers that are gone. With a store, whose
// other replicas may have them, none is dropped.
func (h *host) forgetPauses() {
	if h.sources.snapshot() != nil {
		return
	}
	before := len(h.paused)
	maps.DeleteFunc(h.paused, func(name string, _ bool) bool {
		return !h.now.cfg.Has(triggersKind, name)
	})
	if len(h.paused) < before {
		h.keepPauses()
	}
}

// pausesFile is where the names of paused triggers are kept, in JSON; empty for a
// host whose configuration is not read from a file.
func (h *host) pausesFile() string {
	if h.origin.path == "" {
		return ""
	}
	return filepath.Join(stateBeside(h.origin.path), "paused.json")
}

// recallPauses reads what keepPauses of an earlier program has written. It holds
// until the store says better.
func (h *host) recallPauses() {
	if h.recalled {
		return
	}
	h.recalled = true
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

func (h *host) keepPauses() {
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
