package connections

import "strings"

// A Destination is embedded by settings of a trigger or a binding that name a
// queue or a topic; it makes them an [Addressed].
type Destination struct {
	Queue  string `yaml:"queue,omitempty" doc:"name of a queue: each message goes to one receiver"`
	Topic  string `yaml:"topic,omitempty" doc:"name of a topic: each message goes to every subscriber"`
	Native bool   `yaml:"-"` // Queue is in the broker's own words and is used as it is
}

// Address implements [Addressed].
func (d *Destination) Address() (name string, topic bool) {
	if d.Topic != "" {
		return d.Topic, true
	}
	return d.Queue, false
}

// SetAddress implements [Addressed].
func (d *Destination) SetAddress(name string, native bool) {
	if topic, ok := strings.CutPrefix(name, "topic:"); ok && !native {
		*d = Destination{Topic: topic}
		return
	}
	*d = Destination{Queue: name, Native: native}
}

var _ Addressed = (*Destination)(nil)
