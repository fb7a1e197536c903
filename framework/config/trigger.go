package config

import (
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/connections"
)

// storeName is what deadLetter calls the store.
const storeName = "store"

func (r *reader) checkTrigger(c *Config, n *node, t Trigger) {
	r.checkSource(c, n, t)
	r.checkFunction(n.get("function"))
	r.checkWorkers(n, t)
	if e := n.get("eventId"); r.ok(e) {
		if name, ok := strings.CutPrefix(t.EventID, "header:"); !ok || name == "" {
			r.at(e, e.describe(), "header:NAME")
		}
	}
	r.checkRetry(n.get("retry"), t.Retry)
	r.checkDeadLetter(c, n.get("deadLetter"))
	r.checkLoop(c, n, t)
}

// checkSource checks where a trigger's messages come from.
func (r *reader) checkSource(c *Config, n *node, t Trigger) {
	connection, topic := n.get("connection"), n.get("topic")
	switch {
	case connection == nil && t.Channel != nil:
		r.checkChannel(c, n, t.Channel)
		return
	case connection == nil && t.Schedule != nil:
		r.checkSchedule(n, t.Schedule)
		return
	case connection == nil && topic == nil:
		r.below(n, "connection", "nothing", "the name of a connection ("+oneOf("", r.root.get("connections").keys())+"); or topic, with the name of a topic of the store; http, with a method and a path; schedule or every, with a time")
		return
	case connection == nil:
		r.needsStore(c, topic, "a topic of the store", "connection, too")
		if r.ok(topic) && !validName(t.Topic) {
			r.at(topic, topic.describe(), "letters, digits, dots, dashes and underscores")
		}
		return
	}
	r.checkReference(connection, "connections")
	if t.Source == nil || r.failed[n] {
		return
	}
	var reported []string
	if queue := n.get("queue"); queue != nil && topic != nil {
		r.at(topic, "topic beside queue", "one of them")
		reported = addressKeys
	} else if fixed(t.Source) == "" {
		r.below(n, "queue", "nothing", "the name of a queue, or topic with the name of a topic")
		reported = addressKeys
	}
	driver, _ := r.driver(r.connectionOf(n))
	if driver.CheckSource != nil && !r.failed[r.connectionOf(n)] {
		r.refused(n, driver.CheckSource(c.Connections[t.Connection].Settings, t.Source), reported...)
	}
}

// addressKeys are the keys that name a destination.
var addressKeys = []string{"queue", "topic"}

// fixed returns the address in settings of a trigger or a binding, or "".
func fixed(settings any) string {
	name, topic := settings.(connections.Addressed).Address()
	if topic {
		return "topic:" + name
	}
	return name
}

func (r *reader) checkWorkers(n *node, t Trigger) {
	concurrency, prefetch, ordered := n.get("concurrency"), n.get("prefetch"), n.get("ordered")
	if r.ok(concurrency) && t.Concurrency < 1 {
		r.at(concurrency, concurrency.describe(), "a number from 1")
	}
	if r.ok(prefetch) && t.Prefetch < max(t.Concurrency, 1) {
		r.at(prefetch, prefetch.describe(), fmt.Sprintf("a number from %d: at least concurrency", max(t.Concurrency, 1)))
	}
	if r.ok(ordered) && t.Ordered && t.Concurrency > 1 {
		r.at(ordered, fmt.Sprintf("true with concurrency %d", t.Concurrency), "true with concurrency 1, or false")
	}
}

func (r *reader) checkBinding(c *Config, n *node, b Binding) {
	if n.key == storeName {
		r.atKey(n, "the name "+storeName, "another: deadLetter calls the store so")
	}
	r.checkReference(n.get("connection"), "connections")
	if b.Outbox {
		r.needsStore(c, n.get("outbox"), "true", "false")
	}
	if b.Target == nil || r.failed[n] {
		return
	}
	var reported []string
	if topic := n.get("topic"); topic != nil && n.get("queue") != nil {
		r.at(topic, "topic beside queue", "at most one of them")
		reported = addressKeys
	}
	driver, _ := r.driver(r.connectionOf(n))
	if driver.CheckTarget != nil && !r.failed[r.connectionOf(n)] {
		r.refused(n, driver.CheckTarget(c.Connections[b.Connection].Settings, b.Target), reported...)
	}
}

// checkDeadLetter checks store, BINDING and BINDING/DESTINATION.
func (r *reader) checkDeadLetter(c *Config, n *node) {
	if !r.ok(n) {
		return
	}
	name, destination, slash := strings.Cut(n.text, "/")
	if n.text == storeName {
		r.needsStore(c, n, storeName, "BINDING or BINDING/DESTINATION")
		return
	}
	b, ok := c.Bindings[name]
	if !ok {
		r.at(n, n.describe(), "store, BINDING or BINDING/DESTINATION; bindings: "+oneOf(name, r.root.get("bindings").keys()))
		return
	}
	if b.Target == nil {
		return
	}
	switch own := fixed(b.Target); {
	case own == "" && destination == "":
		r.at(n, n.describe(), name+"/DESTINATION: the binding has no queue or topic of its own")
	case own != "" && slash:
		r.at(n, n.describe(), name+" alone: the binding has its own destination, "+own)
	}
}

// checkLoop refuses dead letters that come back to the trigger they came from.
func (r *reader) checkLoop(c *Config, n *node, t Trigger) {
	to := n.get("deadLetter")
	if to == nil {
		to = r.root.get("functions").get(t.Function).get("deadLetter")
	}
	if !r.ok(to) || t.Source == nil {
		return
	}
	name, destination, _ := strings.Cut(to.text, "/")
	b := c.Bindings[name]
	if b.Target == nil || b.Connection != t.Connection {
		return
	}
	if own := fixed(b.Target); own != "" {
		destination = own
	}
	if destination != "" && destination == fixed(t.Source) {
		r.at(to, to.describe(), "another place than "+destination+", where trigger "+n.key+" takes its messages from")
	}
}
