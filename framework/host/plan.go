package host

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/framework/config"
)

// Kinds of objects, as the sections of a document are called.
const (
	bindingsKind    = "bindings"
	connectionsKind = "connections"
	functionsKind   = "functions"
	securityKind    = "security"
	triggersKind    = "triggers"
)

// Export implements [admin.ConfigOperator].
func (b backend) Export(context.Context) (admin.Document, error) {
	cfg := b.config.Load()
	if cfg == nil {
		return admin.Document{}, errNotStarted
	}
	return admin.Document{File: cfg.File, Text: cfg.Export()}, nil
}

// Plan implements [admin.ConfigOperator].
func (b backend) Plan(_ context.Context, d admin.Document) (admin.Plan, error) {
	now := b.config.Load()
	if now == nil {
		return admin.Plan{}, errNotStarted
	}
	o := b.loadOptions()
	o.LookupEnv = b.origin.lookup
	known := b.sources.snapshot()
	if known != nil {
		o.Objects = known.Document()
	}
	kept := b.secrets(known)
	o.Secret = func(name string) (string, error) {
		if s, ok := now.Literal(name); ok { // what an export has in place of secrets in clear
			return s, nil
		}
		return kept(name)
	}
	next, err := config.Parse([]byte(d.Text), filepath.Join(now.Dir(), filepath.Base(d.File)), o)
	if err != nil {
		return admin.Plan{}, fmt.Errorf("%w: %w", admin.ErrBadRequest, err)
	}
	return admin.Plan{
		Generation: b.progress.get().Generation, Steps: steps(now, next), Refused: text(keepsBacklogs(now, next)),
	}, nil
}

// steps says what making new of old does, by kind and name.
func steps(old, new *config.Config) []admin.Step {
	changes := config.Diff(old, new)
	all := []admin.Step{}
	for _, c := range changes {
		s := admin.Step{Kind: c.Kind, Name: c.Name, Action: actions[c.Op], Effect: effect(new, old, c)}
		if c.Kind == functionsKind { // the document has their settings only
			s.Action = admin.Changed
		}
		all = append(all, s)
	}
	for _, name := range slices.Sorted(maps.Keys(new.Triggers)) {
		t := new.Triggers[name]
		_, before := old.Triggers[name]
		if !before || t.Channel != nil || slices.Contains(changes, config.Change{Kind: triggersKind, Name: name, Op: config.Changed}) {
			continue
		}
		store := 0
		if !reflect.DeepEqual(old.Store, new.Store) {
			store = 1
		}
		if !reflect.DeepEqual(desiredOf(old, name, 0), desiredOf(new, name, store)) {
			all = append(all, admin.Step{Kind: triggersKind, Name: name, Action: admin.Restarted, Effect: drained + ", because of " + cause(changes, t)})
		}
	}
	slices.SortStableFunc(all, func(a, b admin.Step) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return all
}

var actions = map[config.Op]string{config.Added: admin.Created, config.Changed: admin.Changed, config.Removed: admin.Removed}

// drained is what happens to a trigger that is replaced.
const drained = "drained, then started again"

// effect says what a change means for what runs.
func effect(new, old *config.Config, c config.Change) string {
	channel := new.Triggers[c.Name].Channel != nil || old.Triggers[c.Name].Channel != nil
	switch c.Kind {
	case triggersKind:
		switch {
		case channel:
			return atOnce
		case c.Op == config.Added:
			return "started"
		case c.Op == config.Removed:
			return "drained, then stopped"
		}
		return drained
	case connectionsKind:
		switch c.Op {
		case config.Added:
			return "proved"
		case config.Removed:
			return "closed, once what is being sent is sent"
		}
		return "proved, then its links are replaced"
	case "store":
		return "opened; then what uses it is drained and started again"
	case "http":
		if new.HTTP.Listen != old.HTTP.Listen {
			return atStart
		}
	case "admin", "metrics":
		return atStart
	}
	return atOnce
}

const (
	atOnce  = "takes effect at once"
	atStart = "takes effect when the program is started again"
)

// cause names what a trigger that is the same is restarted for.
func cause(changes config.Changes, t config.Trigger) string {
	var all []string
	for _, c := range changes {
		switch c.String() {
		case "connections." + t.Connection, "functions." + t.Function, "grace", "store":
			all = append(all, c.String())
		}
	}
	return strings.Join(all, " and ")
}

// Objects implements [admin.ConfigOperator].
func (b backend) Objects(_ context.Context, kind string) ([]admin.Object, error) {
	cfg := b.config.Load()
	if cfg == nil {
		return nil, errNotStarted
	}
	all := make(map[string]any)
	switch kind {
	case bindingsKind:
		add(all, cfg.Bindings)
	case connectionsKind:
		add(all, cfg.Connections)
	case functionsKind:
		for _, name := range b.Functions() {
			all[name] = cfg.Functions[name]
		}
		add(all, cfg.Functions) // those of the store that this program does not have
	case securityKind:
		add(all, cfg.Security)
	case triggersKind:
		add(all, cfg.Triggers)
		for name, w := range cfg.Waiting {
			all[name] = w.Trigger
		}
	default:
		return nil, noSuchKind(kind)
	}
	status := b.Status()
	var objects []admin.Object
	for _, name := range slices.Sorted(maps.Keys(all)) {
		o := admin.Object{Kind: kind, Name: name, Text: cfg.ExportObject(kind, name)}
		o.Spec, _ = config.Mask(all[name]).(map[string]any)
		b.attribute(&o, cfg)
		observe(&o, cfg, status)
		objects = append(objects, o)
	}
	return objects, nil
}

func noSuchKind(kind string) error {
	return fmt.Errorf("%w: there is no kind %q; expected one of %s", admin.ErrNotFound, kind, strings.Join(config.Kinds(), ", "))
}

// attribute adds to an object whose it is.
func (b backend) attribute(o *admin.Object, cfg *config.Config) {
	switch {
	case cfg.Stored(o.Kind, o.Name):
		o.Owner = admin.StoreOwner
		if known := b.sources.snapshot(); known != nil {
			now, _ := known.Object(o.Kind, o.Name)
			o.Version = now.Version
		}
	case cfg.Has(o.Kind, o.Name):
		o.Owner = cfg.File
	}
}

// Object implements [admin.ConfigOperator].
func (b backend) Object(ctx context.Context, kind, name string) (admin.Object, error) {
	all, err := b.Objects(ctx, kind)
	if err != nil {
		return admin.Object{}, err
	}
	for _, o := range all {
		if o.Name == name {
			return o, nil
		}
	}
	return admin.Object{}, fmt.Errorf("%w: there is no %q among the %s", admin.ErrNotFound, name, kind)
}

func add[T any](all map[string]any, section map[string]T) {
	for name, o := range section {
		all[name] = o
	}
}

// observe adds to an object how it is doing.
func observe(o *admin.Object, cfg *config.Config, s admin.Status) {
	switch o.Kind {
	case connectionsKind:
		for _, c := range s.Connections {
			if c.Name == o.Name {
				o.State, o.Error, o.Refused = "idle", c.Error, c.Refused
				switch {
				case c.Connected:
					o.State = "connected"
				case cfg.Locked(connectionsKind, c.Name) != "":
					o.State = "locked"
				}
			}
		}
	case triggersKind:
		for _, t := range s.Triggers {
			if t.Name == o.Name {
				o.State, o.Error, o.Refused = t.State, t.Error, t.Refused
			}
		}
	}
}
