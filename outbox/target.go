package outbox

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/framework"
)

// Limits of what is published. Breaking one is an error to the caller.
const (
	MaxName    = 255      // bytes of a target, a key or an id
	MaxSource  = 1024     // bytes of an event's source
	MaxHeader  = 64 << 10 // bytes of all attributes and headers together, as JSON
	MaxPayload = 64 << 20 // bytes of data
)

// Kinds of subscriptions, as the tables have them.
const (
	kindFunction = "function"
	kindTopic    = "topic"
	kindTrigger  = "trigger"
	kindBinding  = "binding"
)

// A target is what an event is published to.
type target struct{ kind, topic string }

// parseTarget reads "FUNCTION" or "topic:NAME".
func parseTarget(s string) (target, error) {
	t := target{kindFunction, s}
	if name, ok := strings.CutPrefix(s, "topic:"); ok {
		t = target{kindTopic, name}
	}
	return t, checkName("target", t.topic)
}

// String is the inverse of parseTarget.
func (t target) String() string {
	if t.kind == kindTopic {
		return "topic:" + t.topic
	}
	return t.topic
}

// source is the source of events that have none of their own.
func (t target) source() string { return "/fairlead/" + t.kind + "/" + t.topic }

func checkName(what, s string) error {
	if s == "" {
		return framework.Terminal(errors.New(what + " is empty"))
	}
	return checkText(what, s, MaxName)
}

func checkText(what, s string, longest int) error {
	if len(s) > longest {
		return framework.Terminal(fmt.Errorf("%s has %d bytes, at most %d are allowed", what, len(s), longest))
	}
	if !storable(s) {
		return framework.Terminal(fmt.Errorf("%s %q is not UTF-8 without NUL", what, s))
	}
	return nil
}
