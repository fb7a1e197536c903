package stomp

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/go-stomp/stomp/v3/frame"

	"github.com/fairlead/fairlead/connections"
)

// Headers of messages that brokers know.
const (
	correlationHeader = "correlation-id"
	replyToHeader     = "reply-to"
	priorityHeader    = "priority"
	persistentHeader  = "persistent"
	expiresHeader     = "expires"    // ms since 1970
	expirationHeader  = "expiration" // RabbitMQ's: ms
	timestampHeader   = "timestamp"  // ms since 1970; seconds on RabbitMQ
	groupHeader       = "JMSXGroupID"
	artemisGroup      = "_AMQ_GROUP_ID" // how Artemis delivers it
	routingHeader     = "destination-type"
	redeliveredHeader = "redelivered"
	countHeader       = "delivery-count" // the development broker's
	rabbitIDHeader    = "amqp-message-id"
)

// Headers of our own, for what brokers do not hand on: the id that a sender gave
// its message (message-id is always the broker's; RabbitMQ has a header of its
// own for it) and, on Classic, the group.
const (
	IDHeader  = "fairlead_id"
	KeyHeader = "fairlead_key"
)

// isOwn says that the driver reads and writes the header, or the broker does: it
// is in no Message.Header and never copied from one.
func isOwn(name string) bool {
	switch name {
	case frame.Destination, frame.MessageId, frame.Ack, frame.Subscription, frame.Receipt, frame.Transaction,
		frame.ContentLength, frame.ContentType, redeliveredHeader, routingHeader, rabbitIDHeader, IDHeader, KeyHeader:
		return true
	}
	return false
}

// message returns what a MESSAGE frame says. Of a header that is repeated, the
// first counts.
func (k kind) message(f *frame.Frame) connections.Message {
	h := f.Header
	m := connections.Message{
		Body: f.Body, ContentType: h.Get(frame.ContentType), Text: k.isText(h),
		Header:  make(map[string]any, h.Len()),
		ReplyTo: h.Get(replyToHeader),
		Native:  f,
	}
	for i := range h.Len() {
		name, value := h.GetAt(i)
		if _, repeated := m.Header[name]; !repeated && !isOwn(name) {
			m.Header[name] = value
		}
	}
	k.setIDs(&m, h)
	m.Key = first(h, groupHeader, artemisGroup, KeyHeader)
	if n, err := strconv.Atoi(h.Get(priorityHeader)); err == nil {
		m.Priority = &n
	}
	m.TTL, m.Time = k.ttl(h), k.sent(h)
	return m
}

// first returns the value of the first of these headers that has one.
func first(h *frame.Header, names ...string) string {
	for _, name := range names {
		if value := h.Get(name); value != "" {
			return value
		}
	}
	return ""
}

func (k kind) setIDs(m *connections.Message, h *frame.Header) {
	if m.Identity = k.identity(h); m.Identity != "" {
		m.ID, m.Correlate = m.Identity, m.Identity
	} else if id := h.Get(frame.MessageId); id != "" {
		m.Correlate = id
	}
	if id := h.Get(correlationHeader); id != "" {
		m.CorrelationID, m.Correlate = id, id
	}
}

// identity is the id that the sender gave its message, or else the broker's own,
// if that stays when the message is delivered again.
func (k kind) identity(h *frame.Header) string {
	if id := first(h, IDHeader, rabbitIDHeader); id != "" {
		return id
	}
	id := h.Get(frame.MessageId)
	switch k {
	case artemis: // CONSUMER,MESSAGE; the numbers begin again when the broker's data is deleted
		_, number, ok := strings.Cut(id, ",")
		if !ok {
			return ""
		}
		return number + "@" + h.Get(timestampHeader)
	case classic, embedded:
		return id
	}
	return "" // RabbitMQ's is another for each delivery; of others nothing is known
}

// isText says that the sender had no content-length, by which brokers tell JMS
// TextMessages from BytesMessages.
func (k kind) isText(h *frame.Header) bool {
	length, has := index(h, frame.ContentLength)
	if k != artemis || !has {
		return !has
	}
	// Artemis gives both one, but before message-id only if it is bytes.
	id, _ := index(h, frame.MessageId)
	return id < length
}

