package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/fairlead/fairlead/connections"
)

// checkReplyTo asks the driver whether a trigger's answers can be sent to its
// replyTo.
func (r *reader) checkReplyTo(c *Config, n *node, t Trigger) {
	replyTo := n.get("replyTo")
	driver, ok := r.driver(r.connectionOf(n))
	if !r.ok(replyTo) || !ok || t.ReplyTo == "" {
		return
	}
	r.checkAddress(replyTo, driver, c.Connections[t.Connection], driver.Target(), t.ReplyTo)
}

// checkAddress asks a driver whether something can be sent to an address that is
// written in n. What else the target has is looked at elsewhere.
func (r *reader) checkAddress(n *node, driver connections.Driver, c Connection, target any, address string) {
	if driver.CheckTarget == nil || c.Settings == nil {
		return
	}
	target.(connections.Addressed).SetAddress(address, false)
	if e, ok := errors.AsType[*connections.SettingError](driver.CheckTarget(c.Settings, target)); ok && slices.Contains(addressKeys, e.Field) {
		r.at(n, n.describe(), e.Want)
	}
}

// checkAnswers looks for the trigger that takes the answers to what a binding sends.
func (r *reader) checkAnswers(c *Config, n *node, b Binding) {
	replyTo := n.get("replyTo")
	answered, ok := b.Target.(connections.Answered)
	if !ok || !r.ok(replyTo) {
		return
	}
	wanted, ok := answered.AnsweredAt()
	if !ok {
		return
	}
	var there []string
	for _, name := range slices.Sorted(maps.Keys(c.Triggers)) {
		t := c.Triggers[name]
		if s, ok := t.Source.(connections.Temporary); ok && t.Connection == b.Connection && s.IsTemporary() {
			queue, _ := t.Source.(connections.Addressed).Address()
			there = append(there, queue)
		}
	}
	if !slices.Contains(there, wanted) {
		r.at(replyTo, replyTo.describe(), fmt.Sprintf("the dynamic queue of a trigger on connection %s (%s)", b.Connection, oneOf(wanted, there)))
	}
}
