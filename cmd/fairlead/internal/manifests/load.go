package manifests

import (
	"fmt"
	"maps"
	"slices"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework/config"
)

// A load is what starts the functions of a folder.
type load struct {
	queues []queue // of brokers, by the name of their trigger
	store  bool    // the store hands out work: what is published, parked or staged
	http   bool    // somebody calls by HTTP
	events bool    // POST / leads to a function
	always bool    // one replica has to run even if nothing waits
	alone  bool    // two replicas would do the same work twice
}

// A queue is one that a trigger takes its messages from.
type queue struct{ trigger, connection, name string }

// pulls reports whether the functions fetch their work.
func (l load) pulls() bool { return len(l.queues) > 0 || l.store || l.always }

// readTriggers finds out what starts the functions.
func (b *builder) readTriggers() error {
	cfg := b.cfg
	direct := cfg.HTTP.Function != "" || cfg.HTTP.Direct != nil && *cfg.HTTP.Direct
	b.load = load{store: b.hasStore(), http: direct || len(cfg.Triggers) == 0, events: true}
	for _, name := range slices.Sorted(maps.Keys(cfg.Triggers)) {
		switch t := cfg.Triggers[name]; {
		case t.Channel != nil:
			b.load.http, b.load.events = true, direct
		case t.Schedule != nil:
			b.readSchedule(name)
		case t.Source != nil:
			b.readSource(name, t)
		}
	}
	if b.load.store && cfg.Store.Migrate != nil && !*cfg.Store.Migrate {
		b.note("store.migrate is false: make the tables first, from what \"fairlead migrations\" prints.")
	}
	if b.options.Mode == ModeSource && b.load.store {
		return fmt.Errorf("a source keeps nothing: expected store: none in %s", b.cfg.File)
	}
	return nil
}

// hasStore reports whether pods have a store.
func (b *builder) hasStore() bool { return b.document.at("store", "url") != "" }

// readSchedule reads a trigger that time starts.
func (b *builder) readSchedule(name string) {
	b.load.always = true
	if !b.load.store {
		b.load.alone = true
		b.note("triggers.%s: without a store each replica would fire by itself, so there is one replica. During a rolling update there can be two for a moment.", name)
	}
}

// readSource reads a trigger on a broker.
func (b *builder) readSource(name string, t config.Trigger) {
	address, topic := t.Source.(connections.Addressed).Address()
	if !topic {
		b.load.queues = append(b.load.queues, queue{name, t.Connection, address})
		return
	}
	b.load.always = true
	durable, ok := t.Source.(connections.Durable)
	if !ok {
		return
	}
	switch subscription, _ := durable.Durable(); {
	case subscription == "":
		b.note("triggers.%s: without a subscription each replica gets every message of topic %s.", name, address)
	default:
		b.note("triggers.%s: what waits in a subscription is nothing that KEDA can read, so one replica runs always.", name)
	}
}
