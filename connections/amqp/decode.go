package amqp

import (
	"fmt"
	"maps"
	"strings"

	"github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
)

// Annotations of the JMS mapping of AMQP.
const (
	jmsMessageType = "x-opt-jms-msg-type"
	jmsReplyTo     = "x-opt-jms-reply-to"
	jmsDestination = "x-opt-jms-dest"

	jmsObject = int8(1) // values of x-opt-jms-msg-type
	jmsMap    = int8(2)
	jmsBytes  = int8(3)
	jmsStream = int8(4)
	jmsText   = int8(5)

	jmsQueue          = int8(0) // values of x-opt-jms-dest and x-opt-jms-reply-to
	jmsTopic          = int8(1)
	jmsTemporaryQueue = int8(2)
	jmsTemporaryTopic = int8(3)
)

// decode turns a received message into a delivery that lacks only its Settle.
// The delivery shares the message's memory.
func decode(m *amqp.Message) connections.Delivery {
	native(m)
	d := connections.Delivery{Message: connections.Message{Native: m, Header: header(m.ApplicationProperties)}}
	if h := m.Header; h != nil {
		d.Count = int(h.DeliveryCount)
		d.TTL = h.TTL
		if h.Priority != defaultPriority {
			d.Priority = new(int(h.Priority))
		}
	}
	if p := m.Properties; p != nil {
		properties(&d.Message, p)
		d.Header = jmsHeader(d.Header, p)
		if d.ReplyTo != "" && isTopic(m.Annotations[jmsReplyTo]) && !strings.Contains(d.ReplyTo, "://") {
			d.ReplyTo = topicPrefix + d.ReplyTo
		}
	}
	var b body
	b, d.Bad = bodyOf(m)
	d.Body, d.Text = b.bytes, b.text
	if b.json {
		d.ContentType = jsonType
	}
	if why, ok := m.DeliveryAnnotations[undecodable]; ok {
		d.Bad, d.Text = fmt.Errorf("decode the AMQP message, which is in the body as it came: %v", why), false
	}
	return d
}

func properties(to *connections.Message, p *amqp.MessageProperties) {
	to.ID, to.CorrelationID = p.MessageID, p.CorrelationID
	to.Identity = canonical(p.MessageID)
	to.Correlate = p.CorrelationID
	if to.Correlate == nil {
		to.Correlate = p.MessageID
	}
	to.ContentType, to.ReplyTo, to.Key = text(p.ContentType), text(p.ReplyTo), text(p.GroupID)
	if p.CreationTime != nil {
		to.Time = p.CreationTime.UTC()
	}
}

// Headers that are properties of their own in AMQP.
const (
	headerType     = "JMSType"      // the subject
	headerSequence = "JMSXGroupSeq" // the group-sequence
)

// jmsHeader adds what JMS takes for headers or properties.
func jmsHeader(header map[string]any, p *amqp.MessageProperties) map[string]any {
	if p.Subject == nil && p.GroupSequence == nil {
		return header
	}
	header = maps.Clone(header)
	if header == nil {
		header = make(map[string]any, 2)
	}
	if p.Subject != nil {
		header[headerType] = *p.Subject
	}
	if p.GroupSequence != nil {
		header[headerSequence] = *p.GroupSequence
	}
	return header
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func isTopic(annotation any) bool {
	return annotation == jmsTopic || annotation == jmsTemporaryTopic
}

// header returns the application properties without those that are null, and with
// symbols as strings.
func header(properties map[string]any) map[string]any {
	for _, v := range properties {
		if _, symbol := v.(amqp.Symbol); v == nil || symbol {
			return plainHeader(properties)
		}
	}
	return properties
}

func plainHeader(properties map[string]any) map[string]any {
	out := make(map[string]any, len(properties))
	for name, v := range properties {
		switch v := v.(type) {
		case nil:
		case amqp.Symbol:
			out[name] = string(v)
		default:
			out[name] = v
		}
	}
	return out
}