func index(h *frame.Header, name string) (int, bool) {
	for i := range h.Len() {
		if n, _ := h.GetAt(i); n == name {
			return i, true
		}
	}
	return 0, false
}

// ttl is how long the message had to live when it came; 0: for ever.
func (k kind) ttl(h *frame.Header) time.Duration {
	if k == rabbit {
		ms, _ := strconv.ParseInt(h.Get(expirationHeader), 10, 32)
		return time.Duration(max(ms, 0)) * time.Millisecond
	}
	at, err := strconv.ParseInt(h.Get(expiresHeader), 10, 64)
	if err != nil || at <= 0 {
		return 0
	}
	return max(time.Until(time.UnixMilli(at)), time.Millisecond)
}

// sent is when the message was sent; the zero time if the broker does not say.
func (k kind) sent(h *frame.Header) time.Time {
	at, err := strconv.ParseInt(h.Get(timestampHeader), 10, 64)
	switch {
	case err != nil || at <= 0:
		return time.Time{}
	case k == rabbit:
		return time.Unix(at, 0)
	}
	return time.UnixMilli(at)
}

// count is how often a delivery of the message failed, where the broker counts.
func (k kind) count(h *frame.Header) int {
	if k != embedded {
		return 0
	}
	n, _ := strconv.Atoi(h.Get(countHeader))
	return n
}

// sendFrame returns the SEND frame of m, but for its receipt.
func (k kind) sendFrame(t *Target, m *connections.Message) *frame.Frame {
	name, routing := k.name(t.Destination)
	f := frame.New(frame.SEND, frame.Destination, name)
	f.Body = m.Body
	add := func(name, value string) {
		if value != "" {
			f.Header.Add(name, value)
		}
	}
	add(routingHeader, routing)
	add(frame.ContentType, m.ContentType)
	if !m.Text || !utf8.Valid(m.Body) || bytes.IndexByte(m.Body, 0) >= 0 {
		f.Header.Add(frame.ContentLength, strconv.Itoa(len(m.Body)))
	}
	k.addFields(add, m)
	addHeaders(f.Header, m.Header)
	if m.TTL < 0 {
		f.Header.Del(expiresHeader)
		f.Header.Del(expirationHeader)
	}
	for name, value := range t.Headers {
		if _, ok := f.Header.Contains(name); !ok {
			f.Header.Add(name, value)
		}
	}
	if _, ok := f.Header.Contains(persistentHeader); !ok {
		f.Header.Add(persistentHeader, "true")
	}
	return f
}

// addFields adds what Message has fields for.
func (k kind) addFields(add func(name, value string), m *connections.Message) {
	key := m.Key
	if key == "" {
		key, _ = m.Header[artemisGroup].(string)
	}
	add(groupHeader, key)
	switch k {
	case rabbit:
		add(rabbitIDHeader, text(m.ID))
	case classic:
		add(KeyHeader, key)
		fallthrough
	default:
		add(IDHeader, text(m.ID))
	}
	add(correlationHeader, text(m.CorrelationID))
	add(replyToHeader, m.ReplyTo)
	if m.Priority != nil {
		add(priorityHeader, strconv.Itoa(*m.Priority))
	}
	if m.TTL > 0 && k == rabbit {
		add(expirationHeader, strconv.FormatInt(max(m.TTL.Milliseconds(), 1), 10))
	} else if m.TTL > 0 {
		add(expiresHeader, strconv.FormatInt(time.Now().Add(m.TTL).UnixMilli(), 10))
	}
}

// addHeaders adds those that are not there yet and belong to the message, not to
// its delivery.
func addHeaders(h *frame.Header, from map[string]any) {
	for name, v := range from {
		if _, ok := h.Contains(name); ok || isOwn(name) || connections.PerDelivery(name) || name == artemisGroup || name == timestampHeader {
			continue
		}
		h.Add(name, text(v))
	}
}

// text returns the CloudEvents text form of a value, or Go's where there is none.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float32, float64: // CloudEvents has none, and types.Format cuts them off
		return fmt.Sprint(v)
	}
	if s, err := types.Format(v); err == nil {
		return s
	}
	return fmt.Sprint(v)
}
