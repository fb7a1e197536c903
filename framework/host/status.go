package host

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/bindings"
	"github.com/fairlead/fairlead/framework/config/stored"
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
	Stored      Stored
}

// Stored says what of the configuration is in the store. It is empty without a
// store, and until that has answered.
type Stored struct {
	Generation int64            // that runs
	Replica    int              // the id of this one
	Replicas   []stored.Replica // that share the store, as it was a moment ago
	Shadowed   []string         // objects that the file has, too, and so owns
}

// Status implements [Host.Status].
func (h *host) Status() Status {
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
	s.Stored = h.storedStatus()
	return s
}

func (h *host) storedStatus() (s Stored) {
	cfg := h.config.Load()
	if cfg == nil {
		return s
	}
	s.Shadowed = cfg.Shadowed()
	if known := h.sources.snapshot(); known != nil {
		s.Generation = known.Generation
	}
	if all := h.sources.replicas.Load(); all != nil {
		s.Replicas = *all
	}
	if store := h.stored.Load(); store != nil {
		s.Replica = store.Status().Replica
	}
	return s
}

// patience is how long readiness waits for a trigger that cannot subscribe.
const patience = 30 * time.Second

// missing names what readiness waits for.
func (h *host) missing() []string {
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
	if s := h.stored.Load(); s != nil && s.desired.URL != "" && s.Ready() && h.sources.following.Load() &&
		h.sources.snapshot() == nil && time.Since(h.started) < patience {
		missing = append(missing, "store: its configuration does not run yet")
	}
	slices.Sort(missing)
	return missing
}
