package amqp

import (
	"bytes"
	"fmt"
	"maps"

	"github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
)

// inherit gives out what a relayed message keeps: annotations, properties and
// footer, but not what belongs to its way here. (The user-id would have to be ours.)
func inherit(out, relayed *amqp.Message) {
	if h := relayed.Header; h != nil {
		out.Header.Priority, out.Header.TTL = h.Priority, h.TTL
	}
	if p := relayed.Properties; p != nil {
		*out.Properties = *p
		out.Properties.MessageID, out.Properties.UserID, out.Properties.To, out.Properties.ReplyTo = nil, nil, nil, nil
	}
	out.Annotations = inheritAnnotations(relayed.Annotations)
	out.DeliveryAnnotations = inheritAnnotations(relayed.DeliveryAnnotations)
	out.Footer = inheritAnnotations(relayed.Footer)
}

func inheritAnnotations(relayed amqp.Annotations) amqp.Annotations {
	kept := maps.Clone(relayed)
	maps.DeleteFunc(kept, func(key, _ any) bool {
		switch key {
		case jmsReplyTo, jmsDestination, "x-opt-delivery-delay", "x-opt-delivery-time", undecodable:
			return true
		}
		_, number := key.(uint64) // reserved by the standard, and go-amqp cannot send it
		return number
	})
	if len(kept) == 0 {
		return nil
	}
	return kept
}

// inheritBody gives out the body sections of the relayed message, if they are
// what m has as its body, and reports whether it did.
func inheritBody(out, relayed *amqp.Message, m *connections.Message) bool {
	was, err := bodyOf(relayed)
	if err != nil || !bytes.Equal(was.bytes, m.Body) {
		return false
	}
	out.Data, out.Value, out.Sequence = relayed.Data, relayed.Value, relayed.Sequence
	if out.Data == nil && out.Value == nil && out.Sequence == nil { // no body, which AMQP does not allow
		out.Value = amqp.Null{}
	}
	if !was.json || m.ContentType != jsonType {
		out.Properties.ContentType = optional(m.ContentType)
	}
	return true
}

// inheritProperties adds the application properties that a relayed message
// keeps. If what goes out is a CloudEvent, its attributes are that event's.
func inheritProperties(out map[string]any, relayed *amqp.Message, cloudEvent bool) (err error) {
	for name, v := range relayed.ApplicationProperties {
		if !ofOneDelivery(name) && !(cloudEvent && connections.IsAttribute(name)) {
			if out[name], err = outgoing(v); err != nil {
				return fmt.Errorf("header %s: %w", name, err)
			}
		}
	}
	return nil
}

// ofOneDelivery says that a property of that name must not be sent on: a broker
// would take the message for one that it had before.
func ofOneDelivery(name string) bool {
	return name == "_AMQ_DUPL_ID" || name == "JMSXDeliveryCount"
}
