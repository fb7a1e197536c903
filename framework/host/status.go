package host

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/bindings"
	"github.com/fairlead/fairlead/outbox"
	"github.com/fairlead/fairlead/triggers"
)

// A Status says what there is, as a Config says what is wanted.
type Status struct {
	Started     time.Time
	Functions   []string
	Triggers    map[string]triggers.Status
	Connections map[string]bindings.Status // of the sending side
	Store       *outbox.Status             // nil: there is none
	Missing     []string                   // what readiness waits for
	Progress    Progress                   // of the configuration
}

// Status returns how everything is doing now.
func (h *Host) Status() Status {
	s := Status{
		Started: h.started, Functions: h.Functions(),
		Triggers: make(map[string]triggers.Status), Connections: make(map[string]bindings.Status), Missing: h.missing(), Progress: h.progress.get(),
	}
	for name, t := range h.triggers() {
		s.Triggers[name] = t.Status()
	}
	if g := h.http.Load(); g != nil {
		maps.Copy(s.Triggers, g.Router.Status())
	}
	for name, p := range h.outputs.Load().pools {
		s.Connections[name] = p.Status()
	}
	if store := h.stored.Load(); store != nil {
		status := store.Status()
		s.Store = &status
	}
	return s
}

// patience is how long readiness waits for a trigger that cannot subscribe.
const patience = 30 * time.Second

// missing names what readiness waits for.
func (h *Host) missing() []string {
	if h.config.Load() == nil {
		return []string{"the configuration"}
	}
	if h.stopped.Load() {
		return []string{"nothing: it is stopping"}
	}
	var missing []string
	for name, t := range h.triggers() {
		if s := t.Status(); !t.paused && !s.Subscribed && time.Since(t.started) < patience {
			missing = append(missing, fmt.Sprintf("trigger %s: %s", name, s.State))
		}
	}
	if s := h.stored.Load(); s != nil && s.desired.URL != "" && !s.Ready() {
		status := s.Status()
		missing = append(missing, strings.TrimSuffix(fmt.Sprintf("store: %s: %s", status.State, text(status.Err)), ": "))
	}
	slices.Sort(missing)
	return missing
}
