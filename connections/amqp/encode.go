package amqp

import (
	"crypto/rand"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/Azure/go-amqp"
	"github.com/cloudevents/sdk-go/v2/types"

	"github.com/fairlead/fairlead/connections"
)

// defaultPriority is what a message has that says nothing. The zero value would
// be the lowest.
const defaultPriority = 4

// encode returns the message to send for m, with the headers of the binding. It
// shares m's memory.
func encode(m *connections.Message, headers map[string]string) (*amqp.Message, error) {
	relayed, _ := m.Native.(*amqp.Message)
	out := &amqp.Message{Header: &amqp.MessageHeader{Durable: true, Priority: defaultPriority}, Properties: new(amqp.MessageProperties)}
	if relayed != nil {
		inherit(out, relayed)
	}
	if relayed == nil || !inheritBody(out, relayed, m) {
		setBody(out, m)
	}
	if m.Priority != nil {
		out.Header.Priority = uint8(min(max(*m.Priority, 0), 9))
	}
	expire(out, m.TTL)
	if err := setProperties(out.Properties, m); err != nil {
		return nil, err
	}
	var err error
	if out.ApplicationProperties, err = applicationProperties(m, relayed, headers); err != nil {
		return nil, err
	}
	return out, outgoingMessage(out)
}

// setBody makes the body that JMS clients take for text or bytes, and says so.
func setBody(out *amqp.Message, m *connections.Message) {
	kind := jmsBytes
	if m.Text && utf8.Valid(m.Body) {
		kind = jmsText
	}
	if kind == jmsText && !isCloudEvent(m) {
		out.Value = string(m.Body)
	} else {
		out.Data = [][]byte{m.Body}
	}
	if out.Annotations == nil {
		out.Annotations = make(amqp.Annotations, 1)
	}
	out.Annotations[jmsMessageType] = kind
	out.Properties.ContentType, out.Properties.ContentEncoding = optional(m.ContentType), nil
}

func isCloudEvent(m *connections.Message) bool {
	_, binary := m.Header[connections.Prefix+"specversion"]
	return binary || strings.HasPrefix(m.ContentType, "application/cloudevents")
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// expire sets the time to live. AMQP counts it in milliseconds, up to 49 days;
// what is longer becomes a point in time. A negative one takes off what a relayed
// message had.
func expire(out *amqp.Message, ttl time.Duration) {
	switch {
	case ttl == 0:
		return
	case ttl < 0:
		out.Header.TTL, out.Properties.AbsoluteExpiryTime = 0, nil
		return
	}
	ttl = max(ttl, time.Millisecond) // 0 would be for ever
	out.Header.TTL, out.Properties.AbsoluteExpiryTime = ttl, nil
	if ttl.Milliseconds() > math.MaxUint32 {
		out.Header.TTL, out.Properties.AbsoluteExpiryTime = 0, new(time.Now().Add(ttl))
	}
}

func setProperties(p *amqp.MessageProperties, m *connections.Message) (err error) {
	if p.MessageID, err = messageID(m.ID); err != nil {
		return err
	}
	if m.CorrelationID != nil {
		if p.CorrelationID, err = typedID(m.CorrelationID); err != nil {
			return err
		}
	}
	if m.Key != "" {
		p.GroupID = &m.Key
	}
	if !m.Time.IsZero() {
		p.CreationTime = &m.Time
	} else if p.CreationTime == nil {
		p.CreationTime = new(time.Now())
	}
	p.ReplyTo = optional(m.ReplyTo)
	if subject, ok := m.Header[headerType].(string); ok {
		p.Subject = &subject
	}
	if v, ok := m.Header[headerSequence]; ok {
		if p.GroupSequence, err = sequence(v); err != nil {
			return fmt.Errorf("header %s: %w", headerSequence, err)
		}
	}
	return nil
}

// sequence returns v as a group-sequence. JMS has an int, which may be negative.
func sequence(v any) (*uint32, error) {
	s, err := types.Format(v)
	if n, ok := v.(uint32); ok {
		return &n, nil
	}
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < math.MinInt32 || n > math.MaxUint32 {
		return nil, fmt.Errorf("found %q, expected a number of 32 bits", s)
	}
	return new(uint32(n)), nil
}

// isProperty says that a header of that name is no application property.
func isProperty(name string) bool { return name == headerType || name == headerSequence }

// messageID returns id, or a new one: a message without an id could not be
// recognised when it is delivered again. "ID:" is how JMS ids begin.
func messageID(id any) (any, error) {
	if id == nil || id == "" {
		return "ID:" + rand.Text(), nil
	}
	return typedID(id)
}

// typedID returns id as one of the types that a message-id or correlation-id may have.
func typedID(id any) (any, error) {
	switch id := id.(type) {
	case string, uint64, amqp.UUID, []byte:
		return id, nil
	}
	s, err := types.Format(id)
	if err != nil {
		return nil, fmt.Errorf("id: %w", err)
	}
	return s, nil
}

// applicationProperties adds up, later ones winning: those of the message that
// is relayed, the binding's, the message's own.
func applicationProperties(m *connections.Message, relayed *amqp.Message, headers map[string]string) (map[string]any, error) {
	if relayed == nil && len(headers) == 0 && allSimple(m.Header) {
		return m.Header, nil
	}
	out := make(map[string]any, len(m.Header)+len(headers))
	if relayed != nil {
		if err := inheritProperties(out, relayed, isCloudEvent(m)); err != nil {
			return nil, err
		}
	}
	for name, v := range headers {
		out[name] = v
	}
	for name, v := range m.Header {
		if isProperty(name) || relayed != nil && unchanged(name, v, relayed.ApplicationProperties[name]) {
			continue
		}
		v, err := property(name, v)
		if err != nil {
			return nil, fmt.Errorf("header %s: %w", name, err)
		}
		out[name] = v
	}
	return out, nil
}

// unchanged says that a header is what was received, and not to be written anew:
// it is of one delivery, or a symbol, which the header has as a string, or of a type
// that the standard does not allow there.
func unchanged(name string, v, received any) bool {
	if symbol, ok := received.(amqp.Symbol); ok {
		return v == string(symbol)
	}
	return (ofOneDelivery(name) || !simple(received)) && reflect.DeepEqual(v, received)
}

// allSimple says that property would change nothing.
func allSimple(header map[string]any) bool {
	for name, v := range header {
		if !simple(v) || widens(name, v) || isProperty(name) {
			return false
		}
	}
	return true
}

// property returns v as a type that application properties may have: itself, or
// its text form in a CloudEvent.
func property(name string, v any) (any, error) {
	switch {
	case widens(name, v):
		return int64(v.(int32)), nil
	case simple(v):
		return v, nil
	case foreignParts(v):
		return outgoing(v)
	}
	if t, ok := v.(types.Timestamp); ok && t.Nanosecond()%int(time.Millisecond) == 0 {
		return t.Time, nil // AMQP has no finer one
	}
	return types.Format(v)
}

func simple(v any) bool {
	switch v.(type) {
	case nil, bool, string, []byte, time.Time, amqp.UUID, amqp.Symbol, float32, float64,
		int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return true
	}
	return false
}

// widens says that v is an Integer of a CloudEvent, which is a long on AMQP.
func widens(name string, v any) bool {
	_, ok := v.(int32)
	return ok && connections.IsAttribute(name)
}
