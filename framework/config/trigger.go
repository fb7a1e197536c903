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
	r.checkCalled(c, n, t)
	r.checkWorkers(n, t)
	if e := n.get("eventId"); r.ok(e) {
		if name, ok := strings.CutPrefix(t.EventID, "header:"); !ok || name == "" {
			r.at(e, e.describe(), "header:NAME")
		}
	}
	r.checkRetry(n.get("retry"), t.Retry)
	r.checkDeadLetter(c, n.get("deadLetter"))
	r.checkReplyTo(c, n, t)
	r.checkReply(c, n, t)
	r.checkLoop(c, n, t)
}

// checkCalled checks which function a trigger calls.
func (r *reader) checkCalled(c *Config, n *node, t Trigger) {
	function := n.get("function")
	switch {
	case t.Function != "" || function != nil && !r.ok(function):
		r.checkFunction(function)
	case function != nil || r.options.Functions != nil || !c.ForSource():
		r.below(n, "function", "nothing", "name of the function to call")
	}
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
	if driver.CheckSource != nil && !r.failed[r.connectionOf(n)] && !r.unknown[r.connectionOf(n)] {
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
	r.checkAnswers(c, n, b)
	var reported []string
	if topic := n.get("topic"); topic != nil && n.get("queue") != nil {
		r.at(topic, "topic beside queue", "at most one of them")
		reported = addressKeys
	}
	driver, _ := r.driver(r.connectionOf(n))
	if driver.CheckTarget != nil && !r.failed[r.connectionOf(n)] && !r.unknown[r.connectionOf(n)] {
		r.refused(n, driver.CheckTarget(c.Connections[b.Connection].Settings, b.Target), reported...)
	}
}

// checkReply checks where a trigger's answers go.
func (r *reader) checkReply(c *Config, n *node, t Trigger) {
	reply := n.get("reply")
	switch {
	case reply == nil:
	case t.Source == nil:
		r.atKey(reply, "the key reply", "none: only who sends to a broker's queue or topic may want an answer there")
	case n.get("replyTo") != nil:
		r.atKey(reply, "reply beside replyTo", "one of them")
	default:
		r.checkPlace(c, reply, "BINDING or BINDING/DESTINATION")
	}
}

// checkDeadLetter checks store, BINDING and BINDING/DESTINATION.
func (r *reader) checkDeadLetter(c *Config, n *node) {
	if r.ok(n) && n.text == storeName {
		r.needsStore(c, n, storeName, "BINDING or BINDING/DESTINATION")
		return
	}
	r.checkPlace(c, n, "store, BINDING or BINDING/DESTINATION")
}

// checkPlace checks that n, which may be nil, is BINDING or BINDING/DESTINATION.
func (r *reader) checkPlace(c *Config, n *node, want string) {
	if !r.ok(n) {
		return
	}
	name, destination, slash := strings.Cut(n.text, "/")
	b, ok := c.Bindings[name]
	if !ok {
		r.at(n, n.describe(), want+"; bindings: "+oneOf(name, r.root.get("bindings").keys()))
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
	case own == "":
		connection := c.Connections[b.Connection]
		driver := r.options.Drivers[connection.Type]
		r.checkAddress(n, driver, connection, driver.Target(), destination)
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
